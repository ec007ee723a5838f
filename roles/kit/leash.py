"""The leash: no process of a run outlives the orchestrator, even when that is killed.

Under forkserver a child's parent is the fork server, which goes when the last copy of its "alive" pipe's
write end is closed. Children inherit a copy; so each closes its own, and asks the kernel for SIGKILL when its
parent goes. A stopped or busy child dies of that too, which no thread of its own could do.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import forkserver
from typing import Any

_PR_SET_PDEATHSIG = 1
_WATCH_EVERY_S = 0.2


def put_on() -> None:
    """Tie this process to its parent. To be called first of all, before anything that takes time."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), name="leash", daemon=True).start()
    _let_fork_server_go()
    started_by = multiprocessing.parent_process()
    if os.getppid() != parent or (started_by is not None and not started_by.is_alive()):
        os._exit(1)


def _let_fork_server_go() -> None:
    server: Any = forkserver._forkserver  # the descriptor has no public name
    alive_fd = server._forkserver_alive_fd
    if alive_fd is not None:
        os.close(alive_fd)
        server._forkserver_alive_fd = None


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(1)
