"""Processes that join a run in progress: those that come late, those that come again, those that come in addition.

There is no barrier for them: such a process binds or connects like the others, says that it is ready, and may start.
Whoever is connected to by it looks for its new peer at once; a busy socket would do so in its own time.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from orchestrator.run.addresses import AddressBook, attachments
from orchestrator.run.crew import Crew
from orchestrator.run.events import ProcessAdded
from orchestrator.run.member import Member, Step
from orchestrator.run.outline import process_outline
from orchestrator.run.plan import Plan
from roles.kit.messages import Bound, Go, Joined
from roles.kit.spec import Attachment, PortSpec, ProcessSpec

LOOK_AGAIN_S = 0.1
"""The binder's side of a handshake may lag behind the connector's, who says that it is ready."""


class Joining:
    """Launches who is due, and lets them start. `enrol` puts a process that is new into the books."""

    def __init__(self, crew: Crew, addresses: AddressBook, enrol: Callable[[Member], None]) -> None:
        self._crew = crew
        self._addresses = addresses
        self._enrol = enrol
        self._due_s: dict[str, float] = {}
        self._awaited: dict[str, set[str]] = {}
        self._since_s: dict[str, float] = {}
        self._look_again: list[tuple[float, Member]] = []
        self._unconnected: dict[str, Member] = {}
        self._over = False

    def begin(self) -> None:
        """Go has been said: from now on the late-comers' delays run."""
        for member in self._crew.members.values():
            if member.spec.start_delay_s is not None:
                self._due_s[member.name] = self._crew.now_s + member.spec.start_delay_s

    def resume(self, back_s: dict[str, float], went_s: float) -> None:
        """Go on where another has left off: who was on the way is awaited, who was to come again then does."""
        crew = self._crew
        for member in list(crew.members.values()):
            spec = member.spec
            if member.step is Step.PLANNED and crew.draining and member.name not in back_s:
                member.called_off = True
            elif member.step is Step.PLANNED and spec.start_delay_s is not None and not member.was_restarted:
                self._due_s[member.name] = went_s + spec.start_delay_s
            elif member.step is Step.WORKING and spec.is_role:
                crew.tell(member, Go())
            elif Step.LAUNCHED <= member.step <= Step.BOUND and spec.is_role:
                self._awaited[member.name] = {
                    other.name for other in self._across(member) if _takes_part(other)
                }
                self._since_s[member.name] = crew.now_s
                self._addresses.expect_back(member)
                if member.step is Step.BOUND:
                    self.connect(member)
        for name, due_s in back_s.items():
            self.come_back(crew.members[name], max(0.0, due_s - crew.now_s))

    def come_back(self, member: Member, away_s: float) -> None:
        """Launch a process that has ended once more, so much later, or at once where the rest drains meanwhile.

        Where the run is over by now, it stays away.
        """
        if self._over:
            return
        member.begin_again()
        self._addresses.expect_back(member)
        self._due_s[member.name] = self._crew.now_s + (0.0 if self._crew.draining else away_s)

    def add(self, spec: ProcessSpec) -> Member:
        """Launch a process that was not there from the beginning."""
        member = self._crew.add(spec)
        self._enrol(member)
        self._crew.publish(ProcessAdded(at_s=self._crew.now_s, outline=process_outline(spec)))
        self._due_s[member.name] = self._crew.now_s
        return member

    def bring(self, member: Member) -> None:
        """Launch a process that is among the members and has not come yet, unless it is about to come anyway."""
        if member.step is Step.PLANNED and member.name not in self._due_s:
            member.joins = True
            self._addresses.expect_back(member)
            self._due_s[member.name] = self._crew.now_s

    def cancel(self, member: Member) -> bool:
        """A process that was to come later need not; False where there was none."""
        if self._due_s.pop(member.name, None) is None:
            return False
        member.called_off = True
        return True

    def call_off(self, *, everyone: bool = False) -> None:
        """The run is coming to its end: who has not come yet need not come; who comes again does so at once.

        With `everyone` nobody does any more.
        """
        for name in list(self._due_s):
            member = self._crew.members[name]
            if everyone or not member.was_restarted:
                member.called_off = True
                del self._due_s[name]
            else:
                self._due_s[name] = self._crew.now_s
        self._over = everyone

    def look(self) -> None:
        """Launch who is due, and let those go on who waited for somebody that has left by now."""
        crew = self._crew
        for name, due_s in list(self._due_s.items()):
            if crew.now_s >= due_s:
                del self._due_s[name]
                self._launch(crew.members[name])
        for name in list(self._awaited):
            member = crew.members[name]
            if member.over:
                del self._awaited[name]
            elif member.step is Step.CONNECTING and any(other.part_is_done for other in self._partners(name)):
                self._go(member)
        for again_s, member in list(self._look_again):
            if crew.now_s >= again_s:
                self._look_again.remove((again_s, member))
                self._tell_peers(member)

    def launched(self, member: Member) -> None:
        """A process runs; a command thereby takes part."""
        if member.spec.command:
            self._addresses.place_planned(member)
            member.step, member.in_place_s = Step.WORKING, self._crew.now_s
            self._awaited.pop(member.name, None)

    def bound(self, member: Member, message: Bound) -> None:
        """A process has bound what it binds; others' addresses are known, but for such as come together with it."""
        for endpoint, address in message.addresses.items():
            self._addresses.place(member, endpoint, address)
        self.connect(member)

    def connect(self, member: Member) -> None:
        """Tell a process where to connect, and others who may have waited for it, as far as all is known."""
        self._unconnected[member.name] = member
        for other in list(self._unconnected.values()):
            if self._addresses.knows_all_for(other):
                del self._unconnected[other.name]
                self._crew.tell(other, self._addresses.connect(other))

    def ready(self, member: Member) -> None:
        """A process is in place: it may start, and those that it is connected to are told of it."""
        self._go(member)
        self._tell_peers(member)
        self._look_again.append((self._crew.now_s + LOOK_AGAIN_S, member))

    @property
    def overdue(self) -> list[Member]:
        """Those whose time to come into place has passed."""
        waiting = [self._crew.members[name] for name in self._awaited]
        attended_s = self._crew.attended_s
        return [
            member
            for member in waiting
            if not member.part_is_done
            and attended_s(self._since_s[member.name]) >= member.spec.ready_within_s
        ]

    def _launch(self, member: Member) -> None:
        partners = [other for other in self._across(member) if _takes_part(other)]
        self._awaited[member.name] = {other.name for other in partners}
        self._since_s[member.name] = self._crew.now_s
        if member.spec.command:
            told, nodes = self._addresses.told(member), self._addresses.listeners(member)
            self._crew.launch(member, told, spec=member.spec, nodes=nodes)
        else:
            spec = self._spec_now(member, partners)
            self._crew.launch(member, {}, spec=_forgiving(spec, _strict_feeds(self._crew.plan)))

    def _go(self, member: Member) -> None:
        self._awaited.pop(member.name, None)
        self._crew.tell(member, Go())

    def _partners(self, name: str) -> list[Member]:
        return self._crew.named(self._awaited[name])

    def _across(self, member: Member) -> list[Member]:
        """Everyone at the other side of its endpoints."""
        return [
            other
            for other in self._crew.members.values()
            if other is not member and _meets(attachments(member), attachments(other))
        ]

    def _tell_peers(self, member: Member) -> None:
        for other in self._across(member):
            if other.step is Step.WORKING and other.spec.is_role and other.spec.family != "proxy":
                self._crew.tell(other, Joined())

    def _spec_now(self, member: Member, partners: list[Member]) -> ProcessSpec:
        """Its spec with the addresses that it had before, and with those peers who are there now."""
        own = self._addresses.own(member)
        names = {other.name for other in self._crew.members.values() if _takes_part(other)}
        ports = tuple(_port_now(port, own, partners, names) for port in member.spec.ports)
        return msgspec.structs.replace(member.spec, ports=ports)


