"""Who has been launched under supervisord: gets signals, and has its end told as soon as that is known.

The kernel tells of an end at once; how it came the log tells as soon as supervisord has looked. By itself it looks
once a second, and after any call; so it is called, until nothing is left to be told.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.engines import handles
from orchestrator.engines.handles import Handle
from orchestrator.engines.supervisord.daemon import Daemon
from orchestrator.engines.supervisord.log import UNKNOWN, DaemonLog, End
from orchestrator.engines.supervisord.rpc import Fault, Rpc

TOLD_WITHIN_S = 5.0
_ENDS_OF_A_LOOK = 100
_CALLS_AT_ONCE = 3
_CALLS_AGAIN_S = 0.01
_LOOKS_EVERY_S = 0.2
_GONE_WITHIN_S = 5.0


@dataclass(slots=True)
class _Process:
    """One that was launched. `ended_s` is when its end was seen, by a clock that nobody sets.

    `answers` are supervisord's since then: it looks for ends after each, a hundred at most, so with the second it has
    seen this one unless more are waiting.
    """

    name: str
    pid: int
    incarnation: int
    is_command: bool
    handle: Handle | None
    ended_s: float | None = None
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one incarnation of a process."""

    process: str
    incarnation: int
    how: End


class Watch:
    """Everybody who has been launched and whose end has not been told yet."""

    def __init__(self, *, daemon: Daemon, rpc: Rpc, log: DaemonLog, selector: selectors.BaseSelector) -> None:
        self._daemon = daemon
        self._rpc = rpc
        self._log = log
        self._selector = selector
        self._processes: dict[str, _Process] = {}
        self._ends: list[Ended] = []
        self._look_due_s = 0.0

    def add(self, name: str, *, pid: int, incarnation: int, is_command: bool) -> None:
        """Watch one, whatever has become of it since it was launched."""
        process = _Process(name, pid, incarnation, is_command, handle=None)
        try:
            process.handle = Handle(pid)
        except ProcessLookupError:
            self._has_ended(process)
        else:
            if process.handle.fd is not None:
                self._selector.register(process.handle.fd, selectors.EVENT_READ, process)
        self._processes[name] = process

    def add_lost(self, name: str, *, pid: int, incarnation: int) -> None:
        """Have the end told of one that is known to be gone; nobody waits for what is not in the log already."""
        process = _Process(name, pid, incarnation, is_command=False, handle=None)
        process.ended_s, process.answers = time.monotonic() - TOLD_WITHIN_S, 2
        self._processes[name] = process

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal; a command's whole group gets it, and SIGKILL goes to every group."""
        process = self._processes.get(name)
        if process is None or process.handle is None:
            return
        if process.is_command or number == signal.SIGKILL:
            process.handle.signal_group(number)
        else:
            process.handle.signal(number)

    def look(self) -> None:
        """Find out who has ended, and how; raises EngineError where supervisord has to be asked and does not answer."""
        for key, _ in self._selector.select(timeout=0):
            if isinstance(key.data, _Process):
                self._has_ended(key.data)
        if not handles.DESCRIPTORS:
            self._look_at_numbers()
        for _ in range(_CALLS_AT_ONCE):
            if not self._find_out() or self._daemon.gone():
                return
            self._call()
        # Whoever has ended makes the descriptor readable until it is told; so this is where the caller is held back.
        self._daemon.gone(within_s=_CALLS_AGAIN_S)

    def take_ends(self) -> list[Ended]:
        """The ends that have come to be known."""
        ends, self._ends = self._ends, []
        return ends

    def kill_all(self, others: Iterable[int]) -> None:
        """End them and, by their numbers, others whom somebody else has started; it takes no notice of their ends."""
        for pid in () if self._daemon.gone() else others:
            kill(pid)
        alive = [process for process in self._processes.values() if process.ended_s is None]
        for process in alive:
            self.signal(process.name, signal.SIGKILL)
        until_s = time.monotonic() + _GONE_WITHIN_S
        for process in alive:
            if process.handle is not None:
                process.handle.ended(max(0.0, until_s - time.monotonic()))
        for process in self._processes.values():
            self._let_go(process)
        self._processes.clear()

    def _has_ended(self, process: _Process) -> None:
        if process.ended_s is None:
            process.ended_s = time.monotonic()
            handles.signal_group(process.pid, signal.SIGKILL)  # what it has started itself and left behind

    def _look_at_numbers(self) -> None:
        """Where the kernel does not tell of ends: a number is gone as soon as supervisord has taken notice."""
        if time.monotonic() < self._look_due_s:
            return
        self._look_due_s = time.monotonic() + _LOOKS_EVERY_S
        self._call()
        for process in self._processes.values():
            if process.handle is not None and process.handle.ended():
                self._has_ended(process)

    def _find_out(self) -> int:
        """Look for ends in the log; how many of those that have been seen are not in it yet."""
        waiting = [process for process in self._processes.values() if process.ended_s is not None]
        if waiting:
            self._log.read()
        for process in waiting:
            end = self._log.end_of(process.name, process.pid)
            if end is None and self._will_not_be_told(process, waiting=len(waiting)):
                end = UNKNOWN
            if end is not None:
                self._let_go(self._processes.pop(process.name))
                self._ends.append(Ended(process.name, process.incarnation, end))
        return sum(process.ended_s is not None for process in self._processes.values())

    def _will_not_be_told(self, process: _Process, *, waiting: int) -> bool:
        late = time.monotonic() > (process.ended_s or 0.0) + TOLD_WITHIN_S
        return late and (process.answers > 1 + waiting // _ENDS_OF_A_LOOK or self._daemon.gone())

    def _let_go(self, process: _Process) -> None:
        if process.handle is not None:
            if process.handle.fd is not None:
                self._selector.unregister(process.handle.fd)
            process.handle.close()

    def _call(self) -> None:
        """Have supervisord look for those that have ended: whatever it is asked, it does that afterwards."""
        with contextlib.suppress(Fault):  # it is about to leave, and looks all the same
            self._rpc.call("supervisor.getState")
        for process in self._processes.values():
            process.answers += process.ended_s is not None


def kill(pid: int) -> None:
    """End a process and its group."""
    with contextlib.suppress(ProcessLookupError):
        handle = Handle(pid)
        handle.signal_group(signal.SIGKILL)
        handle.close()
