"""The work of the topologies here: as little as can be, so that what is measured is the way to it."""

from __future__ import annotations

import time
from collections.abc import Iterator


def tasks(count: int, size_bytes: int = 8) -> Iterator[bytes]:
    """So many tasks of so many bytes."""
    payload = b"x" * size_bytes
    for _ in range(count):
        yield payload


def updates(count: int) -> Iterator[bytes]:
    """So many updates of 8 bytes on the topics a, b, c and d in turn."""
    four = (b"a1234567", b"b1234567", b"c1234567", b"d1234567")
    for number in range(count):
        yield four[number % 4]


def nap(item: bytes, task_ms: float) -> bytes:
    """The item itself, after a while."""
    time.sleep(task_ms / 1000)
    return item


def same(item: bytes) -> bytes:
    """The item itself."""
    return item
