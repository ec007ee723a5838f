"""Failpoints: the named steps of a protocol at which a test may end its process, to the step and not by the clock.

`ORCHESTRATOR_FAIL=sink.after_write:3=kill` ends a process that comes past `sink.after_write` for the third time. With
`sink-1@` before the name it ends that process alone; several are separated by commas. Each ends the first incarnation
only, so that a run gets past it. Actions are `kill` (SIGKILL) and `power`, which is what a machine that loses its power
does to the process's files: what was written and not synced is gone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Final, Protocol

VARIABLE: Final = "ORCHESTRATOR_FAIL"
STEPS: Final = frozenset(
    {
        *("source.before_send", "source.after_send", "source.before_journal", "source.after_journal"),
        *("worker.after_receive", "worker.after_work", "worker.before_send", "worker.after_send"),
        *(
            "sink.after_receive",
            "sink.before_write",
            "sink.before_log",
            "sink.before_sync",
            "sink.before_ack",
        ),
        *("sink.after_ack",),
    }
)


class Unsynced(Protocol):
    """A file that knows how much of it would outlive a loss of power."""

    def forget_unsynced(self) -> None:
        """Cut off what was not synced."""


_files: list[Unsynced] = []


def watch(file: Unsynced) -> None:
    """Have a file cut where its process loses power."""
    _files.append(file)


def armed(environment: Mapping[str, str], process: str, incarnation: int) -> Callable[[str], None] | None:
    """What a process is to call at each step; None where none is meant for it. Raises ValueError for nonsense."""
    written = environment.get(VARIABLE, "")
    if not written or incarnation:
        return None
    left: dict[str, tuple[int, str]] = {}
    for one in written.split(","):
        where, _, action = one.strip().partition("=")
        who, at, step = where.rpartition("@")
        step, _, number = step.partition(":")
        if step not in STEPS or action not in ("kill", "power") or not (number or "1").isdecimal():
            raise ValueError(f"cannot read the failpoint '{one}' (write STEP:N=kill)")
        if not at or who == process:
            left[step] = int(number or 1), action

    def passed(step: str) -> None:
        count, action = left.get(step, (0, ""))
        if not count:
            return
        left[step] = count - 1, action
        if count == 1:
            if action == "power":
                for file in _files:
                    file.forget_unsynced()
            os.kill(os.getpid(), signal.SIGKILL)

    return passed if left else None
