"""The program that supervisord runs in, started by its path: it ties supervisord's children to supervisord.

And supervisord to who owns it, or to nobody. The kernel is asked, in each child as the first thing after the fork, for
SIGKILL when its parent goes: a stopped or busy process dies of that too, and one that has not even begun to be Python.
A child keeps it when it becomes another program.

It imports nothing of ours: supervisord needs none of it, and whoever waits for it waits for its imports.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_WATCH_EVERY_S = 0.2
_LONGEST_WAIT_MS = 2000


def main(owner: int, config: str) -> None:
    """Be supervisord, as a child of `owner`; 0 means of nobody, and then its process number is printed first."""
    if not owner:
        _leave_parent()
    elif sys.platform == "linux":
        _set_death_signal(signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(owner,), name="leash", daemon=True).start()
    if owner and os.getppid() != owner:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    if sys.platform == "linux":
        Forks().tie()
    sys.argv = ["supervisord", "-c", config]
    from supervisor import supervisord  # type: ignore[import-untyped]  # noqa: PLC0415 - the leash comes first

    supervisord.main(sys.argv[1:])


def _leave_parent() -> None:
    """Become a child of nobody who waits; the parent learns the number from standard output, which is ours no more."""
    child = os.fork()
    if child:
        os.write(1, b"%d" % child)
        os._exit(0)
    os.dup2(2, 1)


class Forks:
    """Hooks around each fork of supervisord. It does not go on before the child has its leash.

    So nobody learns the child's number, and can stop it, before that: one that is stopped without a leash would stay.
    """

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._reader = self._writer = -1

    def tie(self) -> None:
        """Have them called from now on."""
        os.register_at_fork(
            before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child
        )

    def _before(self) -> None:
        self._reader, self._writer = os.pipe()

    def _in_parent(self) -> None:
        os.close(self._writer)
        poller = select.poll()
        poller.register(self._reader, select.POLLIN)
        poller.poll(_LONGEST_WAIT_MS)  # until the child's end is closed, too
        os.close(self._reader)

    def _in_child(self) -> None:
        _set_death_signal(signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(1)
        os.close(self._reader)
        os.close(self._writer)


def _set_death_signal(number: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)


def _watch(owner: int) -> None:
    while os.getppid() == owner:
        time.sleep(_WATCH_EVERY_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
