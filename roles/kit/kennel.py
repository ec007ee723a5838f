"""The leash of the fork server and of its children's first moments; preloaded by the server, of use to nobody else.

The server's own way to end, an "alive" pipe, fails as long as any child holds a copy of its write end, and a child
that has been stopped before it could close its copy holds it for ever. So the server asks the kernel for SIGKILL
when the orchestrator goes, and each child asks for the same as the first thing after the fork. The server waits
for that before it tells anyone the child's number, so nobody can stop a child that has no leash yet.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LONGEST_WAIT_MS = 2000


class Kennel:
    """The hooks that the server runs around each of its forks."""

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._server = os.getpid()
        self._reader = self._writer = -1

    def tie(self) -> None:
        """Tie the server to the orchestrator, and from now on its children to the server."""
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.register_at_fork(
            before=self._before, after_in_parent=self._in_server, after_in_child=self._in_child
        )

    def _before(self) -> None:
        if os.getpid() == self._server:  # a role that forks on its own account has these hooks too
            self._reader, self._writer = os.pipe()

    def _in_server(self) -> None:
        if self._reader < 0:
            return
        os.close(self._writer)
        poller = select.poll()
        poller.register(self._reader, select.POLLIN)
        poller.poll(_LONGEST_WAIT_MS)
        os.close(self._reader)
        self._reader = -1

    def _in_child(self) -> None:
        if self._reader < 0:
            return
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._server:
            os._exit(1)
        os.close(self._reader)
        os.close(self._writer)
        self._reader = -1


def in_fork_server() -> bool:
    """Whether this process is multiprocessing's fork server, or was forked from it."""
    return any("multiprocessing.forkserver" in argument for argument in sys.orig_argv)


def lead_a_session() -> None:
    """Put this process, and all that will be forked from it, out of the terminal's reach, into one session of its own.

    One for all, since Linux shares out processors among sessions first (sched(7), autogroup). Where each process had
    its own, those of a pipeline took 20 % more processor time for each message: whoever wakes another is preempted.
    """
    with contextlib.suppress(PermissionError):  # it leads a group already
        os.setsid()


if sys.platform == "linux" and in_fork_server():
    lead_a_session()
    Kennel().tie()
