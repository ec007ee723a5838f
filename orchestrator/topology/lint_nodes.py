"""Lint of nodes: what they run, what they are given, whom they wait for."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.suggest import did_you_mean_or_list
from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View

SOURCES = {
    "ventilator": ("count", "range", "lines", "files", "call"),
    "publisher": ("count", "range", "lines", "files", "call"),
    "client": ("payload", "count", "range", "lines", "files"),
}
"""Params that tell what a role sends, of which it takes one."""

HANDLERS = {"sink": ("call", "fold"), "subscriber": ("call", "fold"), "client": ("call", "fold")}
"""Params that tell what a role does with what it receives, of which it takes one."""

_OURS_ONLY = ("params", "options", "ports", "task_timeout")
_LAUNCHED_ONLY = ("environment", "stop_grace_period", "start_delay", "restart")


def what_runs(view: View) -> Iterator[Finding]:
    """A node runs a role, or a command, or is external: one of the three."""
    for name, node in view.nodes():
        kinds = [
            key
            for key, there in (("role", node.role), ("command", node.command), ("external", node.external))
            if there
        ]
        if not kinds and name not in view.damaged:
            text = f"node '{name}' runs nothing"
            hint = "give it a role, a command, or external: true"
            yield Finding(code="role-or-command", text=text, path=view.node_path(name), hint=hint, on="key")
        for key in kinds[1:]:
            text = f"node '{name}' cannot have both '{kinds[0]}' and '{key}'"
            yield Finding(code="role-or-command", text=text, path=view.node_path(name, key), on="key")


def misplaced_keys(view: View) -> Iterator[Finding]:
    """Keys that mean nothing to a command or an external."""
    for name, node in view.nodes():
        if node.role or not (node.command or node.external):
            continue
        keys = _OURS_ONLY if node.command else (*_OURS_ONLY, *_LAUNCHED_ONLY)
        for key in keys:
            if key in view.keys[name]:
                what = "a command" if node.command else "what somebody else starts"
                text = f"cannot give '{key}' to {what}"
                hint = "it is a key of roles" if key in _OURS_ONLY else ""
                yield Finding(
                    code="misplaced-key", text=text, path=view.node_path(name, key), hint=hint, on="key"
                )


def environment_names(view: View) -> Iterator[Finding]:
    """Variables that no process can have."""
    for name, node in view.nodes():
        for variable, value in node.environment.items():
            path = view.node_path(name, "environment", variable)
            if not variable or "=" in variable or "\0" in variable:
                text = f"cannot name a variable {variable!r}"
                hint = "a name has at least one character, and no ="
                yield Finding(code="environment", text=text, path=path, hint=hint, on="key")
            elif "\0" in value:
                text = f"cannot set {variable} to a text with a zero byte"
                yield Finding(code="environment", text=text, path=path, hint="leave that out")


def unseen_tasks(view: View) -> Iterator[Finding]:
    """Time limits for items in a role that counts none."""
    for name, node in view.nodes():
        if node.task_timeout_s is not None and view.family(name) == "proxy":
            text = f"cannot give 'task_timeout' to a proxy: '{name}' counts no items"
            hint = "give it to the nodes that work on them"
            path = view.node_path(name, "task_timeout")
            yield Finding(code="misplaced-key", text=text, path=path, hint=hint, on="key")


def shared_names(view: View) -> Iterator[Finding]:
    """Names that a node and an endpoint share."""
    for name in view.pattern.nodes:
        if name in view.pattern.endpoints:
            text = f"'{name}' is an endpoint already: nodes and endpoints share their names"
            yield Finding(
                code="name-taken", text=text, path=view.node_path(name), hint="rename one", on="key"
            )


def one_of_each(view: View) -> Iterator[Finding]:
    """Sources and handlers of which a role takes only one, and those that lack their companion."""
    for name, node in view.nodes():
        family = view.family(name)
        for exclusive in (SOURCES.get(family, ()), HANDLERS.get(family, ())):
            given = [key for key in node.params if key in exclusive]
            for key in given[1:]:
                text = f"'{name}' cannot have both '{given[0]}' and '{key}'"
                path = view.node_path(name, "params", key)
                yield Finding(
                    code="one-of", text=text, path=path, hint=f"keep one of {', '.join(exclusive)}", on="key"
                )
        if (
            node.role == "ventilator"
            and name not in view.damaged
            and not set(SOURCES[family]) & set(node.params)
        ):
            text = f"'{name}' has nothing to send"
            hint = "give it one of the params count, range, lines, files, call"
            yield Finding(code="no-source", text=text, path=view.node_path(name), hint=hint, on="key")
        most = view.most.get(name, node.replicas)
        if node.params.get("start") is True and family == "sink" and most > 1:
            path = view.node_path(name, "params", "start")
            text = f"cannot begin a batch at {most} sinks: one signal is sent, and one of them gets it"
            yield Finding(
                code="one-signal",
                text=text,
                path=path,
                hint="write replicas: 1, or leave start out",
                on="key",
            )
        if "workload_ms" in node.params and "count" not in node.params and family == "ventilator":
            path = view.node_path(name, "params", "workload_ms")
            text = "'workload_ms' goes with 'count' alone"
            yield Finding(code="one-of", text=text, path=path, on="key")


def param_ranges(view: View) -> Iterator[Finding]:
    """Params of built-in roles that make no sense."""
    for name, node in view.nodes():
        if not view.family(name):
            continue
        for key, least in (("count", 0), ("requests", 1), ("sockets", 1), ("updates", 1)):
            value = node.params.get(key)
            if isinstance(value, int) and value < least:
                text = f"'{key}' must be at least {least}, not {value}"
                yield Finding(code="range", text=text, path=view.node_path(name, "params", key))
        rate = node.params.get("rate")
        if isinstance(rate, int | float) and rate <= 0:
            text = f"'rate' must be more than 0 a second, not {rate}"
            yield Finding(code="range", text=text, path=view.node_path(name, "params", "rate"))
        for key in ("range", "workload_ms"):
            pair = node.params.get(key)
            if isinstance(pair, list) and len(pair) == 2 and pair[0] > pair[1]:
                text = f"'{key}' runs backwards: {pair[0]} is more than {pair[1]}"
                yield Finding(code="range", text=text, path=view.node_path(name, "params", key))


def sees_nothing(view: View) -> Iterator[Finding]:
    """Subscribers without a subscription."""
    for name, node in view.nodes():
        if view.family(name) == "subscriber" and node.params.get("topics") == []:
            text = f"'{name}' subscribes to nothing and so sees nothing"
            hint = "leave topics out to see all"
            yield Finding(
                code="sees-nothing", text=text, path=view.node_path(name, "params", "topics"), hint=hint
            )


def dependencies(view: View) -> Iterator[Finding]:
    """`depends_on` of nodes that are not there, of oneself, and in a circle."""
    for name, node in view.nodes():
        for index, other in enumerate(node.depends_on):
            path = view.node_path(name, "depends_on", index)
            if other == name:
                yield Finding(code="depends-on", text=f"'{name}' cannot depend on itself", path=path)
            elif other not in view.pattern.nodes and other not in view.lost:
                hint = did_you_mean_or_list(other, view.pattern.nodes, "nodes")
                yield Finding(code="depends-on", text=f"unknown node '{other[:40]}'", path=path, hint=hint)
    cycle = _cycle({name: node.depends_on for name, node in view.nodes()})
    if cycle:
        first = min(cycle, key=list(view.pattern.nodes).index)
        start = cycle.index(first)
        names = [*cycle[start:], *cycle[:start], first]
        text = f"nodes depend on each other in a circle: {', '.join(names[:-1])}, and {first} again"
        path = view.node_path(first, "depends_on")
        yield Finding(code="depends-on-cycle", text=text, path=path, on="key")


def late_starts(view: View) -> Iterator[Finding]:
    """Nodes that start after Go, although others need them there before."""
    for name, node in view.nodes():
        late = [other for other in node.depends_on if other != name and _is_late(view, other)]
        if late and not _is_late(view, name):
            text = f"'{name}' cannot start after '{late[0]}', which starts when all others are at work"
            path = view.node_path(name, "depends_on", node.depends_on.index(late[0]))
            yield Finding(code="depends-on", text=text, path=path, hint="give it a start_delay too")
    for wire in view.wires:
        address = view.addresses.get(wire.endpoint)
        if address is None or wire.mode != "bind" or not _is_late(view, wire.node):
            continue
        if address.transport == "tcp" and address.dynamic:
            shown = view.pattern.endpoints[wire.endpoint].address
            text = f"'{wire.node}' cannot start late: others must know now which port it binds at {shown}"
            path = view.node_path(wire.node, "start_delay")
            yield Finding(code="late-binder", text=text, path=path, hint="write a port, or ipc", on="key")


def _is_late(view: View, node: str) -> bool:
    return node in view.pattern.nodes and view.pattern.nodes[node].start_delay_s is not None


def _cycle(depends_on: dict[str, tuple[str, ...]]) -> list[str]:
    """The nodes of one circle, each before the one that it depends on; empty where there is none."""
    done: set[str] = set()
    for start in depends_on:
        trail: list[str] = []
        rest = [iter([start])]
        while rest:
            name = next(rest[-1], None)
            if name is None:
                rest.pop()
                if trail:
                    done.add(trail.pop())
            elif name in trail:
                found = trail[trail.index(name) :]
                if len(found) > 1:
                    return found
            elif name in depends_on and name not in done:
                trail.append(name)
                rest.append(iter(depends_on[name]))
    return []


RULES = (
    what_runs,
    misplaced_keys,
    environment_names,
    unseen_tasks,
    shared_names,
    one_of_each,
    param_ranges,
    sees_nothing,
    dependencies,
    late_starts,
)
