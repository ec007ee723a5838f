"""The crew: every process of the run, the time, and the commands that the coordinator has decided on so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from orchestrator.run.attention import Attention
from orchestrator.run.commands import Command, Launch, Publish, Signal, SignalName, Tell
from orchestrator.run.events import Known, ProblemFound, ProcessBegan
from orchestrator.run.member import NEXT, Member, Step
from orchestrator.run.plan import Plan
from roles.kit.messages import Down, End, Finish, Stop
from roles.kit.spec import ProcessSpec

BELIEVED_AFTER_S = 5.0
"""One that says that it waits, and is always found to have work, is busy with something else."""


class Crew:
    """All members by name, the time, and the commands decided on since they were last taken."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now_s = 0.0
        self.members = {
            spec.name: Member(spec, joins=spec.start_delay_s is not None) for spec in plan.processes
        }
        self.members |= {spec.name: Member(spec, joins=True, called_off=True) for spec in plan.retired}
        self.draining = False
        self.ending = False
        self.problems: list[ProblemFound] = []
        self.failing = False
        self._commands: list[Command] = []
        self._number = 0
        self._attention = Attention()
        self.doubted: set[str] = set()
        """Who seems to wait, and may only have had no processor: the next reading is to say which of them have work."""
        self._doubted_since_s: dict[str, float] = {}
        self._awake: frozenset[str] = frozenset()

    def come_to(self, at_s: float) -> None:
        """An event happens at that time, or earlier."""
        if at_s > self.now_s:
            self._attention.step(self.now_s, at_s)
            self.now_s = at_s

    def attended_s(self, since_s: float) -> float:
        """How long ago that is, without the time in which nobody looked after the processes."""
        return self._attention.attended_s(self.now_s) - self._attention.attended_s(since_s)

    def note_awake(self, awake: frozenset[str]) -> None:
        """Those of the doubted who have work, as was seen just before the reading that is handled now."""
        self._doubted_since_s = {name: self._doubted_since_s.get(name, self.now_s) for name in self.doubted}
        self._awake = awake
        self.doubted = set()

    def found_asleep(self, members: Iterable[Member]) -> bool:
        """Whether all of them, who seem to wait, were found to have nothing to do; never before the next reading.

        One that has had no processor for a while says that it waits though messages lie before it. So this asks for a
        look at them as well, each time, and the first answer comes with the reading after. Threads of a role's own may
        be busy for ever: whoever is found to be awake time and again is believed all the same.
        """
        names = {m.name for m in members if m.pid is not None and not m.over}
        self.doubted |= names
        return all(name in self._doubted_since_s and self._is_believed(name) for name in names)

    def _is_believed(self, name: str) -> bool:
        since_s = self._doubted_since_s[name]
        return name not in self._awake or self.attended_s(since_s) >= BELIEVED_AFTER_S

    def next_number(self) -> int:
        """A number that was not given before."""
        self._number += 1
        return self._number

    def come_after(self, coordinators: int) -> None:
        """So many have led this run before, and this one gives out no number that one of them gave."""
        self._number = coordinators << 32

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

    def launch(
        self,
        member: Member,
        addresses: dict[str, tuple[str, ...]],
        *,
        spec: ProcessSpec | None = None,
        nodes: dict[str, str] | None = None,
    ) -> None:
        """Have a process started, as `spec` says where that is not the plan's."""
        member.step = Step.LAUNCHING
        self._commands.append(Launch(member.name, member.incarnation, addresses, spec, nodes or {}))

    def add(self, spec: ProcessSpec) -> Member:
        """Take in a process that was not there from the beginning."""
        member = self.members[spec.name] = Member(spec, joins=True)
        return member

    def tell(self, member: Member, message: Down) -> None:
        """Say something to a member that can hear it; what it was told before is not said again.

        Before its Hello nothing reaches it: it must be told then.
        """
        if member.over or not member.spec.is_role or member.step < Step.GREETED:
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
            began = member.step is Step.WORKING
            member.step = NEXT[type(message)][1]
            if member.step is Step.WORKING and not began:
                member.in_place_s = self.now_s
                self.publish(
                    ProcessBegan(at_s=self.now_s, process=member.name, incarnation=member.incarnation)
                )
        self._commands.append(Tell(member.name, message))

    def repeat_stop(self, member: Member) -> None:
        """Say Stop once more, to a member that has only now come to the control channel."""
        self._commands.append(Tell(member.name, Stop(hurried=True)))

    def signal(self, member: Member, name: Literal["SIGTERM", "SIGKILL"]) -> None:
        """Send a signal, each kind once."""
        if name not in member.signals_sent and not member.over and member.pid is not None:
            member.signals_sent.append(name)
            self._commands.append(Signal(member.name, name))

    def strike(self, member: Member, name: SignalName) -> None:
        """Send a signal that is meant to break something: if it ends the process, that is no end of ours."""
        if not member.over and member.pid is not None:
            self._commands.append(Signal(member.name, name))

    def order(self, command: Command) -> None:
        """Have something done that is none of the above."""
        self._commands.append(command)

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
        line: int | None = None,
        expected: bool = False,
    ) -> None:
        """Note a reason for the run to fail; `where` is a key below the pattern, whose line is told.

        What is `expected` is made known and is no reason.
        """
        found = ProblemFound(
            at_s=self.now_s,
            kind=kind,
            text=text,
            process=process,
            endpoint=endpoint,
            code=kind.replace("_", "-"),
            line=line or self._line(where),
            expected=expected,
        )
        if not expected:
            self.problems.append(found)
        self.publish(found)

    def fail(
        self,
        kind: str,
        text: str,
        member: Member | None,
        *,
        endpoint: str | None = None,
        where: str = "",
        expected: bool = False,
    ) -> None:
        """Note a reason for the run to fail that is to end it, too; one that is `expected` does neither."""
        self.failing = self.failing or not expected
        self.problem(
            kind,
            text,
            process=member.name if member else None,
            endpoint=endpoint,
            where=where or (f"nodes.{member.spec.node}" if member else ""),
            expected=expected,
        )

    def _line(self, where: str) -> int | None:
        """The line of a key, or of the nearest key above it that has one."""
        while where:
            if where in self.plan.lines:
                return self.plan.lines[where]
            where = where.rpartition(".")[0]
        return None
