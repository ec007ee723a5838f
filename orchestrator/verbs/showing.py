"""The verbs that start nothing: `validate`, `plan`, `graph`, `schema`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from orchestrator.cells import plural
from orchestrator.graph import dot, mermaid
from orchestrator.outcome.annotations import of_problems
from orchestrator.outcome.summary import to_json
from orchestrator.planpage import plan_text
from orchestrator.run.plan import Plan
from orchestrator.terminal import Terminal
from orchestrator.topology.schema import schema_text
from orchestrator.verbs.documents import (
    VERSION,
    check_documents,
    json_document,
    on_stdout,
    worst,
    write_documents,
)
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.github import Actions
from orchestrator.verbs.loading import Loaded, Overrides, load, make_plans


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
        terminal.answer(to_json(document).decode())
    if actions:
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


def plan(
    file: str, *, pattern: str | None, overrides: Overrides, json: str | None, terminal: Terminal
) -> int:
    """Show what would be started, in which order and why."""
    documents = json_document(json, partial(_plans_json, file))
    check_documents(documents)
    loaded = _loaded(file, overrides, terminal)
    plans = make_plans(loaded, pattern)
    if not on_stdout(documents):
        terminal.answer("\n".join(plan_text(plan, terminal.out_style) for plan in plans))
    return write_documents(documents, plans, terminal)


def _plans_json(file: str, plans: Sequence[Plan]) -> str:
    document = {"version": VERSION, "topology": file, "plans": [msgspec.to_builtins(plan) for plan in plans]}
    return to_json(document).decode()


def graph(file: str, *, pattern: str | None, overrides: Overrides, form: str, terminal: Terminal) -> int:
    """Show the topology as a picture."""
    plans = make_plans(_loaded(file, overrides, terminal), pattern)
    terminal.answer(dot(*plans) if form == "dot" else mermaid(*plans))
    return 0


def schema(terminal: Terminal) -> int:
    """Show the JSON Schema of a topology file."""
    terminal.answer(schema_text())
    return 0


def _loaded(file: str, overrides: Overrides, terminal: Terminal) -> Loaded:
    loaded = load(file, overrides)
    terminal.tell(loaded.told_warnings())
    return loaded
