"""A plan with more or fewer processes of one node. Pure: the same plan and number give the same plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from orchestrator.run.difference import successor
from orchestrator.run.plan import BookPlan, End, Plan
from orchestrator.topology.suggest import did_you_mean_or_list
from roles.kit.spec import Attachment, PortSpec, ProcessSpec

MOST_REPLICAS = 10_000


def scaled(plan: Plan, node: str, replicas: int) -> Plan:
    """The plan with so many processes of a node; those that it has keep their names.

    Raises ValueError, in words for the user, where the node can have no other number.
    """
    alike = [spec for spec in plan.processes if spec.node == node]
    if alike and len(alike) == replicas:
        return plan
    why = _why_not(plan, node, alike, replicas)
    if why:
        raise ValueError(f"cannot scale '{node}': {why}")
    names = [f"{node}-{replica}" for replica in range(1, replicas + 1)]
    own = _own(alike, replicas)
    change = _Change(node, names, more=replicas - len(alike), model=alike[0])
    processes = _in_place(plan.processes, alike, own)
    other = msgspec.structs.replace(
        plan,
        processes=tuple(change.spec(spec) for spec in processes),
        stages=tuple(
            msgspec.structs.replace(stage, processes=change.names(stage.processes)) for stage in plan.stages
        ),
        books=tuple(change.book(book) for book in plan.books),
        cycles=tuple(change.names(cycle) for cycle in plan.cycles),
        reserves=tuple(spec for spec in plan.reserves if spec.name not in names),
    )
    return successor(other, plan)


def _why_not(plan: Plan, node: str, alike: Sequence[ProcessSpec], replicas: int) -> str:
    if not alike:
        nodes = dict.fromkeys(spec.node for spec in plan.processes)
        return f"there is no such node ({did_you_mean_or_list(node, nodes, 'nodes')})"
    if not 1 <= replicas <= MOST_REPLICAS:
        return f"{replicas} is no number of processes (write 1 to {MOST_REPLICAS:,})"
    first = alike[0]
    if first.external:
        return "it is started by somebody else"
    if first.source or (first.is_role and not first.receives and first.family != "proxy"):
        return "its processes share out one stream of items among as many as there are at the start"
    bound = [one.endpoint for port in first.ports for one in port.attachments if one.mode == "bind"]
    if bound:
        return (
            f"it binds '{bound[0]}', and nobody would know of another address (let it connect, others bind)"
        )
    return ""


def _own(alike: Sequence[ProcessSpec], replicas: int) -> list[ProcessSpec]:
    """The node's processes as they are to be: those that stay, and new ones like the first."""
    by_replica = {spec.replica: spec for spec in alike}
    own = []
    for replica in range(1, replicas + 1):
        spec = by_replica.get(replica) or msgspec.structs.replace(
            alike[0], name=f"{alike[0].node}-{replica}", replica=replica
        )
        own.append(msgspec.structs.replace(spec, replicas=replicas))
    return own


def _in_place(
    processes: Iterable[ProcessSpec], old: Sequence[ProcessSpec], new: Sequence[ProcessSpec]
) -> list[ProcessSpec]:
    """These processes with the old ones replaced where the first of them stands."""
    found: list[ProcessSpec] = []
    for spec in processes:
        if spec is old[0]:
            found += new
        elif spec not in old:
            found.append(spec)
    return found


class _Change:
    """One node's processes in all that names them: `more` than before, each like `model`."""

    def __init__(self, node: str, names: Sequence[str], *, more: int, model: ProcessSpec) -> None:
        self._node = node
        self._names = names
        self._more = more
        self._copies: dict[str, int] = {}
        for port in model.ports:
            for one in port.attachments:
                self._copies[one.endpoint] = self._copies.get(one.endpoint, 0) + port.copies

    def names(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of processes, where the node's stand together."""
        return tuple(name for name, _ in self.ends((name, "") for name in names))

    def ends(self, ends: Iterable[End]) -> tuple[End, ...]:
        """Ends of a book: each process of the node has those that its others have."""
        ends = list(ends)
        ports = list(dict.fromkeys(port for name, port in ends if self._is_of_node(name)))
        found: list[End] = []
        for name, port in ends:
            if not self._is_of_node(name):
                found.append((name, port))
            elif ports:
                found += [(other, own) for other in self._names for own in ports]
                ports = []
        return tuple(found)

    def book(self, book: BookPlan) -> BookPlan:
        """A book with all of the node's processes in it."""
        return msgspec.structs.replace(
            book,
            senders=self.ends(book.senders),
            receivers=self.ends(book.receivers),
            conduits=self.names(book.conduits),
            strangers_send=self.names(book.strangers_send),
            strangers_receive=self.names(book.strangers_receive),
        )

    def spec(self, spec: ProcessSpec) -> ProcessSpec:
        """A process that awaits as many peers as there then are."""
        return msgspec.structs.replace(spec, ports=tuple(map(self._port, spec.ports)))

    def _port(self, port: PortSpec) -> PortSpec:
        attached = tuple(map(self._attachment, port.attachments))
        return msgspec.structs.replace(port, attachments=attached, partners=self.names(port.partners))

    def _attachment(self, one: Attachment) -> Attachment:
        more = self._more * self._copies.get(one.endpoint, 0) if one.mode == "bind" else 0
        return msgspec.structs.replace(one, peers=one.peers + more) if more else one

    def _is_of_node(self, name: str) -> bool:
        return name.rpartition("-")[0] == self._node
