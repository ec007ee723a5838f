"""How a record ends whose run was broken off: by the machine, or by a fault of ours."""

from __future__ import annotations

from orchestrator.run.events import ProblemFound, RunEnded


def broken_off(text: str, *, at_s: float) -> tuple[ProblemFound, RunEnded]:
    """The last two events: why, and that it failed. Exit code 3, since the machine could not."""
    return (
        ProblemFound(at_s=at_s, kind="launch", text=text, code="engine"),
        RunEnded(at_s=at_s, verdict="failed", exit_code=3, work_s=None),
    )
