"""Files of records that are only appended to, and that outlive their process: the ledgers of acknowledged delivery.

A record is its length and a checksum, four bytes each, and then its bytes. What was cut off in the middle of a record
by a death is cut away at the next opening.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from roles.kit import failpoints

_HEAD: Final = struct.Struct("<II")
COMPACT_FROM_BYTES: Final = 4_000_000
"""A ledger that is smaller is not worth compacting."""


class File:
    """A file that is appended to; it can be synced, and cut. `size_bytes` is its length, what is buffered included."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.size_bytes = self._synced_bytes = os.fstat(self._fd).st_size
        self._buffer: list[bytes] = []
        failpoints.watch(self)

    def write(self, data: bytes) -> None:
        """Append, by the next `flush` at the latest."""
        self._buffer.append(data)
        self.size_bytes += len(data)

    def flush(self) -> None:
        """Hand all to the system, so that it outlives this process; raises OSError where the disk is full."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        while data:
            data = data[os.write(self._fd, data) :]

    def sync(self) -> None:
        """Have all on the disk, so that it outlives a loss of power."""
        self.flush()
        if self._synced_bytes != self.size_bytes:
            _sync(self._fd)
            self._synced_bytes = self.size_bytes

    def cut(self, size_bytes: int) -> None:
        """Forget what comes after so many bytes."""
        self.flush()
        os.ftruncate(self._fd, size_bytes)
        self.size_bytes = size_bytes
        self._synced_bytes = min(self._synced_bytes, size_bytes)

    def forget_unsynced(self) -> None:
        """Be as after a loss of power."""
        os.ftruncate(self._fd, min(self._synced_bytes, os.fstat(self._fd).st_size))

    def close(self) -> None:
        """Hand over what is left, and close."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._fd < 0


class Ledger:
    """A file of records. `records` are those that it had when it was opened."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = File(path)
        self.records, whole_bytes = _records(path.read_bytes())
        if whole_bytes != self._file.size_bytes:
            self._file.cut(whole_bytes)
        self._compact_from_bytes = COMPACT_FROM_BYTES

    def append(self, record: bytes) -> None:
        """Append a record, which then outlives this process; raises OSError where the disk is full."""
        self._file.write(_framed(record))
        self._file.flush()

    def sync(self) -> None:
        """Have all records outlive a loss of power."""
        self._file.sync()

    @property
    def wants_compaction(self) -> bool:
        """Whether it has grown so much that one record for all is worth writing."""
        return self._file.size_bytes >= self._compact_from_bytes

    def compact(self, records: Iterable[bytes]) -> None:
        """Put these records in the place of all: whoever opens it finds either the old ones or these."""
        path = self._file.path
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        file = File(fresh)
        for record in records:
            file.write(_framed(record))
        file.sync()
        fresh.replace(path)
        file.path = path
        _sync_folder(path.parent)
        self._file.close()
        self._file = file
        self._compact_from_bytes = max(COMPACT_FROM_BYTES, 4 * file.size_bytes)


def _framed(record: bytes) -> bytes:
    return _HEAD.pack(len(record), zlib.crc32(record)) + record


def _records(data: bytes) -> tuple[list[bytes], int]:
    """The whole records at the beginning of `data`, and where they end."""
    records, at = [], 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(record) != length or zlib.crc32(record) != checksum:
            break
        records.append(record)
        at += _HEAD.size + length
    return records, at


def _sync(fd: int) -> None:
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
