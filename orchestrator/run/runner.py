"""The runner: waits for news, feeds the coordinator, carries out its commands, and lets the observers look on."""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import zmq

from orchestrator.engines.base import Engine, EngineChoice, EngineError, Running
from orchestrator.engines.proc import awake, stopped
from orchestrator.run import events
from orchestrator.run.attention import LONGEST_STEP_S, Attention
from orchestrator.run.commands import Command, Keep, Launch, Publish, Reply, Signal, Tell
from orchestrator.run.control import ControlChannel, UnguardedError, is_private
from orchestrator.run.coordinator import Coordinator, Phase
from orchestrator.run.interrupts import Interrupts
from orchestrator.run.keys import OWN_KEYS, NoCurveError, key_files, make_own_keys, nodes_under_curve
from orchestrator.run.live import Live, announce, withdraw
from orchestrator.run.outline import run_started
from orchestrator.run.plan import Plan
from orchestrator.run.planfile import keep_plan
from orchestrator.run.reception import Reception, reception_address
from orchestrator.run.sockets import private_directory
from roles.kit.keys import CONTROL, KeyFileError
from roles.kit.messages import Down, Failed, Finished, Repeat, Stop, Up
from roles.kit.slot import Reading, SlotFile, State
from roles.kit.spec import Place, ProcessSpec

Observer = Callable[[events.Known], None]
_LONGEST_WAIT_S = 0.75 * LONGEST_STEP_S
"""To wait is not to be away."""

_LAST_WORD_WITHIN_S = 1.0
_REACH_EVERY_S = 0.02
_STATES_EVERY_S = 0.5
_STATES_EVERY_S_EACH = 0.005
"""It takes some 20 us a process to ask the kernel."""


def run_plan(
    plan: Plan,
    *,
    engine: EngineChoice,
    folder: Path,
    run_dir: Path,
    run_id: str,
    seed: int,
    timeout_s: float | None,
    observers: Sequence[Observer],
    keys: Path | None = None,
) -> events.RunEnded:
    """Run a plan to its end; the last event. `folder` is the topology's, `run_dir` has a folder `logs`.

    `keys` is where the CURVE keys of its nodes lie; without it the run makes its own, which end with it.

    SIGINT and SIGTERM end the run as the user's wish. Raises EngineError where the machine cannot run it.
    """
    started_s = time.monotonic()

    def clock() -> float:
        return time.monotonic() - started_s

    with private_directory(plan) as sockets, Interrupts() as interrupts:
        place = place_of(
            plan, run_id=run_id, folder=folder, sockets=sockets, run_dir=run_dir, seed=seed, keys=keys
        )
        outline = run_started(plan, run_id=run_id, engine=engine.name, seed=seed, started_at=wall_clock_now())
        live = Live(
            run_id=run_id,
            file=str(Path(plan.topology).resolve()),
            pattern=plan.pattern,
            engine=engine.name,
            pid=os.getpid(),
            sockets=str(sockets),
            run_dir=str(run_dir),
        )
        runner = Runner(
            plan=plan,
            place=place,
            run_dir=run_dir,
            engine=engine.make(clock),
            coordinator=Coordinator(plan, outline, sockets=place.sockets),
            observers=observers,
            clock=clock,
            interrupts=interrupts,
        )
        with contextlib.suppress(OSError):  # who cannot be found from elsewhere can be run all the same
            announce(live)
        try:
            return runner.run(timeout_s)
        finally:
            withdraw(live)


def place_of(
    plan: Plan,
    *,
    run_id: str,
    folder: Path,
    sockets: Path,
    run_dir: Path,
    seed: int,
    keys: Path | None = None,
) -> Place:
    """What is particular to one run of a plan, for its processes.

    Without `keys` they are to be made in the private directory.
    """
    return Place(
        run_id=run_id,
        pattern=plan.pattern,
        folder=str(folder),
        control=f"ipc://{sockets}/control",
        slots=f"{sockets}/slots",
        sockets=str(sockets),
        logs=str(run_dir / "logs"),
        seed=seed,
        hold=plan.hold,
        keys=str(keys or sockets / OWN_KEYS),
    )


