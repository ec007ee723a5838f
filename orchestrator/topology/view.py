"""One pattern as the lint sees it: its values, its wires with their paths, and what of it was left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.topology.addresses import Address
from orchestrator.topology.form import FaultForm
from orchestrator.topology.model import Node, Pattern
from orchestrator.topology.scalars import Value
from orchestrator.topology.tree import Path
from orchestrator.topology.wiring import RoleShape, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A pattern for the rules."""

    name: str
    pattern: Pattern
    wires: Mapping[Wire, Path]
    """Each wire, with the path of its use."""

    meetings: Mapping[tuple[str, str], Sequence[Wire]]
    """The wires by endpoint and mode."""

    shapes: Mapping[str, RoleShape]
    addresses: Mapping[str, Address]
    """Of the endpoints, but for those whose address cannot be read."""

    keys: Mapping[str, Collection[str]]
    """Of each node, those that it is written with."""

    raw_options: Mapping[str, Mapping[str, Mapping[str, object]]]
    """Of each node, its options as written."""

    expect: Mapping[str, Value]
    """The pattern's, as written."""

    faults: Sequence[FaultForm]
    """The pattern's, as written."""

    damaged: frozenset[str]
    """The nodes of which something was left out.

    Whatever a rule would miss in them may have stood there, and so it keeps silent.
    """

    lost: frozenset[str]
    """The nodes and endpoints that were left out whole."""

    most: Mapping[str, int]
    """How many processes each node can come to have, those that a fault adds included."""

    entire: bool
    """False where the wires are not all known."""

    names_known: bool
    """False where there may be more nodes and endpoints."""

    faults_entire: bool
    """False where a fault lost a key."""

    def path(self, *keys: str | int) -> Path:
        """A path within this pattern."""
        return ("patterns", self.name, *keys)

    def node_path(self, node: str, *keys: str | int) -> Path:
        """A path within a node."""
        return self.path("nodes", node, *keys)

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """The nodes, in file order."""
        yield from self.pattern.nodes.items()

    def at(self, endpoint: str, mode: str) -> Sequence[Wire]:
        """The wires that bind an endpoint, or connect to it."""
        return self.meetings.get((endpoint, mode), ())

    def is_source(self, node: str) -> bool:
        """Whether the node's role begins streams."""
        return node in self.shapes and self.shapes[node].source

    def met_together(self) -> Iterator[tuple[Path, str, bool, tuple[str, str]]]:
        """Pairs of endpoints that must be alike: the first and another of one port, or of both sides of a proxy.

        For each the place of the other, who meets them in words, whether that is a proxy, and the two names.
        """
        first: dict[tuple[str, str], str] = {}
        for wire, path in self.wires.items():
            if not wire.port:
                continue
            is_proxy = self.family(wire.node) == "proxy"
            other = first.setdefault((wire.node, "" if is_proxy else wire.port), wire.endpoint)
            who = f"proxy '{wire.node}'" if is_proxy else f"port '{wire.port}' of '{wire.node}'"
            yield path, who, is_proxy, (other, wire.endpoint)

    def codec(self, endpoint: str) -> str:
        """The codec in force at an endpoint."""
        return self.pattern.endpoints[endpoint].codec or self.pattern.codec

    def family(self, node: str) -> str:
        """The built-in role that a node's role is or derives from, or ""."""
        return self.shapes[node].family if node in self.shapes else ""
