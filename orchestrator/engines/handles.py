"""Processes that are no children of ours, held so that their numbers cannot come to mean others.

On Linux by a descriptor of the process, which can be read when it has ended. Elsewhere by the number alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time


def _has_descriptors() -> bool:
    if not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def signal_name(number: int) -> str:
    """`SIGKILL`, say; real-time signals have no names of their own, and are `signal 40`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


DESCRIPTORS = _has_descriptors()
_LOOK_EVERY_S = 0.02


class Handle:
    """One process. Raises ProcessLookupError where there is none of that number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd: int | None = None
        if DESCRIPTORS:
            self.fd = os.pidfd_open(pid)
        else:
            os.kill(pid, 0)

    def signal(self, number: int) -> None:
        """Send it a signal; passed over where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            if self.fd is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(self.fd, number)

    def signal_group(self, number: int) -> None:
        """Send a signal to the group that it leads, or to itself where it has not come so far yet."""
        if not signal_group(self.pid, number) or number == signal.SIGKILL:
            self.signal(number)

    def ended(self, within_s: float = 0.0) -> bool:
        """Whether it has ended, or does so in time."""
        if self.fd is not None:
            poller = select.poll()
            poller.register(self.fd, select.POLLIN)
            return bool(poller.poll(within_s * 1000))
        until_s = time.monotonic() + within_s
        while _exists(self.pid):
            if time.monotonic() >= until_s:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def close(self) -> None:
        """Let go of it."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def signal_group(pid: int, number: int) -> bool:
    """Send a signal to a group by its leader's number; False where nobody is in it."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
