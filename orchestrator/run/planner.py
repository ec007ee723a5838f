"""Topology -> Plan: stages from "who receives starts before who sends", and one spec a process.

Pure and deterministic: the same topology gives the same plan, byte for byte.
"""

from __future__ import annotations

import itertools

from orchestrator.run.bookkeeping import book_name, book_plans
from orchestrator.run.experiment import expectations, faults
from orchestrator.run.order import LaunchOrder, launch_order
from orchestrator.run.plan import Link, Plan, Stage
from orchestrator.topology.addresses import parse_address
from orchestrator.topology.check import Checked
from orchestrator.topology.delivery import Reach, reaches
from orchestrator.topology.problem import Problem, TopologyError
from orchestrator.topology.traffic import Traffic, joined, traffic
from orchestrator.topology.tree import Finding, problem_at
from orchestrator.topology.wiring import Wire
from roles.kit.slot import MAX_PORTS
from roles.kit.spec import SOCKETS_TOKEN, Attachment, PortSpec, ProcessSpec, Restart

READY_WITHIN_S = 10.0
EXTERNAL_READY_WITHIN_S = 300.0


def make_plan(checked: Checked, pattern: str, *, file: str) -> Plan:
    """The plan of one pattern of a checked topology; `file` is its name as it is shown.

    Raises TopologyError where `depends_on` contradicts the order that the sockets ask for.
    """
    return _Planner(checked, pattern, file).plan()


