"""Lint of endpoints and links: who binds, who connects, whether they can talk, and at which address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View
from orchestrator.topology.wiring import Wire
from orchestrator.topology.zeromq import EXPECTED, NEEDS, PUBLISHES, RECEIVES, SENDS, SUBSCRIBES, can_talk


def socket_pairs(view: View) -> Iterator[Finding]:
    """Sockets that meet and cannot talk; told at the side that connects."""
    for wire, path in view.wires.items():
        if wire.mode != "connect" or not wire.kind:
            continue
        for binder in view.at(wire.endpoint, "bind"):
            if not can_talk(wire.kind, binder.kind):
                text = f"{wire.kind} cannot talk to {binder.kind} of '{binder.node}'"
                hint = f"{EXPECTED[binder.kind]}; {NEEDS[wire.kind]}"
                yield Finding(code="socket-pair", text=text, path=path, hint=hint)
                break


def lonely_endpoints(view: View) -> Iterator[Finding]:
    """Endpoints that nobody uses, that nobody binds, or to which nobody connects."""
    if not view.entire:
        return
    for name in view.pattern.endpoints:
        path = view.path("endpoints", name)
        binders, connectors = view.at(name, "bind"), view.at(name, "connect")
        if not binders and not connectors:
            text = f"nobody uses the endpoint '{name}'"
            yield Finding(code="unused-endpoint", text=text, path=path, severity="warning", on="key")
        elif not binders:
            users = " and ".join(f"'{wire.node}'" for wire in connectors[:3])
            text = f"nobody binds '{name}': {users} would wait for ever"
            yield Finding(
                code="nobody-binds", text=text, path=path, hint=f"a node needs bind: {name}", on="key"
            )
        elif not connectors:
            lossy = all(wire.kind in PUBLISHES for wire in binders)
            text = f"nobody connects to '{name}'"
            hint = f"a node needs connect: {name}"
            finding = Finding(code="nobody-connects", text=text, path=path, hint=hint, on="key")
            yield replace(finding, severity="warning") if lossy else finding


def fixed_addresses(view: View) -> Iterator[Finding]:
    """Fixed addresses that more than one process would bind."""
    for name, address in view.addresses.items():
        if address.dynamic:
            continue
        binders = view.at(name, "bind")
        for wire in binders:
            replicas = view.pattern.nodes[wire.node].replicas
            if replicas > 1 and not view.pattern.nodes[wire.node].external:
                shown = view.pattern.endpoints[name].address
                text = f"{replicas} replicas of '{wire.node}' cannot all bind {shown}"
                hint = "write ipc or tcp://127.0.0.1:*, and each gets its own"
                yield Finding(code="bind-replicas", text=text, path=view.wires[wire], hint=hint)
        for wire in binders[1:]:
            text = f"'{wire.node}' cannot bind '{name}': '{binders[0].node}' binds its one address"
            hint = "connect to it, or write ipc or tcp://127.0.0.1:* and each gets its own"
            yield Finding(code="two-binders", text=text, path=view.wires[wire], hint=hint)


def same_addresses(view: View) -> Iterator[Finding]:
    """Endpoints of one fixed address."""
    seen: dict[tuple[int | None, str], list[str]] = {}
    for name, address in view.addresses.items():
        alike = seen.setdefault((address.port, address.path), [])
        other = next((other for other in alike if address.clashes(view.addresses[other])), None)
        if other is not None:
            text = f"'{name}' has the address of '{other}'"
            path = view.path("endpoints", name, "address")
            yield Finding(code="same-address", text=text, path=path, hint="give each its own, or write ipc")
        elif not address.dynamic:
            alike.append(name)


def strangers(view: View) -> Iterator[Finding]:
    """Commands and externals at addresses that nobody could tell them, or that they could tell nobody."""
    for wire, path in view.wires.items():
        node = view.pattern.nodes[wire.node]
        address = view.addresses.get(wire.endpoint)
        if address is None or not address.dynamic:
            continue
        shown = view.pattern.endpoints[wire.endpoint].address
        if node.external:
            text = f"'{wire.node}' is started by somebody else, who cannot know the address {shown}"
            hint = "give the endpoint a fixed address"
            yield Finding(code="external-address", text=text, path=path, hint=hint)
        elif node.command and wire.mode == "bind" and address.transport == "tcp":
            text = f"nobody could learn which port the command of '{wire.node}' binds at {shown}"
            yield Finding(code="command-address", text=text, path=path, hint="write a port, or ipc")


def port_codecs(view: View) -> Iterator[Finding]:
    """Ports whose endpoints encode differently: a port has one codec."""
    first: dict[tuple[str, str], Wire] = {}
    for wire, path in view.wires.items():
        other = first.setdefault((wire.node, wire.port), wire)
        if wire.port and view.codec(other.endpoint) != view.codec(wire.endpoint):
            met = " and ".join(f"'{name}' in {view.codec(name)}" for name in (other.endpoint, wire.endpoint))
            text = f"port '{wire.port}' of '{wire.node}' meets {met}"
            yield Finding(code="port-codecs", text=text, path=path, hint="give both endpoints one codec")


def slow_joiners(view: View) -> Iterator[Finding]:
    """Publishers that connect to subscribers without a barrier: the first messages are lost."""
    if view.pattern.sync != "none":
        return
    for wire, path in view.wires.items():
        bound = any(other.kind in SUBSCRIBES for other in view.at(wire.endpoint, "bind"))
        if wire.mode == "connect" and wire.kind in PUBLISHES and bound:
            text = (
                f"'{wire.node}' loses its first updates: it connects, and nothing waits for the subscriptions"
            )
            hint = "write sync: barrier, or let the publisher bind"
            yield Finding(code="slow-joiner", text=text, path=path, hint=hint, severity="warning")


def endless_links(view: View) -> Iterator[Finding]:
    """Links fed by somebody else, or by a command whose exit is not its end, that nothing ends."""
    if view.pattern.duration_s is not None or not view.entire:
        return
    for wire, path in view.wires.items():
        endpoint, node = view.pattern.endpoints[wire.endpoint], view.pattern.nodes[wire.node]
        comes_back = bool(node.command) and node.restart.policy == "always"
        if not (node.external or comes_back) or endpoint.idle_after_s is not None:
            continue
        mode = "connect" if wire.mode == "bind" else "bind"
        fed = [
            other for other in view.at(wire.endpoint, mode) if other.kind in RECEIVES or other.kind == "REP"
        ]
        if fed and not any(_ends_by_itself(view, other.node) for other in fed):
            text = f"'{wire.endpoint}' never ends: nobody can tell when '{wire.node}' has sent all"
            hint = "give the endpoint idle_after, or the pattern a duration"
            yield Finding(code="never-ends", text=text, path=path, hint=hint, severity="warning")


def endless_publishers(view: View) -> Iterator[Finding]:
    """Publishers without an end whose subscribers have none either."""
    if view.pattern.duration_s is not None or not view.entire:
        return
    for name, node in view.nodes():
        if node.role != "publisher" or set(node.params) & {"count", "range", "lines", "files", "call"}:
            continue
        endpoints = {endpoint for _, endpoint in (*node.bind, *node.connect)}
        others = [wire for end in endpoints for mode in ("bind", "connect") for wire in view.at(end, mode)]
        receivers = [wire for wire in others if wire.node != name and wire.kind not in SENDS]
        if receivers and not all(_ends_by_itself(view, wire.node) for wire in receivers):
            text = f"'{name}' never ends: its stream has no end, and not every subscriber has one"
            hint = "give the subscribers updates: N, or the pattern a duration"
            path = view.node_path(name)
            yield Finding(code="never-ends", text=text, path=path, hint=hint, severity="warning", on="key")


def _ends_by_itself(view: View, node: str) -> bool:
    """Whether a receiver finishes on its own account; a user's role or a command may."""
    family = view.family(node)
    if family == "subscriber":
        return view.pattern.nodes[node].params.get("updates") is not None
    return not family and not view.pattern.nodes[node].external


RULES = (
    socket_pairs,
    lonely_endpoints,
    fixed_addresses,
    same_addresses,
    strangers,
    port_codecs,
    slow_joiners,
    endless_links,
    endless_publishers,
)