def wall_clock_now() -> str:
    """The time in UTC, RFC 3339."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Runner:
    """Takes one run from its first event, or from where an earlier runner was cut off, to its last.

    `run_dir` is where its plan is kept when it changes.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        place: Place,
        run_dir: Path,
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
        self._run_dir = run_dir
        self._planned = (*plan.processes, *plan.reserves)
        self._specs: dict[str, ProcessSpec] = {spec.name: spec for spec in plan.processes}
        self._incarnations = dict.fromkeys(self._specs, 0)
        self._alive: dict[str, int] = {}
        self._exits: list[events.Exited] = []
        self._silent: set[tuple[str, int]] = set()
        self._launching: set[tuple[str, int]] = set()
        self._unlaunched: list[events.LaunchFailed] = []
        self._too_early: list[tuple[str, int, Up]] = []
        self._unreached: dict[str, list[Down]] = {}
        self._read_due_s = 0.0
        self._states_due_s = _STATES_EVERY_S
        self._attention, self._looked_s = Attention(), 0.0
        self._timeout_s: float | None = None
        self._ended: events.RunEnded | None = None

    def run(self, timeout_s: float | None = None, *, past: Sequence[events.Known] = ()) -> events.RunEnded:
        """Go round until the coordinator says that the run is over; `past` is what is known of it already."""
        self._timeout_s = timeout_s
        # The processes hang on the control channel, so the engine ends before it.
        with contextlib.ExitStack() as last, contextlib.ExitStack() as first:
            self._engine.open(self._place, self._planned)
            first.callback(self._engine.close)
            self._slots = self._open_slots(goes_on=bool(past))
            self._control = self._open_control()
            last.callback(self._control.close)
            self._reception = Reception(self._control.context, reception_address(self._place.sockets))
            self._poller = zmq.Poller()
            self._poller.register(self._control.socket, zmq.POLLIN)
            self._poller.register(self._reception.socket, zmq.POLLIN)
            self._poller.register(self._engine.fileno(), zmq.POLLIN)
            self._poller.register(self._interrupts.fileno(), zmq.POLLIN)
            if past:
                self._take_over(past)
            else:
                self._feed(events.Began(at_s=0.0))
            while self._coordinator.phase is not Phase.OVER:
                self._go_round()
        if self._ended is None:
            raise EngineError("cannot tell how the run ended: its last event never came")
        return self._ended

    def _open_slots(self, *, goes_on: bool) -> SlotFile:
        slots = 1 + max((spec.slot for spec in self._planned if spec.slot >= 0), default=0)
        try:
            return SlotFile(self._place.slots, slots=0 if goes_on else slots)
        except OSError as error:
            why = f"{error.strerror or error} (make room there, or set TMPDIR)"
            raise EngineError(f"cannot keep counts in {self._place.slots}: {why}") from None

    def _open_control(self) -> ControlChannel:
        try:
            if not is_private(self._place.control):
                make_own_keys(self._place, [CONTROL])
            return ControlChannel(self._place.control, keys=Path(self._place.keys))
        except (KeyFileError, NoCurveError) as error:
            raise EngineError(str(error)) from None

    def _take_over(self, past: Sequence[events.Known]) -> None:
        """Go on with a run whose coordinator was killed: its processes are there, and have gone on meanwhile."""
        commands = self._coordinator.resume(past, at_s=self._clock(), pid=os.getpid())
        running = {
            member.name: Running(spec=member.spec, pid=member.pid or 0, incarnation=member.incarnation)
            for member in self._coordinator.running()
        }
        for name, one in running.items():
            self._specs[name] = one.spec
            self._incarnations[name] = one.incarnation
            self._alive[name] = one.pid
            if one.spec.is_role:
                self._unreached[name] = []
        self._slots.grow(1 + max((spec.slot for spec in self._specs.values()), default=0))
        self._engine.adopt(running)
        for command in commands:
            self._carry_out(command)

    def _go_round(self) -> None:
        self._wait()
        for name in self._interrupts.take():
            self._feed(events.Interrupted(at_s=self._clock(), signal=name))
        self._reach()
        unlaunched, self._unlaunched = self._unlaunched, []
        for failed in unlaunched:
            self._feed(failed)
        self._take_news()
        now_s = self._clock()
        if self._timeout_s is not None and now_s >= self._timeout_s:
            self._feed(events.TimedOut(at_s=now_s, timeout_s=self._timeout_s))
            self._timeout_s = None
        if now_s >= self._read_due_s:
            self._read()
            self._read_due_s = self._clock() + self._coordinator.wants_slots_every_s
        else:
            self._feed(events.Tick(at_s=now_s))
        # After the reading: one who has just taken a run over knows no counts before.
        for request in self._reception.hear():
            self._feed(events.Asked(at_s=self._clock(), request=request))

    def _read(self) -> None:
        """The kernel is asked before the slots are read: whoever comes to its work in between has another reading."""
        doubted = {name: self._alive[name] for name in self._coordinator.doubted if name in self._alive}
        at_work = awake(doubted)
        has_stopped = self._stopped(self._clock())
        now_s = self._clock()
        readings = {name: self._reading(name) for name in self._alive_roles()}
        self._feed(events.Read(at_s=now_s, readings=readings, stopped=has_stopped, awake=at_work))

    def _wait(self) -> None:
        longest_s = _REACH_EVERY_S if self._unreached else _LONGEST_WAIT_S
        has_news = bool(self._exits or self._unlaunched)
        wait_s = 0.0 if has_news else min(max(0.0, self._read_due_s - self._clock()), longest_s)
        self._poller.poll(int(wait_s * 1000) + 1)

    def _take_news(self) -> None:
        """What a process says comes after its launch and before its end, whichever is seen first.

        So what is heard of a process whose launch is not known yet waits until it is; an exit waits for the next round,
        when all that the process said has been heard, or for later ones.
        """
        before_s, self._looked_s = self._looked_s, self._clock()
        self._attention.step(before_s, self._looked_s)
        try:
            heard = [*self._too_early, *self._control.hear()]
        except UnguardedError as error:
            raise EngineError(str(error)) from None
        for process, incarnation, message in heard:
            if isinstance(message, Finished | Failed):
                self._silent.add((process, incarnation))
        late = [event for event in self._exits if self._has_more_to_say(event)]
        exits = [event for event in self._exits if event not in late]
        news = self._engine.poll()
        self._exits = [*late, *(event for event in news if isinstance(event, events.Exited))]
        for event in news:
            if isinstance(event, events.LaunchFailed):
                heard = [one for one in heard if one[0] != event.process]
            if not isinstance(event, events.Exited):
                self._take(event)
        self._too_early = [one for one in heard if one[:2] in self._launching]
        for process, incarnation, message in heard:
            if process in self._specs and (process, incarnation) not in self._launching:
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
        waited_s = self._attention.attended_s(self._looked_s) - self._attention.attended_s(event.at_s)
        return waited_s < _LAST_WORD_WITHIN_S and self._reading(event.process).state is State.FINISHED

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.Launched | events.LaunchFailed):
            self._launching.discard((event.process, self._incarnations[event.process]))
        if isinstance(event, events.Launched):
            self._alive[event.process] = event.pid
        elif isinstance(event, events.Exited):
            self._alive.pop(event.process, None)
            self._unreached.pop(event.process, None)
            self._silent.discard((event.process, event.incarnation))
            event = msgspec.structs.replace(event, reading=self._reading(event.process))
        self._feed(event)

    def _stopped(self, now_s: float) -> frozenset[str] | None:
        """Who is stopped by a signal; looked at now and then only."""
        if now_s < self._states_due_s:
            return None
        self._states_due_s = now_s + max(_STATES_EVERY_S, _STATES_EVERY_S_EACH * len(self._alive))
        return stopped(self._alive)

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
                self._tell(process, message)
            case Signal(process=process, signal=signal):
                self._engine.signal(process, signal)
            case Publish(event=event):
                self._publish(event)
            case Reply(answer=answer):
                self._reception.reply(answer)
            case Keep(plan=plan):
                with contextlib.suppress(OSError):  # it stands in the journal; the file is for those who look
                    keep_plan(self._run_dir, plan)
            case _:
                raise TypeError(f"cannot carry out {type(command).__name__}")

    def _tell(self, process: str, message: Down) -> None:
        if isinstance(message, Stop):
            self._silent.add((process, self._incarnations[process]))
        if process in self._unreached:
            self._unreached[process].append(message)
            return
        self._control.tell(process, self._incarnations[process], message)
        self._slots.ring(self._specs[process].slot)

    def _reach(self) -> None:
        """Say what awaits them to those who have found the way to this end of the control channel."""
        for process, waiting in list(self._unreached.items()):
            slot = self._specs[process].slot
            first = Repeat(bell=self._slots.bell(slot) + 1)
            if self._control.tell(process, self._incarnations[process], first):
                self._slots.ring(slot)
                del self._unreached[process]
                for message in waiting:
                    self._tell(process, message)

    def _launch(self, command: Launch) -> None:
        spec = command.spec or self._specs[command.process]
        try:
            self._slots.grow(spec.slot + 1)
        except OSError as error:
            text = f"cannot start {spec.name}: {self._place.slots} cannot grow: {error.strerror} (make room there)"
            self._unlaunched.append(events.LaunchFailed(at_s=self._clock(), process=spec.name, text=text))
            return
        try:
            self._admit(spec)
        except (OSError, NoCurveError, KeyFileError) as error:
            text = f"cannot start {spec.name}: {error}"
            self._unlaunched.append(events.LaunchFailed(at_s=self._clock(), process=spec.name, text=text))
            return
        self._specs[spec.name] = spec
        self._incarnations[spec.name] = command.incarnation
        if command.incarnation and spec.is_role:
            self._slots.clear(spec.slot)
        self._launching.add((spec.name, command.incarnation))
        self._engine.start(_with_addresses(spec, command, self._place), incarnation=command.incarnation)
        # In the beginning many are launched, and all would be read each time.
        if self._coordinator.phase is not Phase.STARTING:
            self._read_due_s = 0.0

    def _admit(self, spec: ProcessSpec) -> None:
        """See to it that a process has its keys, and that it is let in; raises OSError, NoCurveError, KeyFileError."""
        needed = nodes_under_curve([spec])
        if self._control.is_guarded:
            needed = [*needed, spec.node]
        if needed:
            make_own_keys(self._place, needed)
            self._control.admit(spec.node)

    def _publish(self, event: events.Known) -> None:
        if isinstance(event, events.RunEnded):
            self._ended = event
        for observer in list(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - who looks on must not stop the run
                self._observers.remove(observer)
                print(f"cannot go on observing: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201


def _with_addresses(spec: ProcessSpec, command: Launch, place: Place) -> ProcessSpec:
    """A command finds its addresses and its name in its environment, and under CURVE the files of the keys."""
    if not spec.command:
        return spec
    told = {f"TOPOLOGY_{name.upper()}": " ".join(found) for name, found in command.addresses.items()}
    told |= key_files(spec, command.addresses, command.nodes, folder=Path(place.keys))
    environment = {**told, "TOPOLOGY_PROCESS": spec.name, "PYTHONUNBUFFERED": "1"} | spec.environment
    return msgspec.structs.replace(spec, environment=environment)
