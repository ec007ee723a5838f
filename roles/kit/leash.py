"""The leash: no process of a run outlives the orchestrator, even when that is killed.

Under forkserver a child's parent is the fork server, which goes when the last copy of its "alive" pipe's
write end is closed. Children inherit a copy; so each closes its own, and asks the kernel for SIGKILL when its
parent goes. A stopped or busy child dies of that too, which no thread of its own could do.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from multiprocessing import forkserver
from typing import Any

_PR_SET_PDEATHSIG = 1
_SIGKILL = int(signal.SIGKILL)
_WATCH_EVERY_S = 0.2
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def put_on() -> None:
    """Tie this process to its parent. To be called first of all, before anything that takes time."""
    parent = os.getppid()
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), name="leash", daemon=True).start()
    _let_fork_server_go()
    if os.getppid() != parent or _orchestrator_is_gone():
        os._exit(1)


def _orchestrator_is_gone() -> bool:
    """Its end of a pipe to this process is closed then. `is_alive` tells the same, and takes a selector to do so."""
    started_by = multiprocessing.parent_process()
    if started_by is None:
        return False
    poller = select.poll()
    poller.register(started_by.sentinel, select.POLLIN)
    return bool(poller.poll(0))


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
