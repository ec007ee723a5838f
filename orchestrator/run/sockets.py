"""The private directory of a run: sockets and slots, short of name, 0700, gone afterwards.

ipc paths end at 107 bytes, so it cannot lie in the run directory. A run that was killed leaves its own
behind; the next one that starts sweeps it away, which a lock on it makes safe.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.engines.base import EngineError
from orchestrator.run import live
from orchestrator.run.plan import Plan
from orchestrator.topology.addresses import LONGEST_IPC_BYTES
from roles.kit.spec import SOCKETS_TOKEN

_LOCK = "lock"


@contextlib.contextmanager
def private_directory(plan: Plan) -> Iterator[Path]:
    """A directory for the sockets of a run of `plan`; raises EngineError where none can be made."""
    path, lock = make_private_directory(plan)
    try:
        yield path
    finally:
        os.close(lock)
        shutil.rmtree(path, ignore_errors=True)


def make_private_directory(plan: Plan) -> tuple[Path, int]:
    """A new directory, and the lock by which it is ours, as a file descriptor; raises EngineError where it cannot be.

    As long as the lock is held, or supervisord listens there, nobody takes it for one that was left behind.
    """
    where = live.base()
    _sweep()
    try:
        path, lock = _locked_directory(where)
    except OSError as error:
        raise EngineError(f"cannot create a directory in {where}: {error.strerror} (set TMPDIR)") from None
    try:
        _refuse_long_paths(plan, path)
    except EngineError:
        os.close(lock)
        shutil.rmtree(path, ignore_errors=True)
        raise
    return path, lock


def lock_directory(path: Path) -> int:
    """The lock on a directory that somebody else has made for us; raises OSError where it is gone or not ours."""
    lock = os.open(path / _LOCK, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _locked_directory(where: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{live.PREFIX}{os.getuid()}-", dir=where))
        lock = os.open(path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another run that sweeps may have been quicker with the lock; then the directory is gone by now.
        if os.fstat(lock).st_nlink:
            return path, lock
        os.close(lock)


def _refuse_long_paths(plan: Plan, path: Path) -> None:
    for link in plan.links:
        for address in link.addresses:
            size_bytes = len(address.replace(SOCKETS_TOKEN, str(path)).removeprefix("ipc://").encode())
            if address.startswith("ipc://") and size_bytes > LONGEST_IPC_BYTES:
                raise EngineError(
                    f"cannot use ipc for {link.endpoint}: its path has {size_bytes} bytes, "
                    f"{LONGEST_IPC_BYTES} is the most (give it a shorter name, or set TMPDIR to a shorter path)"
                )


def _sweep() -> None:
    """Remove the directories of this user's runs whose orchestrator is gone, and supervisord with it."""
    for path in live.private_directories():
        try:
            lock = os.open(path / _LOCK, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            if not live.listens(
                path / live.SUPERVISOR_SOCKET
            ):  # a service's coordinator may be on its way back
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
