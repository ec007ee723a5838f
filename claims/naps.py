"""Claims 14 and 17: work that takes its time whatever the task says, and tasks of a given size."""

from __future__ import annotations

import time
from collections.abc import Iterator


def nap(task: str, ms: float) -> int:
    """Sleep for so long; the result is the task's length."""
    time.sleep(ms / 1000)
    return len(task)


def parcels(count: int, size_bytes: int) -> Iterator[str]:
    """So many tasks of so many bytes."""
    for _ in range(count):
        yield "x" * size_bytes
