"""What the tests of things going wrong share: functions that leave a trace, and books that must agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import Outcome, Project, Run, wait_until

from chaos.held import furnish, open_gate

__all__ = ["books_agree", "furnish", "gap", "line_of", "open_gate", "traces", "wait_for_traces"]


def traces(project: Project, pid: int) -> list[str]:
    """The items that a process has handled, by the lines that it left."""
    try:
        return (project.folder / "effects" / str(pid)).read_text().splitlines()
    except FileNotFoundError:
        return []


def wait_for_traces(project: Project, run: Run, process: str, number: int) -> None:
    """Wait until a process has handled so many items."""
    pid = run.pid(process)
    wait_until(lambda: len(traces(project, pid)) >= number, f"{number} items handled by {process}")


def gap(link: dict[str, Any]) -> tuple[int, int]:
    """What a link has not received, by its slots and by its books."""
    return link["sent"] - link["received"], link["lost"] + link["unread"]


def books_agree(outcome: Outcome) -> None:
    """Every counted book is exact: what was sent is what was received, lost or left unread."""
    for link in outcome.summary["links"]:
        if link["lost"] is None:
            continue
        by_slots, by_book = gap(link)
        assert by_slots == by_book, link
        replies = link.get("replies")
        if replies:
            assert replies["sent"] - replies["received"] >= replies["lost"] >= 0, link


def line_of(path: Path, text: str) -> int:
    """The number of the first line that holds `text`."""
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)
