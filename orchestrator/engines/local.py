"""The local engine: processes of this machine by multiprocessing, from a fork server that has everything preloaded.

The server holds no ZeroMQ context (contexts do not survive a fork) and no thread, so a fork of it is safe,
and cheap: what a role imports is in memory already.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import resource
import selectors
import signal
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import process as registry
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from orchestrator.engines.base import Clock, EngineError, Running
from orchestrator.run.events import Event, Exited, Launched, LaunchFailed
from roles.kit import forked, runtime
from roles.kit.spec import Place, ProcessSpec, encode

FILES_PER_PROCESS = 3
SPARE_FILES = 64
_PRELOADED = [
    "roles.kit.kennel",
    "roles.kit.forked",
    "roles.functions",
    *(f"roles.{name}" for name in runtime.BUILT_IN),
    "roles.kit.warmed",
]


class LocalEngine:
    """Starts role processes and the user's commands as children of a fork server."""

    name = "local"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._selector = selectors.DefaultSelector()
        self._processes: dict[str, tuple[ForkServerProcess, int, bool]] = {}
        self._news: list[Event] = []
        self._place_json = b""
        self._logs = Path()

    def open(self, place: Place, specs: Sequence[ProcessSpec]) -> None:
        """Raise the file limit as far as it takes; raises EngineError where that is not allowed."""
        self._place_json = encode(place)
        self._logs = Path(place.logs)
        tempfile.tempdir = str(Path(place.sockets).parent)  # the fork server's socket must fit there, too
        processes = len(specs)
        need = processes * FILES_PER_PROCESS + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and need > hard:
            raise EngineError(
                f"cannot start {processes} processes: they need {need} open files, and the limit is {hard} "
                f"(raise it: ulimit -n {need})"
            )
        wanted = need if hard == resource.RLIM_INFINITY else hard
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    def start(self, spec: ProcessSpec, *, incarnation: int) -> None:
        """Start a process; what it writes goes to its log."""
        log = str(self._logs / f"{spec.name}.log")
        process = self._context.Process(
            target=forked.main, args=(encode(spec), self._place_json, incarnation, log), name=spec.name
        )
        try:
            with _no_main_module(), _no_interrupts():
                process.start()
        except (OSError, EOFError) as error:
            self._news.append(LaunchFailed(at_s=self._clock(), process=spec.name, text=_why(spec, error)))
            return
        # Each start would look at every child that has ever been started; we reap them ourselves.
        registry._children.discard(process)  # type: ignore[attr-defined]
        self._processes[spec.name] = (process, incarnation, bool(spec.command))
        self._selector.register(process.sentinel, selectors.EVENT_READ, spec.name)
        self._news.append(
            Launched(at_s=self._clock(), process=spec.name, pid=process.pid or 0, incarnation=incarnation)
        )

    def adopt(self, running: Mapping[str, Running]) -> None:
        """Nothing of this engine's outlives the orchestrator that has started it."""
        if running:
            raise EngineError("cannot take over a run under the engine 'local': its processes ended with it")

    def signal(self, process: str, name: str) -> None:
        """Send a signal; a command's whole group gets it, and SIGKILL goes to every group."""
        known = self._processes.get(process)
        if known is None or known[0].pid is None:
            return
        number = signal.Signals[name]
        if known[2] or number == signal.SIGKILL:
            _signal_group(known[0].pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(known[0].pid, number)

    def fileno(self) -> int:
        """The selector's own descriptor: readable when any process has ended."""
        return self._selector.fileno()

    def poll(self) -> list[Event]:
        """What has happened since it was last asked."""
        for key, _ in self._selector.select(timeout=0):
            self._news.append(self._reap(key.data))
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """End whatever still runs."""
        for name in list(self._processes):
            self.signal(name, "SIGKILL")
        for name in list(self._processes):
            self._processes[name][0].join(timeout=5)
            self._reap(name)
        self._selector.close()

    def _reap(self, name: str) -> Exited:
        process, incarnation, _ = self._processes.pop(name)
        self._selector.unregister(process.sentinel)
        code, pid = process.exitcode, process.pid
        if pid is not None:
            _signal_group(pid, signal.SIGKILL)  # what it has started itself and left behind
        with contextlib.suppress(ValueError):
            process.close()
        died_of = signal.Signals(-code).name if code is not None and code < 0 else None
        return Exited(
            at_s=self._clock(),
            process=name,
            exit_code=None if died_of else code,
            signal=died_of,
            incarnation=incarnation,
        )


def _signal_group(pid: int, number: int) -> None:
    """A process leads a session of its own, so its number is its group's; it may not have come so far yet."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _why(spec: ProcessSpec, error: OSError | EOFError) -> str:
    if isinstance(error, EOFError):
        return f"cannot start {spec.name}: the fork server is gone (somebody has ended it)"
    hints = {
        errno.EAGAIN: " (the machine's limit of processes is reached: ulimit -u)",
        errno.EMFILE: " (the limit of open files is reached: ulimit -n)",
        errno.ENOMEM: " (there is no memory left)",
    }
    return f"cannot start {spec.name}: {error.strerror or error}{hints.get(error.errno or 0, '')}"


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Children would import the parent's main program once more, each of them; they need none of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """The fork server is started with the first process, and a Ctrl-C or a SIGTERM to the group is not meant for it.

    It keeps them blocked for good. For us they are held back and not ignored: a launch takes seconds where there are
    many, and they would be gone.
    """
    resource_tracker.ensure_running()  # it unblocks the signal when it is started; once it runs it does not
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
