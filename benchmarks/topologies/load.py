"""The work of the topologies here: as little as can be, so that what is measured is the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, repeat


def tasks(count: int, size_bytes: int = 8) -> Iterator[bytes]:
    """So many tasks of so many bytes."""
    return repeat(b"x" * size_bytes, count)


def updates(count: int) -> Iterator[bytes]:
    """So many updates of 8 bytes on the topics a, b, c and d in turn."""
    return islice(cycle((b"a1234567", b"b1234567", b"c1234567", b"d1234567")), count)


def same(item: bytes) -> bytes:
    """The item itself."""
    return item