class _Planner:
    """Makes one plan; its attributes are what several of its parts look at."""

    def __init__(self, checked: Checked, name: str, file: str) -> None:
        self._checked = checked
        self._name = name
        self._file = file
        self._pattern = checked.topology.patterns[name]
        self._nodes = self._pattern.nodes
        self._shapes = checked.shapes[name]
        self._addresses = {
            endpoint: parse_address(value.address) for endpoint, value in self._pattern.endpoints.items()
        }
        self._wires = checked.wires[name]
        self._traffics = [traffic(endpoint, self._wires) for endpoint in self._pattern.endpoints]
        proxies = [node for node, shape in self._shapes.items() if shape.family == "proxy"]
        self._proxies = frozenset(proxies)
        self._groups = joined(self._traffics, proxies)
        self._group_of = {one.endpoint: group for group in self._groups for one in group}
        self._deliveries = reaches(self._pattern.endpoints, self._wires)

    def plan(self) -> Plan:
        """The whole plan."""
        order = launch_order(self._nodes, self._traffics, self._addresses)
        if order.contradiction:
            raise TopologyError([self._contradiction(order.contradiction)])
        pattern, lines = self._pattern, self._checked.lines[self._name]
        books = tuple(
            book
            for group in self._groups
            for book in book_plans(
                group, pattern, proxies=self._proxies, processes=self._names, deliveries=self._deliveries
            )
        )
        processes = self._processes(order)
        return Plan(
            topology=self._file,
            pattern=self._name,
            description=pattern.description,
            processes=processes,
            stages=tuple(
                Stage(nodes=nodes, processes=self._all(nodes), why=why) for nodes, why in order.stages
            ),
            links=tuple(self._link(one) for one in self._traffics if one.binders or one.connectors),
            books=books,
            cycles=tuple(self._all(cycle) for cycle in order.cycles),
            barrier=pattern.sync == "barrier",
            hold=pattern.close == "balanced",
            duration_s=pattern.duration_s,
            stall_s=pattern.stall_s,
            settle_s=pattern.settle_s,
            seed=pattern.seed,
            expectations=expectations(pattern, books, lines),
            faults=faults(pattern, lines),
            reserves=self._reserves(order, len(processes)),
            lines=lines,
        )

    def _contradiction(self, node: str) -> Problem:
        finding = Finding(
            code="depends-on",
            text=f"'{node}' cannot start after what it depends on: the sockets ask for the other order",
            path=("patterns", self._name, "nodes", node, "depends_on"),
            hint="who receives starts before who sends; leave depends_on out",
        )
        return problem_at(self._checked.tree, finding)

    def _all(self, nodes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(process for node in nodes for process in self._names(node))

    def _names(self, node: str) -> tuple[str, ...]:
        return tuple(f"{node}-{replica}" for replica in range(1, self._nodes[node].replicas + 1))

    def _processes(self, order: LaunchOrder) -> tuple[ProcessSpec, ...]:
        slots = itertools.count()
        specs = []
        for number, (nodes, _) in enumerate(order.stages, start=1):
            for node in nodes:
                for replica in range(1, self._nodes[node].replicas + 1):
                    slot = next(slots) if self._nodes[node].role else -1
                    specs.append(self._process(node, replica, stage=number, slot=slot))
        return tuple(specs)

    def _reserves(self, order: LaunchOrder, slots: int) -> tuple[ProcessSpec, ...]:
        """The processes that a fault may add, each with a slot of its own."""
        most = self._pattern.most_replicas()
        stage = {node: number for number, (nodes, _) in enumerate(order.stages, start=1) for node in nodes}
        added = [
            (name, replica)
            for name, node in self._nodes.items()
            for replica in range(node.replicas + 1, most[name] + 1)
        ]
        return tuple(
            self._process(name, replica, stage=stage[name], slot=slot if self._nodes[name].role else -1)
            for slot, (name, replica) in enumerate(added, start=slots)
        )

    def _process(self, name: str, replica: int, *, stage: int, slot: int) -> ProcessSpec:
        node = self._nodes[name]
        shape = self._shapes.get(name)
        ready_within_s = EXTERNAL_READY_WITHIN_S if node.external else READY_WITHIN_S
        return ProcessSpec(
            name=f"{name}-{replica}",
            node=name,
            role=node.role or "",
            family=shape.family if shape else "",
            replica=replica,
            replicas=node.replicas,
            stage=stage,
            slot=slot,
            ports=self._role_ports(name, replica) if node.role else self._bare_ports(name, replica),
            params=node.params,
            environment=node.environment,
            command=node.command,
            external=node.external,
            receives=any(wire.node == name for one in self._traffics for wire in one.receivers),
            sends=any(wire.node == name for one in self._traffics for wire in one.senders),
            source=shape.source if shape else False,
            start_delay_s=node.start_delay_s,
            restart=Restart(
                policy=node.restart.policy,
                most=node.restart.most,
                within_s=node.restart.within_s,
                backoff_s=node.restart.backoff_s,
            ),
            ready_within_s=ready_within_s if node.ready_within_s is None else node.ready_within_s,
            stop_grace_s=node.stop_grace_period_s,
            task_timeout_s=node.task_timeout_s,
        )

    def _role_ports(self, name: str, replica: int) -> tuple[PortSpec, ...]:
        """The role's ports that meet an endpoint, in the order in which the role declares them."""
        shape = self._shapes[name]
        ports: list[PortSpec] = []
        for port, port_shape in shape.ports.items():
            wires = [wire for wire in self._wires if (wire.node, wire.port) == (name, port)]
            if wires:
                ports.append(
                    self._port(port_shape.kind, wires, replica, self._nodes[name].options.get(port, {}))
                )
        if len(ports) > MAX_PORTS:
            text = f"'{name}' has {len(ports)} ports in use, {MAX_PORTS} is the most"
            hint = "let one port meet several endpoints"
            finding = Finding(
                code="too-many-ports",
                text=text,
                path=("patterns", self._name, "nodes", name),
                hint=hint,
                on="key",
            )
            raise TopologyError([problem_at(self._checked.tree, finding)])
        return tuple(ports)

    def _port(self, kind: str, wires: list[Wire], replica: int, options: dict[str, int | str]) -> PortSpec:
        first = self._pattern.endpoints[wires[0].endpoint]
        batch = first.batch if kind in ("PUSH", "PULL") else 1
        marks = [self._pattern.endpoints[wire.endpoint].hwm for wire in wires]
        mine = [
            (reach, part) for reach in self._deliveries for wire, part in reach.parts.items() if wire in wires
        ]
        attached = [self._attachment(wire, replica) for wire in wires]
        attached += [
            self._acks(reach) for reach in dict.fromkeys(reach for reach, part in mine if part == "keep")
        ]
        return PortSpec(
            name=wires[0].port,
            kind=kind,
            codec=first.codec or self._pattern.codec,
            attachments=tuple(attached),
            hwm=next((mark for mark in marks if mark is not None), None),
            options=options,
            partners=self._partners(kind, wires[0]),
            delimited=kind == "DEALER" and self._meets_rep(wires[0]),
            copies=self._copies(wires[0]),
            batch=batch,
            one_by_one=batch > 1 and self._nodes[wires[0].node].task_timeout_s is not None,
            max_message_bytes=first.max_message_bytes,
            sequence=kind in ("PUB", "SUB")
            and any(self._pattern.endpoints[wire.endpoint].sequence for wire in wires),
            delivery=next((part for _, part in mine), ""),
            window=min((reach.window for reach, _ in mine), default=0),
        )

    def _bare_ports(self, name: str, replica: int) -> tuple[PortSpec, ...]:
        """What a command or an external is told: its endpoints, each like a port of that name."""
        return tuple(
            PortSpec(name=wire.endpoint, kind="", attachments=(self._attachment(wire, replica),))
            for wire in self._wires
            if wire.node == name
        )

    def _attachment(self, wire: Wire, replica: int) -> Attachment:
        one = next(one for one in self._traffics if one.endpoint == wire.endpoint)
        curve = None
        if self._pattern.is_curve(wire.endpoint):
            far = one.binders if wire.mode == "connect" else one.connectors
            acking_nodes = self._acking(wire.endpoint) if wire.mode == "bind" else ()
            curve = tuple(dict.fromkeys([*(other.node for other in far), *acking_nodes]))
        if wire.mode == "connect":
            return Attachment(endpoint=wire.endpoint, mode="connect", curve=curve)
        peers = sum(
            self._nodes[other.node].replicas * self._copies(other)
            for other in one.connectors
            if not self._is_late(other.node)
        )
        acking = self._acking(wire.endpoint)
        peers += sum(self._nodes[node].replicas for node in acking if not self._is_late(node))
        address = self._address(wire, replica, one)
        return Attachment(endpoint=wire.endpoint, mode="bind", address=address, peers=peers, curve=curve)

    def _acking(self, tasks: str) -> tuple[str, ...]:
        """The nodes that acknowledge the tasks of an endpoint."""
        keeps = [wire for reach in self._deliveries if reach.tasks == tasks for wire in reach.keeps]
        return tuple(dict.fromkeys(wire.node for wire in keeps))

    def _acks(self, reach: Reach) -> Attachment:
        curve = None
        if self._pattern.is_curve(reach.tasks):
            curve = tuple(dict.fromkeys(wire.node for wire in reach.gives))
        return Attachment(endpoint=reach.tasks, mode="connect", acks=True, curve=curve)

    def _address(self, wire: Wire, replica: int, one: Traffic) -> str:
        address = self._addresses[wire.endpoint]
        if address.transport == "ipc" and address.dynamic:
            before = itertools.takewhile(lambda other: other.node != wire.node, one.binders)
            number = sum(self._nodes[other.node].replicas for other in before) + replica
            return f"ipc://{SOCKETS_TOKEN}/{wire.endpoint}-{number}"
        return self._pattern.endpoints[wire.endpoint].address

    def _copies(self, wire: Wire) -> int:
        shape = self._shapes.get(wire.node)
        if shape is None or shape.family != "client" or wire.kind != "REQ":
            return 1
        return int(self._nodes[wire.node].params.get("sockets") or 1)

    def _partners(self, kind: str, wire: Wire) -> tuple[str, ...]:
        """A PUB's subscribers of ours; a SUB's publishers, commands included, which never say that they end."""
        group = self._group_of[wire.endpoint]
        if kind == "PUB":
            subs = [other for one in group for other in one.receivers if other.kind == "SUB"]
            nodes = {other.node for one in group for other in (*one.binders, *one.connectors)}
            if any(map(self._is_late, nodes & self._proxies)):  # what is behind it cannot be seen yet
                subs = [other for other in subs if other.endpoint == wire.endpoint]
            far = [other.node for other in subs if not self._is_late(other.node)]
        elif kind == "SUB":
            far = [other.node for one in group for other in one.senders if other.node not in self._proxies]
        else:
            return ()
        return self._all(tuple(dict.fromkeys(far)))

    def _is_late(self, node: str) -> bool:
        """Whether it comes after Go, so that nobody waits for it."""
        return self._nodes[node].start_delay_s is not None

    def _meets_rep(self, wire: Wire) -> bool:
        group = self._group_of[wire.endpoint]
        return any(other.kind == "REP" for one in group for other in (*one.binders, *one.connectors))

    def _link(self, one: Traffic) -> Link:
        addresses = [
            self._address(wire, replica, one)
            for wire in one.binders
            for replica in range(1, self._nodes[wire.node].replicas + 1)
        ]
        return Link(
            endpoint=one.endpoint,
            kind=one.kind,
            addresses=tuple(addresses),
            senders=tuple(dict.fromkeys(wire.node for wire in one.senders)),
            receivers=tuple(dict.fromkeys(wire.node for wire in one.receivers)),
            binders=tuple(dict.fromkeys(wire.node for wire in one.binders)),
            connectors=tuple(dict.fromkeys(wire.node for wire in one.connectors)),
            book=book_name(self._group_of[one.endpoint]),
        )
