"""What roles print, read from their log files while they write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.cells import printable

_CHUNK_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 64 * 1024
_REST_BYTES = 1024 * 1024


@dataclass(slots=True)
class _Place:
    offset: int = 0
    pending: bytes = b""


class LogTail:
    """Gives, process by process, the lines appended to `FOLDER/PROCESS.log` since it was last asked.

    Lines are whole, without their ends, and printable: control characters but tabs are escaped. A log that
    does not exist is empty. Raises OSError where a log cannot be read.
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
        limit = place.offset + _REST_BYTES
        while place.offset < limit and self._take(process, place):
            pass
        *lines, last = place.pending.split(b"\n")
        place.pending = b""
        texts = [_text(line) for line in [*lines, *([last] if last else [])]]
        left_bytes = self._size(process) - place.offset
        if left_bytes > 0:
            place.offset += left_bytes
            texts.append(f"… {left_bytes:,} bytes more in its log")
        return texts

    def _take(self, process: str, place: _Place) -> int:
        """Append a chunk to what is pending; the number of bytes that there were."""
        if self._size(process) <= place.offset:
            return 0
        with self._path(process).open("rb") as file:
            file.seek(place.offset)
            data = file.read(_CHUNK_BYTES)
        place.offset += len(data)
        place.pending += data
        return len(data)

    def _size(self, process: str) -> int:
        try:
            return self._path(process).stat().st_size
        except FileNotFoundError:
            return 0

    def _path(self, process: str) -> Path:
        return self._folder / f"{process}.log"


def last_lines(path: Path, *, lines: int = 10) -> list[str]:
    """The last lines of a log, printable; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LONGEST_LINE_BYTES))
            data = file.read()
    except OSError:
        return []
    return [_text(line) for line in data.rstrip(b"\n").split(b"\n")[-lines:]] if data.strip() else []


def _text(line: bytes) -> str:
    return printable(line.removesuffix(b"\r").decode("utf-8", "backslashreplace"))
