"""The start of a run: stage after stage, addresses from binders to connectors, and the barrier.

A stage is launched when everyone of the stage before has said Hello and bound what it binds. A command counts
as in place once it runs, an external from the beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from orchestrator.run.addresses import AddressBook, attachments, connects
from orchestrator.run.crew import Crew
from orchestrator.run.events import RunReady
from orchestrator.run.member import Member, Step
from roles.kit.messages import Bound, Go
from roles.kit.spec import PortSpec, ProcessSpec

SETTLED_AFTER_S = 0.1
"""Go waits so long after somebody who had to be started again is in place: its peers' side may lag behind its own."""

AT_A_TIME = 16
"""So many processes are being started at most; in between there is time for what else happens in a large launch."""


class Launcher:
    """Brings a crew from nothing to Go; who joins later is none of its business."""

    def __init__(self, crew: Crew, addresses: AddressBook) -> None:
        self._crew = crew
        self._addresses = addresses
        self.went = False
        self._launched_stages = 0
        self._to_launch: deque[Member] = deque()
        self._being_launched = 0
        self._awaited_since_s = 0.0
        self._not_in_place: set[str] = set()
        self._not_ready = {member.name for member in crew.roles() if not member.joins}
        self._unconnected: dict[str, Member] = {}
        self._due: list[tuple[float, Member]] = []
        self._back_s: float | None = None
        awaited = [member for member in crew.members.values() if not member.joins]
        self._outside_s = _longest_s(member for member in awaited if member.spec.external)
        self._inside_s = _longest_s(member for member in awaited if not member.spec.external)
        self._least_patience_s = min(
            (min(m.spec.ready_within_s, self._patience_with_peers_s(m)) for m in crew.roles()), default=0.0
        )

    @property
    def launching(self) -> bool:
        """Whether stages are still to be launched."""
        return bool(self._to_launch) or self._launched_stages < len(self._crew.plan.stages)

    def advance(self) -> None:
        """Do what has become possible: launch stages, say Go."""
        while self._launched_stages < len(self._crew.plan.stages) and not self._not_in_place:
            self._launch_stage()
        self._launch_some()
        self._launch_again()
        in_place = not self.launching and all(self._is_excused(name) for name in self._not_ready)
        settled = self._back_s is None or self._crew.attended_s(self._back_s) >= SETTLED_AFTER_S
        if in_place and settled:
            self._go()

    def come_back(self, member: Member, away_s: float) -> None:
        """Launch a process once more that has ended before Go, so much later; all await it as they did before."""
        member.begin_again()
        member.joins = False
        self._not_in_place.add(member.name)
        self._unconnected.pop(member.name, None)
        if member.spec.is_role:
            self._not_ready.add(member.name)
        self._due.append((self._crew.now_s + away_s, member))

    def _launch_again(self) -> None:
        for due_s, member in list(self._due):
            if self._crew.now_s >= due_s:
                self._due.remove((due_s, member))
                self._being_launched += 1
                self._awaited_since_s = self._crew.now_s
                self._launch(member, spec=self._addresses.spec_at_its_old_place(member))

    def _launch(self, member: Member, spec: ProcessSpec | None = None) -> None:
        """A command is told at once where to connect, a role later."""
        if member.spec.command:
            told, nodes = self._addresses.told(member), self._addresses.listeners(member)
            self._crew.launch(member, told, spec=spec, nodes=nodes)
        else:
            self._crew.launch(member, {}, spec=spec)

    def _is_excused(self, name: str) -> bool:
        """All that a process still waits for are commands that have sent what they had and left before Go."""
        member = self._crew.members[name]
        if member.step is not Step.CONNECTING:
            return False
        lacking = [(port, self._lacks(member, port)) for port in member.spec.ports]
        lacking = [(port, number) for port, number in lacking if number > 0]
        return bool(lacking) and all(number <= self._gone_from(port) for port, number in lacking)

    def _gone_from(self, port: PortSpec) -> int:
        """How many commands of a port's other sides have left, and so long ago that no socket still counts them."""
        endpoints = {(one.endpoint, "connect" if one.mode == "bind" else "bind") for one in port.attachments}
        return sum(
            len(endpoints & {(one.endpoint, one.mode) for one in attachments(command)})
            for command in self._crew.commands()
            if command.left_well and self._crew.attended_s(command.changed_s) >= self._crew.plan.settle_s
        )

    def launched(self, member: Member) -> None:
        """A process runs; a command is thereby in place."""
        self._awaited_since_s = self._crew.now_s
        self._being_launched -= 1
        if member.spec.command:
            if self._addresses.place_planned(member):
                self._connect_who_can()
            self._not_in_place.discard(member.name)

    def bound(self, member: Member, message: Bound) -> None:
        """A process has bound what it binds; whoever waited for that can connect."""
        news = [self._addresses.place(member, *bound) for bound in message.addresses.items()]
        self._not_in_place.discard(member.name)
        self._unconnected[member.name] = member
        self._connect_who_can(*([] if any(news) else [member]))

    def ready(self, member: Member) -> None:
        """All connections of a process are in place."""
        self._not_ready.discard(member.name)
        if member.was_restarted:
            self._back_s = self._crew.now_s

    def resume(self, back_s: dict[str, float]) -> None:
        """Go on with a launch that was cut off, from how far each member has come; `back_s` are to come again then."""
        crew = self._crew
        self._awaited_since_s = crew.now_s
        for stage in crew.plan.stages:
            members = [m for m in crew.named(stage.processes) if not m.spec.external and not m.joins]
            if all(m.step is Step.PLANNED for m in members) and members:
                break
            self._launched_stages += 1
            self._to_launch.extend(m for m in members if m.step is Step.PLANNED)
            self._not_in_place |= {m.name for m in members if not (m.has_bound or m.over)}
        for member in crew.members.values():
            if member.step >= Step.READY:
                self._not_ready.discard(member.name)
            elif member.step is Step.BOUND:
                self._unconnected[member.name] = member
            if member.step is Step.WORKING and member.spec.is_role:
                self._tell_to_go(member)  # that it was told so is known, not that it has heard it
        for name, due_s in back_s.items():
            self.come_back(crew.members[name], max(0.0, due_s - crew.now_s))
        self._connect_who_can()

    def _tell_to_go(self, member: Member) -> None:
        if not self._crew.plan.barrier and self._addresses.knows_all_for(member):
            self._crew.tell(member, self._addresses.connect(member))
        self._crew.tell(member, Go())

    @property
    def waited_s(self) -> float:
        """How long ago the last process was launched, as far as somebody looked."""
        return self._crew.attended_s(self._awaited_since_s)

    @property
    def overdue(self) -> list[Member]:
        """Those to blame for a start that does not come about, once their time has passed; empty before."""
        if self._due or self.waited_s < self._least_patience_s:
            return []  # this is asked at each event, and there may be thousands to look at
        missing = [self._crew.members[name] for name in sorted(self._not_ready)]
        blamed = _to_blame([member for member in missing if member.step > Step.PLANNED])
        return [member for member in blamed if self.waited_s >= self._patience_s(member)]

    def what_is_missing(self, member: Member) -> str:
        """What a member waits for, in words."""
        if member.stopped:
            return f"{member.name} is stopped (SIGCONT would resume it: kill -CONT {member.pid})"
        if member.step <= Step.LAUNCHED:
            return f"{member.name} has not said that it runs"
        if member.step is Step.GREETED:
            return f"{member.name} is still being set up and has not bound its addresses"
        if member.step is Step.BOUND:
            unknown = [one.endpoint for one in connects(member) if one.endpoint not in self._addresses.known]
            return f"{member.name} waits for {', '.join(unknown)} to be bound"
        return self._missing_peers(member)

    def _missing_peers(self, member: Member) -> str:
        parts = []
        for port in member.spec.ports:
            has, lacks = member.count(port.name).peers, self._lacks(member, port)
            bound = any(one.peers for one in port.attachments)
            connecting = any(one.mode == "connect" for one in port.attachments)
            places = ", ".join(
                f"{one.endpoint} ({self._addresses.shown(one.endpoint)})" for one in port.attachments
            )
            if lacks > 0 and connecting and not bound:
                parts.append(f"has not finished its handshake with {places}")
            elif lacks > 0:
                parts.append(
                    f"has {max(0, has)} of {has + lacks} peers at {places}{self._strangers_at(port)}"
                )
            elif port.kind == "PUB":
                parts.append(f"has not seen the subscriptions of all of {', '.join(port.partners)}")
        return f"{member.name} {' and '.join(parts) or 'has not said that it is ready'}"

    def _strangers_at(self, port: PortSpec) -> str:
        """The commands and externals that ought to come to a port: whose absence nothing else tells."""
        endpoints = {one.endpoint for one in port.attachments}
        expected = [
            f"{other.name} ({'external' if other.spec.external else 'command'})"
            for other in self._crew.members.values()
            if not other.spec.is_role and endpoints & {one.endpoint for one in connects(other)}
        ]
        return f"; expected there: {', '.join(expected)}" if expected else ""

    def _lacks(self, member: Member, port: PortSpec) -> int:
        """How many connections of a port are not in place."""
        theirs = [one.endpoint for one in port.attachments if one.mode == "connect"]
        addresses = sum(map(self._addresses.count_for, theirs))
        wanted = sum(one.peers for one in port.attachments) + port.copies * addresses
        return wanted - member.count(port.name).peers

    def _patience_s(self, member: Member) -> float:
        bound = member.step >= Step.BOUND
        return self._patience_with_peers_s(member) if bound else member.spec.ready_within_s

    def _patience_with_peers_s(self, member: Member) -> float:
        """Whoever awaits others at an endpoint has the longest time of theirs, and no less than its own.

        Where it awaits externals, theirs alone counts, which may be less.
        """
        own_s = member.spec.ready_within_s
        others = [(one.endpoint, "connect" if one.mode == "bind" else "bind") for one in attachments(member)]
        patience = [
            self._outside_s[other] if other in self._outside_s else max(own_s, self._inside_s.get(other, 0.0))
            for other in others
        ]
        return max(patience, default=own_s)

    def _launch_stage(self) -> None:
        stage = self._crew.plan.stages[self._launched_stages]
        self._launched_stages += 1
        self._awaited_since_s = self._crew.now_s
        named = self._crew.named(stage.processes)
        launched = [member for member in named if not member.spec.external and not member.joins]
        self._not_in_place = {member.name for member in launched}
        self._to_launch.extend(launched)

    def _launch_some(self) -> None:
        while self._to_launch and self._being_launched < AT_A_TIME:
            member = self._to_launch.popleft()
            self._being_launched += 1
            self._launch(member)

    def _connect_who_can(self, *members: Member) -> None:
        """Tell these where to connect, or without any name all who wait for it, as far as all is known."""
        crew = self._crew
        for member in members or list(self._unconnected.values()):
            if not self._addresses.knows_all_for(member):
                continue
            del self._unconnected[member.name]
            crew.tell(member, self._addresses.connect(member))
            if not crew.plan.barrier:
                crew.tell(member, Go())
                self._not_ready.discard(member.name)

    def _go(self) -> None:
        crew = self._crew
        self.went = True
        for member in crew.roles():
            if member.step is Step.READY or member.name in self._not_ready:
                crew.tell(member, Go())
        for member in crew.members.values():
            if not member.spec.is_role and not member.over and not member.joins:
                member.step = Step.WORKING
        connections = sum(
            one.peers for spec in crew.plan.processes for port in spec.ports for one in port.attachments
        )
        crew.publish(RunReady(at_s=crew.now_s, connections=connections))


def _to_blame(missing: list[Member]) -> list[Member]:
    """Those whose own step is missing; who merely waits for them is named only if there are none."""
    early = [member for member in missing if member.step < Step.BOUND]
    connecting = [member for member in missing if any(one.mode == "connect" for one in attachments(member))]
    return early or connecting or missing


def _longest_s(members: Iterable[Member]) -> dict[tuple[str, str], float]:
    """The longest `ready_within` of these by endpoint and mode: of those that bind there, and that connect."""
    longest: dict[tuple[str, str], float] = {}
    for member in members:
        for one in attachments(member):
            key = one.endpoint, one.mode
            longest[key] = max(longest.get(key, 0.0), member.spec.ready_within_s)
    return longest
