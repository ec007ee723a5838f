"""What the kernel says of processes (proc(5)): who is stopped by a signal, and who has work.

Linux only; elsewhere nobody is ever seen to be either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path


def stopped(pids: Mapping[str, int]) -> frozenset[str]:
    """The names of those that are stopped, of processes by name and number; one that is no more is passed over."""
    return frozenset(name for name, pid in pids.items() if is_stopped(pid))


def awake(pids: Mapping[str, int]) -> frozenset[str]:
    """The names of those of which any thread runs, could run if it had a processor, or waits for a disk."""
    return frozenset(name for name, pid in pids.items() if any(state in "RD" for state in _of_threads(pid)))


def is_stopped(pid: int) -> bool:
    """Whether a process waits for SIGCONT: its state is `T`; a tracer's stop, `t`, is over in a moment."""
    return _state(Path(f"/proc/{pid}/stat")) == "T"


def _of_threads(pid: int) -> Iterator[str]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for thread in threads:
        yield _state(thread / "stat")


def _state(path: Path) -> str:
    """The letter of a state; `X`, dead, where there is nobody any more."""
    try:
        stat = path.read_bytes()
    except OSError:
        return "X"
    return stat.rpartition(b") ")[2][:1].decode("ascii", "replace")
