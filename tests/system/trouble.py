"""What the tests of things going wrong share: a gate that holds a run, functions that leave a trace of every item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import Outcome, Project, Run, wait_until

GATE = """
    from roles.kit import Role


    class Gate(Role):
        '''Holds the start of a run until the file `start` lies beside the topology, and its end until `end` does.'''

        def setup(self):
            self.until("start")

        def run(self):
            self.until("end")

        def until(self, name):
            while not (self.folder / name).exists():
                self.pause(0.005)
"""

EFFECTS = """
    import os
    import time

    _trace = None


    def note(item):
        '''Leave a line in a file of this process's own, at once.'''
        global _trace
        if _trace is None:
            _trace = os.open(f"effects/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(_trace, f"{str(item)[:20]}\\n".encode())
        return item


    def slowly(item, seconds=0.0005):
        time.sleep(seconds)
        return note(item)
"""


def furnish(project: Project) -> None:
    """Put the gate and the functions beside the topology."""
    project.write("gate.py", GATE)
    project.write("effects.py", EFFECTS)
    (project.folder / "effects").mkdir()


def open_gate(project: Project, *names: str) -> None:
    """Let the run through the gate: its `start`, its `end`."""
    for name in names:
        (project.folder / name).touch()


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
