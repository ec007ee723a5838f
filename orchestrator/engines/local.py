"""The local engine: processes of this machine by multiprocessing, from a fork server that has everything preloaded.

The server holds no ZeroMQ context (contexts do not survive a fork) and no thread, so a fork of it is safe,
and cheap: what a role imports is in memory already.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import selectors
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import process as registry
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from orchestrator.engines import nursery
from orchestrator.engines.base import Clock, EngineError, Running
from orchestrator.engines.files import refuse_hungry
from orchestrator.engines.handles import signal_name
from orchestrator.run.events import Event, Exited, Launched, LaunchFailed
from roles.kit import forked
from roles.kit.spec import Place, ProcessSpec, encode

FILES_PER_PROCESS = 3
SPARE_FILES = 64


@dataclass(slots=True, kw_only=True)
class _Child:
    """A process that was asked for; `pid` is None until the fork server has told it."""

    process: ForkServerProcess
    incarnation: int
    is_command: bool
    pid: int | None


class LocalEngine:
    """Starts role processes and the user's commands as children of a fork server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._news: list[Event] = []
        self._place_json = b""
        self._logs = Path()

    def open(self, place: Place, specs: Sequence[ProcessSpec]) -> None:
        """Raise the file limit as far as it takes; raises EngineError where that is not allowed."""
        self._place_json = encode(place)
        self._logs = Path(place.logs)
        nursery.place_socket(Path(place.sockets).parent)
        processes = len(specs)
        need = processes * FILES_PER_PROCESS + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and need > hard:
            raise EngineError(
                f"cannot start {processes} processes: they need {need} open files, and the limit is {hard} "
                f"(raise it: ulimit -n {need})"
            )
        need = max(need, refuse_hungry(specs))
        wanted = need if hard == resource.RLIM_INFINITY else hard
        if soft != resource.RLIM_INFINITY and soft < wanted:
            nursery.raise_limit(wanted, hard)

    def start(self, spec: ProcessSpec, *, incarnation: int) -> None:
        """Ask for a process; what it writes goes to its log."""
        process = self._process(spec, incarnation)
        try:
            nursery.start(process)
        except (OSError, EOFError) as error:
            self._news.append(
                LaunchFailed(at_s=self._clock(), process=spec.name, text=_why(spec.name, error))
            )
            return
        # Each start would look at every child that has ever been started; we reap them ourselves.
        registry._children.discard(process)  # type: ignore[attr-defined]
        self._children[spec.name] = _Child(
            process=process, incarnation=incarnation, is_command=bool(spec.command), pid=process.pid
        )
        self._selector.register(process.sentinel, selectors.EVENT_READ, spec.name)
        if process.pid is not None:
            self._news.append(self._launched(spec.name, process.pid))

    def _process(self, spec: ProcessSpec, incarnation: int) -> ForkServerProcess:
        log = str(self._logs / f"{spec.name}.log")
        if not forked.takes_orders():
            arguments = (encode(spec), self._place_json, incarnation, log)
            return ForkServerProcess(target=forked.main, args=arguments, name=spec.name)
        order = forked.Order(
            name=spec.name,
            process_json=encode(spec),
            place_json=self._place_json,
            incarnation=incarnation,
            log_path=log,
            path=sys.path,
            arguments=sys.argv,
        )
        return nursery.OrderedProcess(name=spec.name, message=forked.order_message(order))

    def adopt(self, running: Mapping[str, Running]) -> None:
        """Nothing of this engine's outlives the orchestrator that has started it."""
        if running:
            raise EngineError("cannot take over a run under the engine 'local': its processes ended with it")

    def signal(self, process: str, name: str) -> None:
        """Send a signal; a command's whole group gets it, and SIGKILL goes to every group."""
        child = self._children.get(process)
        if child is None or child.pid is None:
            return
        number = signal.Signals[name]
        if child.is_command or number == signal.SIGKILL:
            _signal_group(child.pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)

    def fileno(self) -> int:
        """The selector's own descriptor: readable when any process has been forked or has ended."""
        return self._selector.fileno()

    def poll(self) -> list[Event]:
        """What has happened since it was last asked."""
        for key, _ in self._selector.select(timeout=0):
            self._news.append(self._hear_of(key.data))
        news, self._news = self._news, []
        return news

    def _hear_of(self, name: str) -> Event:
        """The fork server tells first that a process is there, and then how it has ended."""
        child = self._children[name]
        if child.pid is not None:
            return self._reap(name)
        try:
            child.pid = nursery.read_number(child.process)
        except (OSError, EOFError) as error:
            self._forget(name)
            return LaunchFailed(at_s=self._clock(), process=name, text=_why(name, error))
        return self._launched(name, child.pid)

    def _launched(self, name: str, pid: int) -> Launched:
        incarnation = self._children[name].incarnation
        return Launched(at_s=self._clock(), process=name, pid=pid, incarnation=incarnation)

    def close(self) -> None:
        """End whatever still runs."""
        for name, child in list(self._children.items()):
            if child.pid is None:
                self._hear_of(name)
            self.signal(name, "SIGKILL")
        for name in list(self._children):
            self._children[name].process.join(timeout=5)
            self._reap(name)
        self._selector.close()

    def _reap(self, name: str) -> Exited:
        child = self._forget(name)
        code = nursery.read_exit_code(child.process)
        if child.pid is not None:
            _signal_group(child.pid, signal.SIGKILL)  # what it has started itself and left behind
        with contextlib.suppress(ValueError):
            child.process.close()
        died_of = signal_name(-code) if code is not None and code < 0 else None
        return Exited(
            at_s=self._clock(),
            process=name,
            exit_code=None if died_of else code,
            signal=died_of,
            incarnation=child.incarnation,
        )

    def _forget(self, name: str) -> _Child:
        child = self._children.pop(name)
        self._selector.unregister(child.process.sentinel)
        return child


def _signal_group(pid: int, number: int) -> None:
    """A process leads a session of its own, so its number is its group's; it may not have come so far yet."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _why(process: str, error: OSError | EOFError) -> str:
    if isinstance(error, EOFError):
        return f"cannot start {process}: the fork server is gone (somebody has ended it)"
    hints = {
        errno.EAGAIN: " (the machine's limit of processes is reached: ulimit -u)",
        errno.EMFILE: " (the limit of open files is reached: ulimit -n)",
        errno.ENOMEM: " (there is no memory left)",
    }
    return f"cannot start {process}: {error.strerror or error}{hints.get(error.errno or 0, '')}"
