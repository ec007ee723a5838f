"""The verb `validate`. It is called at each save and each commit, so what few ask of it is imported when they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.cells import plural
from orchestrator.terminal import Terminal
from orchestrator.verbs.codes import VERSION, worst
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.github import Actions
from orchestrator.verbs.loading import Overrides, load, make_plans


def validate(
    files: Sequence[str],
    *,
    overrides: Overrides,
    json: bool,
    terminal: Terminal,
    actions: Actions | None = None,
) -> int:
    """Check every file; 0 where all are sound, 2 where one is not."""
    told = [_validated(file, overrides, json=json, terminal=terminal) for file in files]
    exit_code = worst(0 if entry["ok"] else 2 for entry in told)
    if json:
        document = {"version": VERSION, "exit_code": exit_code, "files": told}
        from orchestrator.outcome.summary import to_json  # noqa: PLC0415 - start-up

        terminal.answer(to_json(document).decode())
    if actions:
        from orchestrator.outcome.annotations import of_problems  # noqa: PLC0415 - start-up

        actions.annotate(of_problems(problem for entry in told for problem in entry["problems"]), terminal)
    return exit_code


def _validated(file: str, overrides: Overrides, *, json: bool, terminal: Terminal) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": file, "ok": False, "patterns": None, "nodes": None, "problems": []}
    try:
        loaded = load(file, overrides)
        make_plans(loaded, None)
    except CommandError as fault:
        if not json:
            terminal.tell(fault.text + "\n")
        return entry | {"problems": fault.problems}
    patterns = loaded.checked.topology.patterns
    nodes = sum(len(pattern.nodes) for pattern in patterns.values())
    if not json:
        terminal.tell(loaded.told_warnings())
        counts = f"{plural(len(patterns), 'pattern')}, {plural(nodes, 'node')}"
        terminal.answer(f"{file}: ok, {counts}\n")
    return entry | {"ok": True, "patterns": len(patterns), "nodes": nodes, "problems": loaded.warnings}
