"""The journal, `events.jsonl`: every event of a run but its progress, one a line."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from orchestrator.run.events import Known, Progress

MOST_WAITING = 10_000
"""So many events wait for room on the disk; more are not kept."""

_decoder: msgspec.json.Decoder[Known] = msgspec.json.Decoder(Known)


class JournalError(Exception):
    """The journal cannot be read."""


class Journal:
    """An observer that writes each event as it comes; it never raises, `fault` tells what is wrong."""

    def __init__(self, path: Path, *, goes_on: bool = False) -> None:
        """Begin a new file, or where the record `goes_on` add to one that is mended.

        Raises OSError where that cannot be done, FileExistsError where there is one already.
        """
        self._file = path.open("ab" if goes_on else "xb", buffering=0)
        self._encoder = msgspec.json.Encoder(enc_hook=str)
        self._size_bytes = path.stat().st_size
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self.fault: str | None = None

    def __call__(self, event: Known) -> None:
        """Write one event, at once. What finds no room waits for some, and the next one is written after it."""
        if isinstance(event, Progress):
            return
        try:
            self._waiting.append(self._encoder.encode(event) + b"\n")
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()
        except (OSError, ValueError, TypeError, msgspec.MsgspecError) as fault:
            self.fault = str(fault)
            if not isinstance(fault, OSError):  # the event itself cannot be written
                self._lost += 1
            while len(self._waiting) > MOST_WAITING:
                self._waiting.pop()
                self._lost += 1
        else:
            self.fault = f"{self._lost:,} events are missing in it" if self._lost else None

    def _write(self, line: bytes) -> None:
        """Write a line whole or not at all: a disk that is almost full takes part of it."""
        left = memoryview(line)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._size_bytes)
            raise
        self._size_bytes += len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decode_event(line: bytes) -> Known:
    """The event in one line; raises msgspec.MsgspecError or UnicodeDecodeError where it is none."""
    return _decoder.decode(line)


def mend_journal(path: Path) -> None:
    """Take away a torn last line, of an orchestrator that was killed as it wrote; raises OSError."""
    with path.open("r+b") as file:
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)


def read_journal(path: Path) -> list[Known]:
    """The events in a journal. A torn last line, of an orchestrator that was killed as it wrote, is left out.

    Raises JournalError, naming file and line, where it cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as fault:
        raise JournalError(f"cannot read {path}: {fault.strerror} (name the directory of a run)") from fault
    events: list[Known] = []
    torn = lines.pop()
    for number, line in enumerate(lines, start=1):
        events.append(_event(line, path=path, number=number))
    if torn:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            events.append(decode_event(torn))
    return events


def _event(line: bytes, *, path: Path, number: int) -> Known:
    try:
        return decode_event(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise JournalError(
            f"cannot read {path}: line {number} is no event of this version ({fault})"
        ) from fault
