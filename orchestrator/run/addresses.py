"""Addresses of a run: bound by some processes, told to others.

An endpoint's addresses are known once all of its binders have bound; a binder that comes late has an address
that is known beforehand, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from orchestrator.run.crew import Crew
from orchestrator.run.events import AddressesKnown
from orchestrator.run.member import Member
from orchestrator.run.plan import Plan
from roles.kit.messages import Connect
from roles.kit.spec import SOCKETS_TOKEN, Attachment, ProcessSpec

Addresses = dict[str, tuple[str, ...]]
"""Addresses by endpoint."""

_CLOSED_AT_THE_END = ("PULL", "SUB")


class AddressBook:
    """Who has bound what. `sockets` is the run's private directory, for addresses in it."""

    def __init__(self, crew: Crew, *, sockets: str) -> None:
        self.known: Addresses = {}
        self._crew = crew
        self._sockets = sockets
        self._bound: dict[str, dict[str, str]] = {}
        self._unbound: dict[str, set[str]] = {}
        self._comers: list[Member] = []
        for member in crew.members.values():
            for one in binds(member):
                self._unbound.setdefault(one.endpoint, set()).add(member.name)

    def begin(self) -> None:
        """Note the addresses of those who need not bind before others connect: externals and late-comers."""
        for member in self._crew.members.values():
            if member.joins:
                self.expect_back(member)
            if member.spec.external or member.joins:
                for one in binds(member):
                    self.place(member, one.endpoint, self._resolved(one.address))

    def adopt(self, before: Plan, after: Plan) -> None:
        """Forget the addresses that are others in the new plan; their binders are to come, or to come again."""
        old = {link.endpoint: link.addresses for link in before.links}
        for link in after.links:
            if old.get(link.endpoint) != link.addresses:
                self.known.pop(link.endpoint, None)
                self._bound.pop(link.endpoint, None)
                binders = [m for m in self._crew.members.values() if m.spec.node in link.binders]
                self._unbound[link.endpoint] = {member.name for member in binders}
                for member in binders:
                    if member.spec.external:
                        self._place_planned_at(member, link.endpoint)

    def _place_planned_at(self, member: Member, endpoint: str) -> None:
        for one in binds(member):
            if one.endpoint == endpoint:
                self.place(member, endpoint, self._resolved(one.address))

    def expect_back(self, member: Member) -> None:
        """A process is to come, or to come again: nobody listens at its addresses meanwhile."""
        if binds(member) and member not in self._comers:
            self._comers.append(member)

    def place_planned(self, member: Member) -> bool:
        """A command is taken to bind as planned; True where an endpoint became known by it."""
        news = [self.place(member, one.endpoint, self._resolved(one.address)) for one in binds(member)]
        return any(news)

    def place(self, member: Member, endpoint: str, address: str) -> bool:
        """An address is bound; True where it is the endpoint's last, and all of them are known now."""
        self._bound.setdefault(endpoint, {})[member.name] = address
        waiting = self._unbound.get(endpoint, set())
        waiting.discard(member.name)
        if waiting or endpoint in self.known:
            return False
        addresses = tuple(dict.fromkeys(self._bound[endpoint].values()))
        self.known[endpoint] = addresses
        self._crew.publish(AddressesKnown(at_s=self._crew.now_s, endpoint=endpoint, addresses=addresses))
        return True

    def knows_all_for(self, member: Member) -> bool:
        """Whether a process can connect."""
        return all(one.endpoint in self.known for one in connects(member))

    def connect(self, member: Member) -> Connect:
        """What a process is told of where to connect; one that joins later waits for nobody who has left."""
        wanted = {one.endpoint: list(self.known[one.endpoint]) for one in connects(member)}
        unheard = self.late | self._deserted if member.joins else self.late
        late = sorted(unheard.intersection(_flat(wanted)))
        return Connect(addresses=wanted, late=late, nodes=self.listeners(member))

    def listeners(self, member: Member) -> dict[str, str]:
        """Under CURVE, by address the node whose key a process asks for."""
        curve = {one.endpoint: one.curve for one in connects(member) if one.curve is not None}
        if not curve:
            return {}
        return {
            self._bound.get(one.endpoint, {}).get(other.name) or self._resolved(one.address): other.spec.node
            for other in self._crew.members.values()
            for one in binds(other)
            if other.spec.node in curve.get(one.endpoint, ())
        }

    @property
    def late(self) -> set[str]:
        """Addresses at which nobody listens as yet: their binder is to come, or to come again."""
        return {
            self._bound[one.endpoint][member.name]
            for member in self._comers
            if not member.has_bound
            for one in binds(member)
            if member.name in self._bound.get(one.endpoint, {})
        }

    @property
    def _deserted(self) -> set[str]:
        """Addresses at which nobody listens any more: their binder has left, or has finished and closed its inlet."""
        return {
            self._bound[one.endpoint][member.name]
            for member in self._crew.members.values()
            for port in member.spec.ports
            if member.over or (member.quiet and port.kind in _CLOSED_AT_THE_END)
            for one in port.attachments
            if one.mode == "bind" and member.name in self._bound.get(one.endpoint, {})
        }

    def count_for(self, endpoint: str) -> int:
        """At how many addresses of an endpoint somebody listens."""
        return len(set(self.known.get(endpoint, ())) - self.late)

    def shown(self, endpoint: str) -> str:
        """The addresses of an endpoint in words."""
        return ", ".join(self.known.get(endpoint, ())) or "not bound"

    def own(self, member: Member) -> Addresses:
        """Where a process binds: what it has bound before, else as planned."""
        return {
            one.endpoint: (self._bound.get(one.endpoint, {}).get(member.name) or self._resolved(one.address),)
            for one in binds(member)
        }

    def spec_at_its_old_place(self, member: Member) -> ProcessSpec:
        """A process's spec with the addresses that it has bound before."""
        own = self.own(member)
        ports = [
            msgspec.structs.replace(
                port,
                attachments=tuple(
                    msgspec.structs.replace(one, address=own[one.endpoint][0]) if one.mode == "bind" else one
                    for one in port.attachments
                ),
            )
            for port in member.spec.ports
        ]
        return msgspec.structs.replace(member.spec, ports=tuple(ports))

    def told(self, member: Member) -> Addresses:
        """The addresses that a command finds in its environment."""
        return self.own(member) | {one.endpoint: self._planned(one.endpoint) for one in connects(member)}

    def _planned(self, endpoint: str) -> tuple[str, ...]:
        """The addresses of an endpoint: those bound, or as planned where its binders come later."""
        if endpoint in self.known:
            return self.known[endpoint]
        link = next(link for link in self._crew.plan.links if link.endpoint == endpoint)
        return tuple(dict.fromkeys(self._resolved(address) for address in link.addresses))

    def _resolved(self, address: str) -> str:
        return address.replace(SOCKETS_TOKEN, self._sockets)


def attachments(member: Member) -> list[Attachment]:
    """Every endpoint at every port of a process."""
    return [one for port in member.spec.ports for one in port.attachments]


def binds(member: Member) -> list[Attachment]:
    """What it binds."""
    return [one for one in attachments(member) if one.mode == "bind"]


def connects(member: Member) -> list[Attachment]:
    """What it connects to."""
    return [one for one in attachments(member) if one.mode == "connect"]


def _flat(addresses: dict[str, list[str]]) -> Iterable[str]:
    return [address for several in addresses.values() for address in several]
