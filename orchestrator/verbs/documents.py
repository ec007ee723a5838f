"""Documents for machines: on stdout where the path is `-`, else in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.outcome.summary import to_json
from orchestrator.outcome.values import Summary
from orchestrator.terminal import Terminal
from orchestrator.verbs.fault import fault

VERSION = 1
_VERDICTS = {0: "passed", 130: "interrupted", 143: "interrupted"}
_WORST_FIRST = (130, 143, 3, 2, 1)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several runs: interrupted goes before 3, then 2, then 1."""
    seen = set(codes)
    return next((code for code in _WORST_FIRST if code in seen), max(seen, default=0))


def outcome_document(
    *, exit_code: int, runs: Sequence[Summary], problems: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What `--json` gives of runs, whatever their exit."""
    verdict = _VERDICTS.get(exit_code, "failed")
    return {
        "version": VERSION,
        "verdict": verdict,
        "exit_code": exit_code,
        "runs": list(runs),
        "problems": list(problems),
    }


def check_target(target: str | None) -> None:
    """Make sure before any work that a document can be written to `target`; raises CommandError."""
    if target and target != "-":
        path = Path(target)
        if path.is_dir() or not path.absolute().parent.is_dir():
            text = "cannot write the JSON document: " + (
                "it is a folder" if path.is_dir() else "no such folder"
            )
            raise fault(text, code="json-path", file=target, hint="name a file in a folder that exists")


def write_document(document: dict[str, Any], target: str | None, terminal: Terminal) -> None:
    """Write it where it is wanted, if it is; raises CommandError where the file cannot be written."""
    if target is None:
        return
    data = to_json(document)
    if target == "-":
        terminal.answer(data.decode())
        return
    try:
        Path(target).write_bytes(data)
    except OSError as error:
        text = f"cannot write the JSON document: {error.strerror}"
        raise fault(text, code="json-path", file=target, hint="name another file", exit_code=3) from error
