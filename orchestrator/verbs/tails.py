"""What the processes of a run wrote last, for documents: the same whichever verb asks."""

from __future__ import annotations

from pathlib import Path

from orchestrator.observers.tail import last_lines
from orchestrator.outcome.values import Summary

LINES = 20


def tails(summary: Summary, folder: Path) -> dict[str, list[str]]:
    """The last lines of each process's log in a run's directory, by its name; of those that wrote nothing, none."""
    logs = folder / "logs"
    told = (
        (process.name, last_lines(logs / f"{process.name}.log", lines=LINES)) for process in summary.processes
    )
    return {name: lines for name, lines in told if lines}
