"""What supervisord's own log tells: who was started under which number, and how each has ended.

Its calls tell neither the signal that has ended a process nor, after a quick end, its number; and nothing at all while
it shuts down. The log tells everything, in order, as soon as supervisord has seen it.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

_LINE = re.compile(
    r"\S+ \S+ \S+ (?:"
    r"spawned: '(?P<spawned>[^']+)' with pid (?P<pid>\d+)"
    r"|(?:exited|stopped): (?P<ended>\S+) "
    r"\((?:exit status (?P<status>\d+)|terminated by (?P<signal>SIG\w+|signal \d+))?"
    r")"
)
_CHUNK_BYTES = 1 << 16


class End(NamedTuple):
    """How a process has ended: by an exit code, by a signal, or in a way that nobody knows."""

    exit_code: int | None
    signal: str | None


UNKNOWN = End(None, None)


class DaemonLog:
    """The log of one supervisord from its beginning on, read as it grows and is put away by size.

    `running` has the number of each process that was started and has not ended.
    """

    def __init__(self, path: Path) -> None:
        self.running: dict[str, int] = {}
        self.last_line = ""
        self._path = path
        self._ends: dict[tuple[str, int | None], End] = {}
        self._file: int | None = None
        self._rest = b""
        self._started: dict[str, int] = {}
        for old in sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=_age, reverse=True):
            self._take_in(old.read_bytes())

    def read(self) -> dict[str, int]:
        """Take in what has come since; the numbers of those that were started meanwhile."""
        while self._file is not None or self._open():
            assert self._file is not None
            put_away = self._is_put_away(self._file)
            while data := os.read(self._file, _CHUNK_BYTES):
                self._take_in(data)
            if not put_away:
                break
            self.close()
        started, self._started = self._started, {}
        return started

    def end_of(self, process: str, pid: int) -> End | None:
        """How that process of that number has ended, told once; None where it has not, as far as is known."""
        return self._ends.pop((process, pid), None) or self._ends.pop((process, None), None)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True

    def _is_put_away(self, file: int) -> bool:
        """Whether the name means another file by now; then nothing more is written to this one."""
        try:
            return not os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return False

    def _take_in(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._note(line.decode(errors="replace"))

    def _note(self, line: str) -> None:
        self.last_line = line or self.last_line
        found = _LINE.match(line)
        if found is None:
            return
        if started := found["spawned"]:
            self.running[started] = self._started[started] = int(found["pid"])
            return
        status, name = found["status"], found["signal"]
        end = End(int(status) if status else None, _usual(name) if name else None)
        self._ends[found["ended"], self.running.pop(found["ended"], None)] = end


def _age(path: Path) -> int:
    return int(path.suffix.removeprefix("."))


def _usual(name: str) -> str:
    """The name that Python prefers, of those that a signal has."""
    return signal.Signals[name].name if name in signal.Signals.__members__ else name
