"""The runner: waits for news, feeds the coordinator, carries out its commands, and lets the observers look on."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import zmq

from orchestrator.engines.base import Engine, EngineError
from orchestrator.run import events
from orchestrator.run.commands import Command, Launch, Publish, Signal, Tell
from orchestrator.run.control import ControlChannel
from orchestrator.run.coordinator import Coordinator, Phase
from orchestrator.run.interrupts import Interrupts
from orchestrator.run.outline import run_started
from orchestrator.run.plan import Plan
from orchestrator.run.sockets import private_directory
from roles.kit.messages import Failed, Finished, Stop
from roles.kit.slot import Reading, SlotFile, State
from roles.kit.spec import Place, ProcessSpec

Observer = Callable[[events.Known], None]
_LONGEST_WAIT_S = 0.25
_LAST_WORD_WITHIN_S = 1.0


def run_plan(
    plan: Plan,
    *,
    engine: str,
    folder: Path,
    run_dir: Path,
    run_id: str,
    seed: int,
    timeout_s: float | None,
    observers: Sequence[Observer],
) -> events.RunEnded:
    """Run a plan to its end; the last event. `folder` is the topology's, `run_dir` has a folder `logs`.

    SIGINT and SIGTERM end the run as the user's wish. Raises EngineError where the machine cannot run it.
    """
    started_s = time.monotonic()

    def clock() -> float:
        return time.monotonic() - started_s

    with private_directory(plan) as sockets, Interrupts() as interrupts:
        place = Place(
            run_id=run_id,
            pattern=plan.pattern,
            folder=str(folder),
            control=f"ipc://{sockets}/control",
            slots=f"{sockets}/slots",
            sockets=str(sockets),
            logs=str(run_dir / "logs"),
            seed=seed,
            hold=plan.hold,
        )
        started_at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        outline = run_started(plan, run_id=run_id, engine=engine, seed=seed, started_at=started_at)
        runner = _Runner(
            plan=plan,
            place=place,
            engine=make_engine(engine, clock),
            coordinator=Coordinator(plan, outline, sockets=place.sockets),
            observers=observers,
            clock=clock,
            interrupts=interrupts,
        )
        return runner.run(timeout_s)


def make_engine(name: str, clock: Callable[[], float]) -> Engine:
    """The engine of that name; raises EngineError where there is none."""
    if name == "local":
        from orchestrator.engines.local import LocalEngine  # noqa: PLC0415 - it alone brings multiprocessing

        return LocalEngine(clock)
    raise EngineError(f"cannot use engine '{name}': this version has the engine 'local'")


class _Runner:
    def __init__(
        self,
        *,
        plan: Plan,
        place: Place,
        engine: Engine,
        coordinator: Coordinator,
        observers: Sequence[Observer],
        clock: Callable[[], float],
        interrupts: Interrupts,
    ) -> None:
        self._engine = engine
        self._coordinator = coordinator
        self._observers = list(observers)
        self._clock = clock
        self._interrupts = interrupts
        self._place = place
        self._plan = plan
        self._specs: dict[str, ProcessSpec] = {spec.name: spec for spec in plan.processes}
        self._most_processes = len(plan.processes) + len(plan.reserves)
        self._incarnations = dict.fromkeys(self._specs, 0)
        self._alive: set[str] = set()
        self._exits: list[events.Exited] = []
        self._silent: set[tuple[str, int]] = set()
        self._read_due_s = 0.0
        self._ended: events.RunEnded | None = None

    def run(self, timeout_s: float | None) -> events.RunEnded:
        """Go round until the coordinator says that the run is over."""
        self._timeout_s = timeout_s
        self._engine.open(self._place, (*self._plan.processes, *self._plan.reserves))
        self._slots = SlotFile(self._place.slots, slots=max(1, self._most_processes))
        self._control = ControlChannel(self._place.control)
        self._poller = zmq.Poller()
        self._poller.register(self._control.socket, zmq.POLLIN)
        self._poller.register(self._engine.fileno(), zmq.POLLIN)
        self._poller.register(self._interrupts.fileno(), zmq.POLLIN)
        try:
            self._feed(events.Began(at_s=0.0))
            while self._coordinator.phase is not Phase.OVER:
                self._go_round()
        finally:
            self._engine.close()
            self._control.close()
        if self._ended is None:
            raise EngineError("cannot tell how the run ended: its last event never came")
        return self._ended

    def _go_round(self) -> None:
        self._wait()
        for name in self._interrupts.take():
            self._feed(events.Interrupted(at_s=self._clock(), signal=name))
        self._take_news()
        now_s = self._clock()
        if self._timeout_s is not None and now_s >= self._timeout_s:
            self._feed(events.TimedOut(at_s=now_s, timeout_s=self._timeout_s))
            self._timeout_s = None
        if now_s >= self._read_due_s:
            self._feed(
                events.Read(at_s=now_s, readings={name: self._reading(name) for name in self._alive_roles()})
            )
            self._read_due_s = self._clock() + self._coordinator.wants_slots_every_s
        else:
            self._feed(events.Tick(at_s=now_s))

    def _wait(self) -> None:
        wait_s = 0.0 if self._exits else min(max(0.0, self._read_due_s - self._clock()), _LONGEST_WAIT_S)
        self._poller.poll(int(wait_s * 1000) + 1)

    def _take_news(self) -> None:
        """What a process says comes after its launch and before its end, whichever is seen first.

        So the engine is asked after the control channel, which has told nothing then of a process whose launch is not
        known; an exit waits for the next round, when all that the process said has been heard, or for later ones.
        """
        heard = self._control.hear()
        for process, incarnation, message in heard:
            if isinstance(message, Finished | Failed):
                self._silent.add((process, incarnation))
        late = [event for event in self._exits if self._has_more_to_say(event)]
        exits = [event for event in self._exits if event not in late]
        news = self._engine.poll()
        self._exits = [*late, *(event for event in news if isinstance(event, events.Exited))]
        for event in news:
            if not isinstance(event, events.Exited):
                self._take(event)
        for process, incarnation, message in heard:
            if process in self._specs:
                self._feed(
                    events.Heard(
                        at_s=self._clock(), process=process, message=message, incarnation=incarnation
                    )
                )
        for event in exits:
            self._take(event)

    def _has_more_to_say(self, event: events.Exited) -> bool:
        """Whether the last word of a process that has left by itself is still on its way, which may take a while."""
        spec = self._specs[event.process]
        if not spec.is_role or (event.process, event.incarnation) in self._silent:
            return False
        in_time = self._clock() < event.at_s + _LAST_WORD_WITHIN_S
        return in_time and self._reading(event.process).state is State.FINISHED

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.Launched):
            self._alive.add(event.process)
        elif isinstance(event, events.Exited):
            self._alive.discard(event.process)
            event = msgspec.structs.replace(event, reading=self._reading(event.process))
        self._feed(event)

    def _alive_roles(self) -> list[str]:
        return [name for name in self._alive if self._specs[name].is_role]

    def _reading(self, process: str) -> Reading:
        spec = self._specs[process]
        if not spec.is_role:
            return Reading()
        return self._slots.read(spec.slot, (port.name for port in spec.ports))

    def _feed(self, event: events.Event) -> None:
        for command in self._coordinator.handle(event):
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Launch():
                self._launch(command)
            case Tell(process=process, message=message):
                if isinstance(message, Stop):
                    self._silent.add((process, self._incarnations[process]))
                self._control.tell(process, self._incarnations[process], message)
                self._slots.ring(self._specs[process].slot)
            case Signal(process=process, signal=signal):
                self._engine.signal(process, signal)
            case Publish(event=event):
                self._publish(event)
            case _:
                raise TypeError(f"cannot carry out {type(command).__name__}")

    def _launch(self, command: Launch) -> None:
        spec = command.spec or self._specs[command.process]
        self._specs[spec.name] = spec
        self._incarnations[spec.name] = command.incarnation
        if command.incarnation and spec.is_role:
            self._slots.clear(spec.slot)
        self._engine.start(_with_addresses(spec, command.addresses), incarnation=command.incarnation)
        self._read_due_s = 0.0

    def _publish(self, event: events.Known) -> None:
        if isinstance(event, events.RunEnded):
            self._ended = event
        for observer in list(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - who looks on must not stop the run
                self._observers.remove(observer)
                print(f"cannot go on observing: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201


def _with_addresses(spec: ProcessSpec, addresses: dict[str, tuple[str, ...]]) -> ProcessSpec:
    """A command finds its addresses and its name in its environment."""
    if not spec.command:
        return spec
    told = {f"TOPOLOGY_{endpoint.upper()}": " ".join(found) for endpoint, found in addresses.items()}
    environment = {**told, "TOPOLOGY_PROCESS": spec.name, "PYTHONUNBUFFERED": "1"} | spec.environment
    return msgspec.structs.replace(spec, environment=environment)
