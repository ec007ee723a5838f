"""The supervisor engine: processes that a supervisord starts, one of the run's own or one that outlives it.

supervisord only starts and reaps. That a process has ended, the kernel tells; signals go to it directly.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.engines.base import Clock, EngineError, Running
from orchestrator.engines.files import refuse_hungry
from orchestrator.engines.supervisord.config import LOG, SOCKET, Configuration
from orchestrator.engines.supervisord.daemon import Daemon, answering, check_version, make_room, start_daemon
from orchestrator.engines.supervisord.files import read_configuration, write_files
from orchestrator.engines.supervisord.log import DaemonLog
from orchestrator.engines.supervisord.rpc import Rpc
from orchestrator.engines.supervisord.starts import Starts
from orchestrator.engines.supervisord.watch import Ended, Watch, kill
from orchestrator.run.events import Event, Exited, Launched, LaunchFailed
from roles.kit import errand
from roles.kit.spec import Place, ProcessSpec

_STARTS_AT_ONCE = 8
_GONE_WITHIN_S = 5.0


class SupervisorEngine:
    """Starts role processes and the user's commands as children of supervisord.

    With `owns` it starts one for the run, and ends it. Otherwise there is one already, on files that
    `supervisord.files.write_files` has written, and it stays when the engine is closed.
    """

    def __init__(self, clock: Clock, *, owns: bool = True) -> None:
        self._clock = clock
        self._owns = owns
        self._queue: list[tuple[ProcessSpec, int]] = []
        self._held: dict[str, list[str]] = {}
        self._news: list[Event] = []
        self._awake = False
        self._resources = contextlib.ExitStack()

    def open(self, place: Place, specs: Sequence[ProcessSpec]) -> None:
        """Start supervisord, or find the one that runs; raises EngineError where that cannot be."""
        self._directory = Path(place.sockets)
        with contextlib.ExitStack() as resources:
            self._selector = resources.enter_context(selectors.DefaultSelector())
            self._waking, self._wakes = os.pipe()
            resources.callback(os.close, self._waking)
            resources.callback(os.close, self._wakes)
            self._selector.register(self._waking, selectors.EVENT_READ)
            configuration = self._have_daemon(place, specs, resources)
            rpc = resources.enter_context(contextlib.closing(Rpc(self._directory / SOCKET)))
            self._log = resources.enter_context(contextlib.closing(DaemonLog(self._directory / LOG)))
            self._starts = Starts(
                place=place, configuration=configuration, parent=self._daemon.pid, rpc=rpc, log=self._log
            )
            self._watch = Watch(daemon=self._daemon, rpc=rpc, log=self._log, selector=self._selector)
            if not self._owns:
                self._starts.tell_configuration()
            resources.callback(self._end_all)
            self._resources = resources.pop_all()

    def adopt(self, running: Mapping[str, Running]) -> None:
        """Look after these, and end all other processes of the run that supervisord runs."""
        self._log.read()
        alive = self._starts.alive()
        strangers = {
            name: pid for name, pid in alive.items() if name not in running or running[name].pid != pid
        }
        for pid in strangers.values():
            kill(pid)
        for name, one in running.items():
            if alive.get(name) == one.pid:
                self._watch.add(
                    name, pid=one.pid, incarnation=one.incarnation, is_command=bool(one.spec.command)
                )
            else:
                self._watch.add_lost(name, pid=one.pid, incarnation=one.incarnation)
        # Until supervisord has seen their ends it starts nobody of their names.
        until_s = time.monotonic() + _GONE_WITHIN_S
        while strangers.items() & self._starts.alive().items() and time.monotonic() < until_s:
            pass
        self._wake()

    def start(self, spec: ProcessSpec, *, incarnation: int) -> None:
        """Have a process started by the next `poll`, in one call with all others until then."""
        self._wake()
        self._queue.append((spec, incarnation))

    def signal(self, process: str, name: str) -> None:
        """Send a signal; a command's whole group gets it, and SIGKILL goes to every group."""
        if any(spec.name == process for spec, _ in self._queue):
            self._held.setdefault(process, []).append(name)
        else:
            self._watch.signal(process, signal.Signals[name])

    def fileno(self) -> int:
        """The selector's own descriptor: readable when anybody has ended, supervisord too, or is to be started."""
        return self._selector.fileno()

    def poll(self) -> list[Event]:
        """What has happened since it was last asked; raises EngineError where supervisord is gone or stands still."""
        gone = self._daemon.gone()  # whoever it has reaped had ended before, and is seen by a look after this
        try:
            if not gone:
                self._start_some()
            if self._awake and not self._queue:
                os.read(self._waking, 1)
                self._awake = False
            self._watch.look()
        except EngineError:
            if not self._daemon.gone(within_s=_GONE_WITHIN_S):
                raise
        news = [*self._news, *(self._exited(ended) for ended in self._watch.take_ends())]
        self._news.clear()
        if gone and not news:
            self._log.read()
            raise EngineError(
                f"cannot go on: supervisord is gone ({self._daemon.why_gone()}; "
                f"it said last: {self._log.last_line or 'nothing'})"
            )
        return news

    def close(self) -> None:
        """End whatever still runs of the run, and supervisord where it is ours."""
        self._resources.close()

    def _have_daemon(
        self, place: Place, specs: Sequence[ProcessSpec], resources: contextlib.ExitStack
    ) -> Configuration:
        check_version()
        files = make_room(len(specs), each=refuse_hungry(specs))
        if self._owns:
            configuration = write_files(place, specs, files=files)
            self._daemon = start_daemon(self._directory, owned=True)
        else:
            configuration = read_configuration(self._directory)
            pid = answering(self._directory)
            if pid is None:
                raise EngineError(
                    f"cannot go on: no supervisord answers in {self._directory} (start it anew)"
                )
            self._daemon = Daemon(self._directory, pid)
        resources.callback(self._daemon.close)
        if self._owns:
            resources.callback(self._daemon.leave, within_s=_GONE_WITHIN_S)
        if self._daemon.fd is not None:
            self._selector.register(self._daemon.fd, selectors.EVENT_READ)
        return configuration

    def _wake(self) -> None:
        """Have the next `poll` come at once."""
        if not self._awake:
            os.write(self._wakes, b"!")
            self._awake = True

    def _start_some(self) -> None:
        """Not all at once: each takes supervisord some milliseconds, in which it answers nobody."""
        if not self._queue:
            return
        batch = self._queue[:_STARTS_AT_ONCE]
        outcomes = self._starts.start(batch)
        del self._queue[: len(batch)]
        for (spec, incarnation), outcome in zip(batch, outcomes, strict=True):
            self._news.append(self._launched(spec, incarnation, outcome))
            for held in self._held.pop(spec.name, ()):
                self.signal(spec.name, held)

    def _launched(self, spec: ProcessSpec, incarnation: int, outcome: int | str) -> Event:
        if isinstance(outcome, str):
            text = f"cannot start {spec.name}: {outcome}"
            return LaunchFailed(at_s=self._clock(), process=spec.name, text=text)
        self._watch.add(spec.name, pid=outcome, incarnation=incarnation, is_command=bool(spec.command))
        return Launched(at_s=self._clock(), process=spec.name, pid=outcome, incarnation=incarnation)

    def _exited(self, ended: Ended) -> Event:
        errand.withdraw(self._directory, ended.process)
        return Exited(
            at_s=self._clock(),
            process=ended.process,
            exit_code=ended.how.exit_code,
            signal=ended.how.signal,
            incarnation=ended.incarnation,
        )

    def _end_all(self) -> None:
        """Those too whom somebody else has started."""
        self._log.read()
        self._watch.kill_all(pid for name, pid in self._log.running.items() if name in self._starts.names)
