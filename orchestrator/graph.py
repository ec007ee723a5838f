"""Plans as pictures, Mermaid and dot: nodes, endpoints, arrows the way data goes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.cells import printable, times
from orchestrator.directions import counts_received, counts_sent
from orchestrator.mermaid import Direction, quoted
from orchestrator.mermaid import edge as arrow
from orchestrator.run.plan import Link, Plan
from roles.kit.spec import SOCKETS_TOKEN, ProcessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What joins a node and an endpoint. `direction` is the way of the data, seen from the node."""

    node: str
    endpoint: str
    label: str
    direction: Direction


def edges(plan: Plan) -> Iterator[Edge]:
    """Every use of an endpoint by a node, in the order of the plan's links."""
    first = {spec.node: spec for spec in reversed(plan.processes)}
    for link in plan.links:
        for node in dict.fromkeys((*link.senders, *link.receivers, *link.binders, *link.connectors)):
            yield _edge(first[node], link)


def _edge(spec: ProcessSpec, link: Link) -> Edge:
    kinds = [
        port.kind
        for port in spec.ports
        if any(attachment.endpoint == link.endpoint for attachment in port.attachments)
    ]
    verb = "binds" if spec.node in link.binders else "connects"
    label = " ".join(part for part in (", ".join(filter(None, kinds)), verb) if part)
    return Edge(node=spec.node, endpoint=link.endpoint, label=label, direction=_direction(spec, link, kinds))


def _direction(spec: ProcessSpec, link: Link, kinds: list[str]) -> Direction:
    known = [kind for kind in kinds if kind]
    sends = any(map(counts_sent, known)) if known else spec.node in link.senders
    receives = any(map(counts_received, known)) if known else spec.node in link.receivers
    if sends and receives:
        return "both"
    return "out" if sends else "in" if receives else "none"


def shown_addresses(addresses: tuple[str, ...]) -> str:
    """Addresses for a reader: the private ones as `ipc`, of many the first."""
    shown = list(dict.fromkeys("ipc" if SOCKETS_TOKEN in address else address for address in addresses))
    if len(shown) > 2:
        return f"{shown[0]} and {len(shown) - 1} more"
    return ", ".join(shown)


def _nodes(plan: Plan) -> dict[str, str]:
    """The label of each node by its name: its replicas, and its role where that says more."""
    labels = {}
    for spec in plan.processes:
        role = spec.role or ("external" if spec.external else " ".join(spec.command))
        name = times(spec.node, spec.replicas)
        labels[spec.node] = name if role == spec.node else f"{name}\n{_short(role)}"
    return labels


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def mermaid(*plans: Plan) -> str:
    """A Mermaid flowchart, each pattern in a box of its own, with a newline at its end."""
    lines = ["flowchart LR"]
    for plan in plans:
        lines.append(f"  subgraph {plan.pattern}_p[{quoted(_title(plan))}]")
        lines += [f"    {plan.pattern}_n_{name}[{quoted(label)}]" for name, label in _nodes(plan).items()]
        for link in plan.links:
            label = f"{link.endpoint}\n{shown_addresses(link.addresses)}".strip()
            lines.append(f"    {plan.pattern}_e_{link.endpoint}([{quoted(label)}])")
        lines += [f"    {_mermaid_edge(plan.pattern, edge)}" for edge in edges(plan)]
        lines.append("  end")
    return "\n".join(lines) + "\n"


def _title(plan: Plan) -> str:
    return f"{plan.pattern}: {plan.description}" if plan.description else plan.pattern


def _mermaid_edge(pattern: str, edge: Edge) -> str:
    node, endpoint = f"{pattern}_n_{edge.node}", f"{pattern}_e_{edge.endpoint}"
    return arrow(node, endpoint, edge.label, edge.direction)


def dot(*plans: Plan) -> str:
    """A graph for Graphviz, each pattern in a cluster of its own, with a newline at its end."""
    lines = ["digraph topology {", "  rankdir=LR;", "  node [shape=box];"]
    for plan in plans:
        lines += [f"  subgraph cluster_{plan.pattern} {{", f"    label={_quoted(_title(plan))};"]
        for name, label in _nodes(plan).items():
            lines.append(f"    {_id(plan, 'n', name)} [label={_quoted(label)}];")
        for link in plan.links:
            label = f"{link.endpoint}\n{shown_addresses(link.addresses)}".strip()
            lines.append(f"    {_id(plan, 'e', link.endpoint)} [shape=ellipse, label={_quoted(label)}];")
        lines += [f"    {_dot_edge(plan, edge)}" for edge in edges(plan)]
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_edge(plan: Plan, edge: Edge) -> str:
    node, endpoint = _id(plan, "n", edge.node), _id(plan, "e", edge.endpoint)
    label = f"label={_quoted(edge.label)}"
    match edge.direction:
        case "out":
            return f"{node} -> {endpoint} [{label}];"
        case "in":
            return f"{endpoint} -> {node} [{label}];"
        case "both":
            return f"{node} -> {endpoint} [{label}, dir=both];"
        case _:
            return f"{node} -> {endpoint} [{label}, dir=none];"


def _id(plan: Plan, kind: str, name: str) -> str:
    return _quoted(f"{plan.pattern}/{kind}/{name}")


def _quoted(text: str) -> str:
    lines = [printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'
