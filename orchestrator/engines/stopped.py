"""Who is stopped by a signal: what the kernel says of a process's state.

Linux only; elsewhere nobody is ever seen to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def stopped(pids: Mapping[str, int]) -> frozenset[str]:
    """The names of those that are stopped, of processes by name and number; one that is no more is passed over."""
    return frozenset(name for name, pid in pids.items() if is_stopped(pid))


def is_stopped(pid: int) -> bool:
    """Whether a process waits for SIGCONT (proc(5): its state is `T`; a tracer's stop, `t`, is over in a moment)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b") ")[2][:1] == b"T"
