"""Which limit has been reached: to libzmq, too many sockets of a context and too many files are one error."""

from __future__ import annotations

import contextlib
import errno
import resource
from pathlib import Path

import zmq


def which(error: BaseException, context: zmq.Context[zmq.Socket[bytes]]) -> str:
    """What to say of an error that is about a limit; empty where it is about none."""
    if not isinstance(error, OSError | zmq.ZMQError) or error.errno != errno.EMFILE:
        return ""
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    files = _open_files()
    if isinstance(error, zmq.ZMQError) and files is not None and files < most_files - 1:
        return (
            f"the context has as many sockets as it may, {context.get(zmq.MAX_SOCKETS):,}, and it is not the limit of "
            f"open files: {files:,} of {most_files:,} (close some, or share them out over more replicas)"
        )
    return f"the limit of {most_files:,} open files is reached (raise it: ulimit -n)"


def _open_files() -> int | None:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return len(list(Path(folder).iterdir()))
    return None
