"""The launch order: who receives starts before who sends, and `depends_on` adds to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.run.graph import components, layers
from orchestrator.topology.addresses import Address
from orchestrator.topology.model import Node
from orchestrator.topology.traffic import Traffic

Edges = dict[str, list[str]]
"""Names mapped to those that must start before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOrder:
    """Stages of nodes with the reason for each, the data cycles, and a node whose `depends_on` cannot be had."""

    stages: tuple[tuple[tuple[str, ...], str], ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    contradiction: str = ""


def launch_order(
    nodes: Mapping[str, Node], traffics: Sequence[Traffic], addresses: Mapping[str, Address]
) -> LaunchOrder:
    """The order of a pattern's nodes. Nodes in a data cycle form one stage; only `depends_on` can contradict."""
    data = _data_edges(nodes, traffics, addresses)
    edges = {node: [*data[node], *_depends(nodes[node], nodes)] for node in nodes}
    group_of = {node: group for group in components(edges) for node in group}
    for node in nodes:
        for other in _depends(nodes[node], nodes):
            if other in group_of[node] and other not in data[node]:
                return LaunchOrder(contradiction=node)
    cycles = tuple(group for group in components(data) if len(group) > 1 or group[0] in data[group[0]])
    stages = []
    for layer in layers(_without_loops(edges)):
        members = tuple(node for group in layer for node in group)
        stages.append((members, _why(members, data, nodes)))
    return LaunchOrder(stages=tuple(stages), cycles=cycles)


def _depends(node: Node, nodes: Mapping[str, Node]) -> list[str]:
    return [other for other in node.depends_on if other in nodes]


def _without_loops(edges: Edges) -> Edges:
    return {node: [other for other in others if other != node] for node, others in edges.items()}


def _data_edges(
    nodes: Mapping[str, Node], traffics: Sequence[Traffic], addresses: Mapping[str, Address]
) -> Edges:
    """From each sender to its receivers; a command that needs to be told an address waits for its binder instead."""
    edges: Edges = {node: [] for node in nodes}
    for one in traffics:
        told = _told_late(one, nodes, addresses[one.endpoint])
        for sender in one.senders:
            for receiver in one.receivers:
                if sender.node not in told and receiver.node not in told:
                    _add(edges, sender.node, receiver.node)
        for command in told:
            for binder in one.binders:
                _add(edges, command, binder.node)
    _let_sending_commands_come_last(edges, nodes, traffics)
    return edges


def _told_late(one: Traffic, nodes: Mapping[str, Node], address: Address) -> set[str]:
    """Commands that connect to a port which its binder will pick."""
    if address.transport != "tcp" or not address.dynamic:
        return set()
    return {wire.node for wire in one.connectors if nodes[wire.node].command}


def _let_sending_commands_come_last(
    edges: Edges, nodes: Mapping[str, Node], traffics: Sequence[Traffic]
) -> None:
    """No barrier holds a command: what only sends begins at once, so everything else comes first."""
    send = {wire.node for one in traffics for wire in one.senders}
    take = {wire.node for one in traffics for wire in one.receivers}
    last = {node for node in send - take if nodes[node].command}
    for node in last:
        for other in nodes:
            if other not in last and node not in _all_that(other, nodes):
                _add(edges, node, other)


def _all_that(node: str, nodes: Mapping[str, Node]) -> set[str]:
    """All that a node depends on, through others too."""
    found: set[str] = set()
    ahead = [node]
    while ahead:
        new = [other for other in _depends(nodes[ahead.pop()], nodes) if other not in found]
        found.update(new)
        ahead += new
    return found


def _add(edges: Edges, node: str, before: str) -> None:
    if before not in edges[node]:
        edges[node].append(before)


def _why(members: Sequence[str], data: Edges, nodes: Mapping[str, Node]) -> str:
    receivers = _unique(other for node in members for other in data[node] if other not in members)
    needed = _unique(other for node in members for other in _depends(nodes[node], nodes))
    parts = []
    if receivers:
        parts.append(f"sends to {', '.join(receivers)}")
    if needed:
        parts.append(f"depends on {', '.join(needed)}")
    return "; ".join(parts)


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
