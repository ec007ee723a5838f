"""What roles print, read from their log files while they write them.

supervisord puts a log away by size: `NAME.log` becomes `NAME.log.1`, that `NAME.log.2`, and a new `NAME.log` begins,
wherever a line may stand. Read here, they are one log.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cells import printable

_CHUNK_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 64 * 1024
_REST_BYTES = 1024 * 1024
_MOST_PUT_AWAY = 9

_File = tuple[int, int]
"""By which a file is known whatever its name: device and inode."""


@dataclass(slots=True)
class _Place:
    """How far a log has been read: in which file, where, and what of a line is there. No `file` is whichever comes."""

    file: _File | None = None
    offset: int = 0
    pending: bytes = b""


class LogTail:
    """Gives, process by process, the lines appended to `FOLDER/PROCESS.log` since it was last asked.

    Lines are whole, without their ends, and printable: control characters but tabs are escaped. A log that
    does not exist is empty; one that has been put away is read to its end before the next. Raises OSError where a log
    cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        """Follow the logs in `folder`."""
        self._folder = folder
        self._places: dict[str, _Place] = {}

    def read(self, process: str) -> list[str]:
        """The whole lines that have been added; a line without an end waits for it."""
        place = self._places.setdefault(process, _Place())
        self._take(process, place)
        *lines, place.pending = place.pending.split(b"\n")
        if len(place.pending) > _LONGEST_LINE_BYTES:
            lines.append(place.pending)
            place.pending = b""
        return [_text(line) for line in lines]

    def rest(self, process: str) -> list[str]:
        """All that is left of a process that has ended; of very much, the beginning and how much follows."""
        place = self._places.setdefault(process, _Place())
        left_bytes = _REST_BYTES
        while left_bytes > 0 and (taken_bytes := self._take(process, place)):
            left_bytes -= taken_bytes
        *lines, last = place.pending.split(b"\n")
        place.pending = b""
        texts = [_text(line) for line in [*lines, *([last] if last else [])]]
        passed_bytes = 0
        while more_bytes := self._take(process, place, passing=True):
            passed_bytes += more_bytes
        place.pending = b""
        if passed_bytes:
            texts.append(f"… {passed_bytes:,} bytes more in its log")
        return texts

    def last(self, process: str, lines: int) -> list[str]:
        """The last so many whole lines; what comes after them is then read from there."""
        data, place = _end_of(self._path(process), lines)
        *whole, place.pending = data.split(b"\n")
        self._places[process] = place
        return [_text(line) for line in whole[-lines:]] if lines else []

    def _take(self, process: str, place: _Place, *, passing: bool = False) -> int:
        """Append a chunk to what is pending, or pass all of a file; the number of bytes that there were."""
        path = self._path(process)
        while True:
            taken_bytes = _go_on(path, place, passing=passing)
            if taken_bytes is not None:
                return taken_bytes
            taken_bytes = _finish(path, place, passing=passing)
            if taken_bytes:
                return taken_bytes

    def _path(self, process: str) -> Path:
        return self._folder / f"{process}.log"


def _go_on(path: Path, place: _Place, *, passing: bool) -> int | None:
    """Take what has been added to a file; None where it is not the one that has been read so far."""
    try:
        if place.file is not None:
            found = path.stat()
            if _known(found) == place.file and found.st_size == place.offset:
                return 0
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if place.file is None:
                place.file = _known(found)
            if _known(found) != place.file or found.st_size < place.offset:
                return None
            if passing:
                taken_bytes, place.offset = found.st_size - place.offset, found.st_size
                return taken_bytes
            file.seek(place.offset)
            data = file.read(_CHUNK_BYTES)
    except FileNotFoundError:
        return 0  # not there yet, or the new one after one that has just been put away
    place.offset += len(data)
    place.pending += data
    return len(data)


def _finish(path: Path, place: _Place, *, passing: bool) -> int:
    """Take what is left in the file that has been put away, or go on to the one after it."""
    after = _stat(path)
    for old in _put_away(path):
        found = _stat(old)
        if found is None:
            continue
        if _known(found) == place.file:
            taken_bytes = _go_on(old, place, passing=passing)
            if taken_bytes:
                return taken_bytes
            break
        after = found
    else:
        after = _stat(path)
        if place.pending:
            place.pending += b"\n"  # somebody has cleared the log, and its last line has no end
    place.file, place.offset = None if after is None else _known(after), 0
    return 0


def _put_away(path: Path) -> Iterator[Path]:
    """The names of what may have been put away of a log, the youngest first; there may be gaps for a moment."""
    return (path.with_name(f"{path.name}.{number}") for number in range(1, _MOST_PUT_AWAY + 1))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _known(found: os.stat_result) -> _File:
    return found.st_dev, found.st_ino


def last_lines(path: Path, *, lines: int = 10) -> list[str]:
    """The last lines of a log, printable; none where it cannot be read."""
    try:
        data, _ = _end_of(path, lines)
    except OSError:
        return []
    return [_text(line) for line in data.rstrip(b"\n").split(b"\n")[-lines:]] if data.strip() else []


def _end_of(path: Path, lines: int) -> tuple[bytes, _Place]:
    """The end of a log, with so many whole lines at least if it has them, and the place after it."""
    place, blocks = _Place(), list[bytes]()
    left_lines, left_bytes = lines, (lines + 1) * _LONGEST_LINE_BYTES
    for file, end, block in _backwards(path):
        if place.file is None:
            place.file, place.offset = file, end
        blocks.append(block)
        left_lines -= block.count(b"\n")
        left_bytes -= len(block)
        if left_lines < 0 or left_bytes <= 0:
            break
    return b"".join(reversed(blocks)), place


def _backwards(path: Path) -> Iterator[tuple[_File, int, bytes]]:
    """A log's blocks from its end back to its beginning, each with its file and where in that it ends."""
    seen: set[_File] = set()
    for part in (path, *_put_away(path)):
        try:
            file = part.open("rb")
        except FileNotFoundError:
            continue
        with file:
            found = os.fstat(file.fileno())
            if _known(found) in seen:
                continue  # it was put away just now
            seen.add(_known(found))
            end = found.st_size
            if not end:
                yield _known(found), 0, b""
            while end:
                begin = max(0, end - _LONGEST_LINE_BYTES)
                file.seek(begin)
                yield _known(found), end, file.read(end - begin)
                end = begin


def _text(line: bytes) -> str:
    return printable(line.removesuffix(b"\r").decode("utf-8", "backslashreplace"))
