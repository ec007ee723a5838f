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
from orchestrator.run.plan import Plan
from roles.kit.spec import SOCKETS_TOKEN

LONGEST_IPC_BYTES = 107
_PREFIX = "zmq-topology-"


@contextlib.contextmanager
def private_directory(plan: Plan) -> Iterator[Path]:
    """A directory for the sockets of a run of `plan`; raises EngineError where none can be made."""
    base = _base()
    _sweep(base)
    try:
        path, lock = _locked_directory(base)
    except OSError as error:
        raise EngineError(f"cannot create a directory in {base}: {error.strerror} (set TMPDIR)") from None
    try:
        _refuse_long_paths(plan, path)
        yield path
    finally:
        os.close(lock)
        shutil.rmtree(path, ignore_errors=True)


def _locked_directory(base: Path) -> tuple[Path, int]:
    """A directory of its own and the lock on it, as a file descriptor."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getuid()}-", dir=base))
        lock = os.open(path / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another run that sweeps may have been quicker with the lock; then the directory is gone by now.
        if os.fstat(lock).st_nlink:
            return path, lock
        os.close(lock)


def _base() -> Path:
    """The system's place for temporary files, unless it is so deep that sockets would not fit."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= 30 or not Path("/tmp").is_dir() else Path("/tmp")  # noqa: S108


def _refuse_long_paths(plan: Plan, path: Path) -> None:
    for link in plan.links:
        for address in link.addresses:
            size_bytes = len(address.replace(SOCKETS_TOKEN, str(path)).removeprefix("ipc://").encode())
            if address.startswith("ipc://") and size_bytes > LONGEST_IPC_BYTES:
                raise EngineError(
                    f"cannot use ipc for {link.endpoint}: its path has {size_bytes} bytes, "
                    f"{LONGEST_IPC_BYTES} is the most (give it a shorter name, or set TMPDIR to a shorter path)"
                )


def _sweep(base: Path) -> None:
    """Remove the directories of this user's runs whose orchestrator is gone: their lock is free."""
    for path in base.glob(f"{_PREFIX}{os.getuid()}-*"):
        try:
            lock = os.open(path / "lock", os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
