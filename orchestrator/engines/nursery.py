"""The fork server of the local engine, and how a process is asked for.

The server is multiprocessing's. On Linux it is started as soon as it is known that there will be processes, so that it
loads what they need while the orchestrator itself is still being loaded; and nobody waits for a child's number: it
comes, as the child's end does, over the pipe that there is for each.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
import types
from collections.abc import Iterator
from multiprocessing import forkserver, popen_forkserver, reduction, resource_tracker, util
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_PRELOADED = ["roles.kit.kennel", "roles.kit.warmed"]
_server: Any = forkserver._forkserver  # its number and its descriptors have no public names


def get_ready(folder: Path) -> None:
    """Start the fork server, its socket in `folder`, and wait for nothing; its limit of files is raised later."""
    if not hasattr(resource, "prlimit"):
        return
    place_socket(folder)
    with (
        _no_interrupts(),
        contextlib.suppress(OSError),
    ):  # who cannot start it now is told so at the first launch
        forkserver.ensure_running()


def place_socket(folder: Path) -> None:
    """Have the server's own socket in `folder`: it must fit into the length of an address, whatever TMPDIR says."""
    tempfile.tempdir = str(folder)


def raise_limit(wanted: int, hard: int) -> None:
    """Let this process, and the fork server if it runs already, open so many files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if _server._forkserver_pid is not None and hasattr(resource, "prlimit"):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(_server._forkserver_pid, resource.RLIMIT_NOFILE, (wanted, hard))


class OrderedProcess(ForkServerProcess):
    """A process that is told what to be by a message, and not by a pickle of this object."""

    def __init__(self, *, name: str, message: bytes) -> None:
        super().__init__(name=name)
        self.message = message

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802, ANN401 - the name and the types are multiprocessing's
        return _Asked(process_obj)


class _Asked(popen_forkserver.Popen):
    """As its base, but that it does not wait for the child's number."""

    def _launch(self, process_obj: Any) -> None:  # noqa: ANN401 - the types are multiprocessing's
        self.pid: Any = None
        self.sentinel, writer = _ask()
        ours = os.dup(writer)  # as long as the child can see this end, the orchestrator lives
        self.finalizer = util.Finalize(self, _close, (ours, self.sentinel))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(process_obj.message)


def start(process: ForkServerProcess) -> None:
    """Ask the server for a process; raises OSError or EOFError where it cannot be had."""
    with _no_interrupts(), _no_main_module():
        process.start()


def _ask() -> tuple[int, int]:
    """Have the server fork: where it tells of the child, and where the child is told what to be.

    `forkserver.connect_to_new_process` does the same, and each time asks two other processes first whether they live.
    """
    tracker = resource_tracker._resource_tracker._fd  # type: ignore[attr-defined]
    if _server._forkserver_alive_fd is None or tracker is None:
        return forkserver.connect_to_new_process([])
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(_server._forkserver_address)
        except ConnectionRefusedError:  # it has died, and a new one is to be started
            return forkserver.connect_to_new_process([])
        told, child_w = os.pipe()
        child_r, telling = os.pipe()
        try:
            reduction.sendfds(client, [child_r, child_w, _server._forkserver_alive_fd, tracker])
        except OSError:
            _close(told, telling)
            raise
        finally:
            _close(child_r, child_w)
    return told, telling


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def read_number(process: ForkServerProcess) -> int:
    """The number of a process of which the server has told; raises EOFError where the server is gone."""
    popen: Any = process._popen  # type: ignore[attr-defined]
    popen.pid = forkserver.read_signed(popen.sentinel)
    return int(popen.pid)


def read_exit_code(process: ForkServerProcess) -> int | None:
    """How a process has ended, of which the server has told; less than 0 for a signal; 255 where the server is gone."""
    popen: Any = process._popen  # type: ignore[attr-defined]
    if (
        popen.returncode is None
    ):  # the property would make a selector to see whether there is anything to read
        try:
            popen.returncode = forkserver.read_signed(popen.sentinel)
        except (OSError, EOFError):
            popen.returncode = 255
    return process.exitcode


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """The fork server is started in here, and a Ctrl-C or a SIGTERM to the group is not meant for it.

    It keeps them blocked for good. For us they are held back and not ignored: a launch takes seconds where there are
    many, and they would be gone.
    """
    if _server._forkserver_pid is None:
        multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
        resource_tracker.ensure_running()  # it unblocks the signals when it is started; once it runs it does not
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Children would import the parent's main program once more, each of them; they need none of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
