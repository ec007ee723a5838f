"""Lint of `delivery: at_least_once`: where tasks can be acknowledged, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.delivery import ACKNOWLEDGED, Part, Reach, gives_tasks, reaches
from orchestrator.topology.sizes import in_words
from orchestrator.topology.tree import Finding, Path
from orchestrator.topology.view import View
from orchestrator.topology.wiring import Wire
from orchestrator.topology.zeromq import RECEIVES
from roles.kit.spec import LEAST_MESSAGE_BYTES

CODE = "delivery"


def delivery_ends(view: View) -> Iterator[Finding]:
    """Only what a source pushes to workers can be acknowledged, and only roles of ours know how."""
    found = reaches(view.pattern.endpoints, view.wires)
    results = {name for reach in found for name in reach.results}
    for name, endpoint in view.pattern.endpoints.items():
        path = view.path("endpoints", name, "delivery")
        if endpoint.window is not None and endpoint.delivery != ACKNOWLEDGED:
            hint = "write delivery: at_least_once, or leave window out"
            window = view.path("endpoints", name, "window")
            text = f"'{name}' has a window, and nothing is acknowledged there"
            yield Finding(code=CODE, text=text, path=window, hint=hint, on="key")
        if endpoint.delivery != ACKNOWLEDGED or name in results:
            continue
        here = [*view.at(name, "bind"), *view.at(name, "connect")]
        others = sorted({wire.kind for wire in here if wire.kind} - {"PUSH", "PULL"})
        if others:
            text = f"cannot acknowledge what goes through '{name}': it is met by {' and '.join(others)}"
            hint = "leave delivery out: PUSH and PULL alone know it"
            yield Finding(code=CODE, text=text, path=path, hint=hint, on="key")
        elif view.entire and here and not gives_tasks(name, view.wires):
            text = f"cannot acknowledge what goes through '{name}': no source pushes tasks there"
            hint = (
                "write it at the endpoint where a source gives tasks to workers; it covers their results, too"
            )
            yield Finding(code=CODE, text=text, path=path, hint=hint, on="key")


def delivery_way(view: View) -> Iterator[Finding]:
    """From the source to the sink: what each of them must be."""
    for reach in reaches(view.pattern.endpoints, view.wires):
        yield from _strangers(view, reach)
        yield from _sources(view, reach)
        yield from _workers(view, reach)
        yield from _sinks(view, reach)


def _finding(path: Path, text: str, hint: str) -> Finding:
    return Finding(code=CODE, text=text, path=path, hint=hint)


def _strangers(view: View, reach: Reach) -> Iterator[Finding]:
    """Commands, externals and proxies take no part: they acknowledge nothing."""
    for wire, path in view.wires.items():
        if wire.endpoint not in (reach.tasks, *reach.results):
            continue
        if not wire.port:
            text = f"'{wire.node}' acknowledges nothing, and '{reach.tasks}' is at_least_once"
            yield _finding(path, text, f"let a role do it, or leave delivery out at '{reach.tasks}'")
        elif view.family(wire.node) == "proxy":
            text = f"the proxy '{wire.node}' stands between those who acknowledge, at '{wire.endpoint}'"
            yield _finding(path, text, "let workers connect to the source, and to the sink")


def _sources(view: View, reach: Reach) -> Iterator[Finding]:
    taking = {wire.node for wire in view.wires if wire.kind in RECEIVES}
    for wire in reach.gives:
        path = view.wires[wire]
        if view.family(wire.node) == "proxy":
            continue
        if wire.node in taking:
            text = f"'{wire.node}' cannot give tasks at '{reach.tasks}': it takes something in itself"
            yield _finding(path, text, "at_least_once begins at a source; leave delivery out behind it")
        elif wire.mode != "bind":
            text = f"'{wire.node}' gives tasks at '{reach.tasks}' and must bind it"
            yield _finding(path, text, "let the source bind, and the workers connect")
        for port in _others_of_part(view, wire, "give"):
            text = f"'{wire.node}' gives acknowledged tasks at '{port}', too: a source keeps one journal, of one port"
            yield _finding(path, text, "make it two nodes, or leave delivery out at one of the endpoints")
        for other in _others_of_port(view, wire, reach.tasks):
            text = f"port '{wire.port}' of '{wire.node}' meets '{other}', too: each task has one way"
            yield _finding(path, text, "give the port one endpoint")


def _workers(view: View, reach: Reach) -> Iterator[Finding]:
    for wire in reach.takes:
        path = view.wires[wire]
        if view.family(wire.node) == "proxy":
            continue
        inlets = {other.port for other in view.wires if other.node == wire.node and other.kind in RECEIVES}
        outlets = {other.port for other in reach.passes if other.node == wire.node}
        if len(inlets) > 1 or len(outlets) > 1:
            many = inlets if len(inlets) > 1 else outlets
            text = (
                f"'{wire.node}' has {' and '.join(sorted(many))}: nothing tells which result is of which task"
            )
            yield _finding(path, text, "a worker of acknowledged tasks has one inlet, and one outlet at most")
        for other in _others_of_port(view, wire, reach.tasks):
            text = f"port '{wire.port}' of '{wire.node}' meets '{other}', too: each task has one way"
            yield _finding(path, text, "give the port one endpoint")
    if len(reach.results) > 1:
        text = f"results of '{reach.tasks}' go to {' and '.join(reach.results)}: one sink keeps them"
        yield _finding(
            view.path("endpoints", reach.tasks, "delivery"), text, "let all workers push to one endpoint"
        )


def _sinks(view: View, reach: Reach) -> Iterator[Finding]:
    """One process keeps the results, since it alone knows which it has had."""
    delivery = view.path("endpoints", reach.tasks, "delivery")
    for wire in reach.keeps:
        path = view.wires[wire]
        if view.family(wire.node) == "proxy":
            continue
        if view.most.get(wire.node, 1) > 1:
            text = f"'{wire.node}' keeps the results of '{reach.tasks}' and must be one process"
            yield _finding(path, text, "leave replicas out: one sink alone knows which results it has had")
        if any(other.node == wire.node and other.kind == "PUSH" for other in view.wires):
            text = f"'{wire.node}' sends on what it takes, and '{reach.tasks}' is acknowledged as far as its results"
            yield _finding(
                path, text, f"let a sink take the results, or leave delivery out at '{reach.tasks}'"
            )
        for port in _others_of_part(view, wire, "keep"):
            text = f"'{wire.node}' keeps acknowledged results at '{port}', too: a sink keeps one list, of one port"
            yield _finding(path, text, "make it two nodes, or let all workers push to one endpoint")
        for other in _others_of_port(view, wire, wire.endpoint):
            text = f"port '{wire.port}' of '{wire.node}' meets '{other}', too: what comes there is not acknowledged"
            yield _finding(path, text, "give the port one endpoint")
    keepers = {wire.node for wire in reach.keeps if view.family(wire.node) != "proxy"}
    if len(keepers) > 1:
        text = f"results of '{reach.tasks}' are shared out among {' and '.join(sorted(keepers))}: one sink keeps them"
        yield Finding(code=CODE, text=text, path=delivery, hint="let one node pull the results")
    workers = {wire.node for other in reaches(view.pattern.endpoints, view.wires) for wire in other.takes}
    for wire, path in view.wires.items():
        if wire.endpoint in reach.results and wire.kind == "PUSH" and wire.node not in workers:
            text = f"'{wire.node}' pushes to '{wire.endpoint}', where the results of '{reach.tasks}' are acknowledged"
            yield _finding(path, text, "give it an endpoint of its own")


def _others_of_part(view: View, wire: Wire, part: Part) -> list[str]:
    """The ports at which the same node plays the same part in another delivery, told of at the last one."""
    parts = [one for reach in reaches(view.pattern.endpoints, view.wires) for one in reach.parts.items()]
    ports = {other.port for other, its_part in parts if other.node == wire.node and its_part == part}
    return sorted(port for port in ports if port < wire.port)


def _others_of_port(view: View, wire: Wire, endpoint: str) -> Iterator[str]:
    return (
        other.endpoint
        for other in view.wires
        if (other.node, other.port) == (wire.node, wire.port) and other.endpoint != endpoint
    )


def delivery_options(view: View) -> Iterator[Finding]:
    """Options that belong to the protocol itself."""
    ports = {
        (wire.node, wire.port)
        for reach in reaches(view.pattern.endpoints, view.wires)
        for wire in reach.parts
    }
    for node, written in view.raw_options.items():
        for port, options in written.items():
            for option in sorted(set(options) & _OWN_OPTIONS) if (node, port) in ports else ():
                path = view.node_path(node, "options", port, option)
                text = (
                    f"cannot set {option} at '{port}' of '{node}': acknowledged delivery needs it for itself"
                )
                yield Finding(code=CODE, text=text, path=path, hint="leave it out", on="key")


def delivery_sizes(view: View) -> Iterator[Finding]:
    """Headers name the tasks, and must find room."""
    for reach in reaches(view.pattern.endpoints, view.wires):
        for name in (reach.tasks, *reach.results):
            size_bytes = view.pattern.endpoints[name].max_message_bytes
            if size_bytes < LEAST_MESSAGE_BYTES:
                least = in_words(LEAST_MESSAGE_BYTES)
                text = f"cannot acknowledge what goes through '{name}' in messages of {in_words(size_bytes)}"
                yield _finding(view.path("endpoints", name, "max_message"), text, f"write {least} or more")


_OWN_OPTIONS = frozenset({"CONFLATE", "IMMEDIATE", "IDENTITY", "ROUTING_ID", "PROBE_ROUTER", "LINGER"})


RULES = (delivery_ends, delivery_way, delivery_options, delivery_sizes)
