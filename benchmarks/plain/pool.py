"""Tiny tasks through Python's own pools of two: pool|executor CHUNKSIZE COUNT.

It tells how many there were a second.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool


def tasks(count: int) -> Iterator[bytes]:
    """So many tasks of 8 bytes."""
    for _ in range(count):
        yield b"12345678"


def same(task: bytes) -> bytes:
    """The task itself."""
    return task


def main() -> None:
    """Warm up, so that both workers are there, and measure."""
    kind, chunksize, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if kind == "pool":
        with Pool(2) as pool:
            deque(pool.imap_unordered(same, tasks(1000), chunksize=chunksize), maxlen=0)
            began_s = time.monotonic()
            deque(pool.imap_unordered(same, tasks(count), chunksize=chunksize), maxlen=0)
            took_s = time.monotonic() - began_s
    else:
        with ProcessPoolExecutor(2) as executor:
            deque(executor.map(same, tasks(1000), chunksize=chunksize), maxlen=0)
            began_s = time.monotonic()
            deque(executor.map(same, tasks(count), chunksize=chunksize), maxlen=0)
            took_s = time.monotonic() - began_s
    print(count / took_s)


if __name__ == "__main__":
    main()
