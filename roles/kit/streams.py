"""The standard streams of a role process: nothing to read, and what it writes goes out line by line.

A log that cannot be written must not stop the work: what finds no room is dropped, and counted.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class Spillway(io.FileIO):
    """A file descriptor to which anything can be written; `dropped_bytes` counts what the system would not take."""

    dropped_bytes = 0

    def write(self, data: Any) -> int:
        """Write what can be written; the rest is taken, too."""
        try:
            written = super().write(data)
        except OSError:
            written = None
        if written is None:
            size_bytes = memoryview(data).nbytes
            Spillway.dropped_bytes += size_bytes
            return size_bytes
        return written


def write_to(path: str) -> None:
    """Send standard output and error to the end of a file; nowhere, where it cannot be opened."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError:
        log = os.open(
            os.devnull, os.O_RDONLY | os.O_CLOEXEC
        )  # whoever writes there is refused, and it is counted
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    by_line()


def by_line() -> None:
    """Write line by line to where standard output and error go, whatever characters come; read nothing."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as the process
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.BufferedWriter(Spillway(fd, "w", closefd=False))
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
