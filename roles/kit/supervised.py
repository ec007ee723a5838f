"""How a process begins that supervisord starts: a fresh interpreter, in the run's private directory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from roles.kit import errand, runtime, streams

WAITS_S = 30.0
_LOOKS_EVERY_S = 0.02
_WATCHES_EVERY_S = 0.2


def main(name: str) -> NoReturn:
    """Be the process of that name, as soon as there is something for it to do."""
    parent = os.getppid()
    if sys.platform != "linux":  # there supervisord's children have their leash from the fork on
        threading.Thread(target=_watch, args=(parent,), name="leash", daemon=True).start()
    # It leads a group of its own, but a terminal's Ctrl-C is not the only one; and what was ignored stays so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    streams.by_line()
    todo = _await_errand(name, parent)
    if os.getppid() != todo.parent:
        os._exit(1)
    runtime.be(todo.process, todo.place, todo.incarnation)


def _await_errand(name: str, parent: int) -> errand.Errand:
    """It is there by now, unless somebody else than the orchestrator has started this process."""
    until_s = time.monotonic() + WAITS_S
    while True:
        found = errand.take(Path.cwd(), name)
        if found is not None:
            return found
        if os.getppid() != parent or parent == 1:
            os._exit(1)
        if time.monotonic() > until_s:
            print(
                f"cannot run {name}: nobody has told it what to do within {WAITS_S:g} s "
                "(its orchestrator starts it; supervisorctl alone cannot)",
                file=sys.stderr,
            )
            sys.exit(1)
        time.sleep(_LOOKS_EVERY_S)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCHES_EVERY_S)
    os._exit(1)
