"""The crew: what the coordinator knows of every process of the run, and the commands that it has decided on so far."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orchestrator.run.commands import Command, Launch, Publish, Signal, Tell
from orchestrator.run.events import Exited, Known, ProblemFound
from orchestrator.run.plan import Plan
from roles.kit.messages import (
    Bound,
    Connect,
    Down,
    End,
    Failed,
    Finish,
    Finished,
    Go,
    Hello,
    Message,
    Ready,
    Stop,
    Up,
)
from roles.kit.slot import Count, Reading, State
from roles.kit.spec import ProcessSpec

_WAITING = (State.RECEIVING, State.SENDING)


class Step(enum.IntEnum):
    """How far a process has come. Steps only go up; a process that ends does so from any of them."""

    PLANNED = 0
    LAUNCHING = 1
    LAUNCHED = 2
    GREETED = 3
    BOUND = 4
    CONNECTING = 5
    READY = 6
    WORKING = 7
    DONE = 8
    ENDED = 9


NEXT: dict[type[Message], tuple[Step, Step]] = {
    Hello: (Step.LAUNCHED, Step.GREETED),
    Bound: (Step.GREETED, Step.BOUND),
    Connect: (Step.BOUND, Step.CONNECTING),
    Ready: (Step.CONNECTING, Step.READY),
    Go: (Step.CONNECTING, Step.WORKING),
    Finished: (Step.WORKING, Step.DONE),
}
"""For each message the step from which on it counts, and the step to which it leads. What comes early is ignored."""


@dataclass(slots=True, eq=False)
class Member:
    """One process as the coordinator knows it. Times are seconds since the run's start."""

    spec: ProcessSpec
    step: Step = Step.PLANNED
    pid: int | None = None
    incarnation: int = 0
    reading: Reading = field(default_factory=Reading)
    changed_s: float = 0.0
    finished: bool = False
    failed: Failed | None = None
    exited: Exited | None = None
    finish_told: bool = False
    stop_told_s: float | None = None
    signals_sent: list[str] = field(default_factory=list)
    ends_told: set[str] = field(default_factory=set)

    def heard(self, message: Up) -> bool:
        """Take the step that a message stands for; False where it comes out of order and counts for nothing."""
        needed, then = NEXT[type(message)]
        if self.step is not needed:
            return False
        self.step = then
        return True

    @property
    def name(self) -> str:
        """The process's name."""
        return self.spec.name

    @property
    def over(self) -> bool:
        """It runs no more."""
        return self.step is Step.ENDED

    @property
    def quiet(self) -> bool:
        """It will neither send nor receive again."""
        return self.step >= Step.DONE or self.failed is not None

    @property
    def lost_its_way(self) -> bool:
        """It failed, or ended before its part was done: what it held is gone."""
        if self.failed is not None:
            return True
        ended_by_signal = self.exited is not None and self.exited.signal is not None
        cut_down = ended_by_signal and self.spec.is_role and not self.finished
        return self.over and (cut_down or (self.stop_told_s is None and not self.left_well))

    @property
    def left_well(self) -> bool:
        """It ended by itself, its part done."""
        clean = self.exited is not None and self.exited.exit_code == 0 and self.exited.signal is None
        return clean and (self.finished or not self.spec.is_role)

    @property
    def ended_by_us(self) -> bool:
        """A signal that we sent has ended it."""
        return self.exited is not None and self.exited.signal in self.signals_sent

    @property
    def stopped_well(self) -> bool:
        """It left because it was told to. A command may answer SIGTERM with an exit code of its own."""
        exited = self.exited
        if exited is None or exited.signal is not None or self.stop_told_s is None:
            return False
        return exited.exit_code == 0 or bool(self.spec.command)

    @property
    def waits(self) -> bool:
        """It waits for a message to come, or for one to go."""
        return self.reading.state in _WAITING

    def receives_at(self, port: str) -> bool:
        """It waits for a message at this very port."""
        return self.reading.state is State.RECEIVING and self.reading.port == port

    def count(self, port: str) -> Count:
        """The counters of one of its ports."""
        return self.reading.ports.get(port) or Count()


class Crew:
    """All members by name, the time, and the commands decided on since they were last taken."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now_s = 0.0
        self.members = {spec.name: Member(spec) for spec in plan.processes}
        self.draining = False
        self.problems: list[ProblemFound] = []
        self._commands: list[Command] = []

    def take_commands(self) -> tuple[Command, ...]:
        """What has been decided since this was last asked."""
        commands, self._commands = tuple(self._commands), []
        return commands

    def roles(self) -> Iterator[Member]:
        """The members that run a role of ours, proxies included."""
        return (member for member in self.members.values() if member.spec.is_role)

    def commands(self) -> Iterator[Member]:
        """The members that run a program of the user's own."""
        return (member for member in self.members.values() if member.spec.command)

    def named(self, names: Iterable[str]) -> list[Member]:
        """The members of these names."""
        return [self.members[name] for name in names]

    def launch(self, member: Member, addresses: dict[str, tuple[str, ...]]) -> None:
        """Have a process started."""
        member.step = Step.LAUNCHING
        self._commands.append(Launch(member.name, member.incarnation, addresses))

    def tell(self, member: Member, message: Down) -> None:
        """Say something to a member that can still hear it; what it was told before is not said again."""
        if member.over or not member.spec.is_role or member.step < Step.LAUNCHED:
            return
        if isinstance(message, End):
            if message.port in member.ends_told:
                return
            member.ends_told.add(message.port)
        elif isinstance(message, Finish):
            if member.finish_told:
                return
            member.finish_told = True
        elif isinstance(message, Stop):
            member.stop_told_s = self.now_s
        elif type(message) in NEXT:
            member.step = NEXT[type(message)][1]
        self._commands.append(Tell(member.name, message))

    def repeat_stop(self, member: Member) -> None:
        """Say Stop once more, to a member that has only now come to the control channel."""
        self._commands.append(Tell(member.name, Stop(hurried=True)))

    def signal(self, member: Member, name: str) -> None:
        """Send a signal, each kind once."""
        if name not in member.signals_sent and not member.over and member.pid is not None:
            member.signals_sent.append(name)
            self._commands.append(Signal(member.name, "SIGKILL" if name == "SIGKILL" else "SIGTERM"))

    def publish(self, event: Known) -> None:
        """Make an event known."""
        self._commands.append(Publish(event))

    def problem(
        self,
        kind: str,
        text: str,
        *,
        process: str | None = None,
        endpoint: str | None = None,
        where: str = "",
    ) -> None:
        """Note a reason for the run to fail; `where` is a key below the pattern, whose line is told."""
        found = ProblemFound(
            at_s=self.now_s,
            kind=kind,
            text=text,
            process=process,
            endpoint=endpoint,
            code=kind.replace("_", "-"),
            line=self._line(where),
        )
        self.problems.append(found)
        self.publish(found)

    def _line(self, where: str) -> int | None:
        """The line of a key, or of the nearest key above it that has one."""
        while where:
            if where in self.plan.lines:
                return self.plan.lines[where]
            where = where.rpartition(".")[0]
        return None