def _strict_feeds(plan: Plan) -> set[str]:
    """The endpoints at which a gap fails the run."""
    return {endpoint for book in plan.books if book.gaps == "fail" for endpoint in book.endpoints}


def _forgiving(spec: ProcessSpec, strict: set[str]) -> ProcessSpec:
    """A subscriber that joins where a gap fails the run must not fail it by what was sent before it came."""
    ports = tuple(
        msgspec.structs.replace(port, forgives_beginning=True)
        if any(one.endpoint in strict for one in port.attachments)
        else port
        for port in spec.ports
    )
    return msgspec.structs.replace(spec, ports=ports)


def _takes_part(member: Member) -> bool:
    """It is connected, or about to be, and will stay for a while."""
    if member.spec.external:
        return True
    return (
        member.step >= (Step.CONNECTING if member.spec.is_role else Step.LAUNCHED) and not member.part_is_done
    )


def _meets(mine: list[Attachment], theirs: list[Attachment]) -> bool:
    other_side = {(one.endpoint, "connect" if one.mode == "bind" else "bind") for one in mine}
    return any((one.endpoint, one.mode) in other_side for one in theirs)


def _port_now(
    port: PortSpec, own: dict[str, tuple[str, ...]], partners: list[Member], names: set[str]
) -> PortSpec:
    attached = tuple(_attachment_now(one, own, partners) for one in port.attachments)
    subscribers = tuple(name for name in port.partners if name in names)
    return msgspec.structs.replace(
        port, attachments=attached, partners=subscribers if port.kind == "PUB" else port.partners
    )


def _attachment_now(one: Attachment, own: dict[str, tuple[str, ...]], partners: list[Member]) -> Attachment:
    if one.mode == "connect":
        return one
    peers = sum(
        port.copies
        for other in partners
        for port in other.spec.ports
        for theirs in port.attachments
        if (theirs.endpoint, theirs.mode) == (one.endpoint, "connect")
    )
    return msgspec.structs.replace(one, address=own[one.endpoint][0], peers=peers)
