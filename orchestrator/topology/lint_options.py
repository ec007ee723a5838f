"""Lint of socket options: names, values, the ports they are for, and combinations that lose messages."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.fields import settled
from orchestrator.topology.suggest import did_you_mean, did_you_mean_or_list
from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View
from orchestrator.topology.zeromq import (
    CURVE_PREFIXES,
    OPTIONS,
    OWNED,
    PUBLISHES,
    SECURITY_PREFIXES,
    SUBSCRIBES,
    Option,
)

LONGEST_TEXT_BYTES = 255
"""Of the text options the routing id has the shortest limit (zmq_setsockopt(3))."""


def option_names(view: View) -> Iterator[Finding]:
    """Ports and options that do not exist, are not for this kind of socket, or are the run's own."""
    for node, port, name, _ in _written(view):
        path = view.node_path(node, "options", port, name)
        kind = view.shapes[node].ports[port].kind
        if name in OWNED:
            text = f"cannot set {name}: the run sets it itself"
            yield Finding(code="option", text=text, path=path, hint=OWNED[name], on="key")
        elif name.startswith(CURVE_PREFIXES):
            text = f"cannot set {name}: the run sets it itself"
            hint = "write security: curve at the endpoint"
            yield Finding(code="option", text=text, path=path, hint=hint, on="key")
        elif name.startswith(SECURITY_PREFIXES):
            text = f"cannot use '{name}': this version does not support it yet"
            yield Finding(code="not-supported", text=text, path=path, on="key")
        elif name not in OPTIONS:
            hint = did_you_mean(name.upper().removeprefix("ZMQ_"), OPTIONS)
            yield Finding(
                code="option", text=f"unknown socket option '{name[:40]}'", path=path, hint=hint, on="key"
            )
        elif kind and not _applies(OPTIONS[name], kind):
            kinds = ", ".join(sorted(OPTIONS[name].kinds or ()))
            text = f"{name} is not an option of {kind} sockets"
            yield Finding(code="option", text=text, path=path, hint=f"it is one of {kinds}", on="key")


def option_ports(view: View) -> Iterator[Finding]:
    """Options for a port that the role does not have."""
    for node, ports in view.raw_options.items():
        if node not in view.shapes:
            continue
        known = view.shapes[node].ports
        for port in ports:
            if port not in known:
                hint = did_you_mean_or_list(port, known, "ports")
                if port in OPTIONS:
                    hint = f"options are per port: {next(iter(known), 'PORT')}: {{{port}: …}}"
                path = view.node_path(node, "options", port)
                text = f"'{node}' has no port '{port[:40]}'"
                yield Finding(code="unknown-port", text=text, path=path, hint=hint, on="key")


def option_values(view: View) -> Iterator[Finding]:
    """Options with a value of the wrong type, or out of range."""
    for node, port, name, value in _written(view):
        option = OPTIONS.get(name)
        if option is None or option_value(option, value) is not None:
            continue
        if option.type == "str":
            expected = f"text of 1 to {LONGEST_TEXT_BYTES} bytes, none of them 0"
        elif option.type == "flag":
            expected = "true or false"
        else:
            expected = f"a whole number from {option.low} to {option.high}"
        path = view.node_path(node, "options", port, name)
        yield Finding(code="option-value", text=f"{name} must be {expected}, not {_shown(value)}", path=path)


def option_value(option: Option, value: object) -> int | str | None:
    """The value as a socket takes it, None where it does not fit."""
    if option.type == "str":
        return str(value) if isinstance(value, str) and _fits(value) else None
    value = settled(value)
    if not isinstance(value, int):
        return None
    if option.type == "flag":
        return int(value) if value in (0, 1) else None
    return value if not isinstance(value, bool) and option.low <= value <= option.high else None


def _fits(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= LONGEST_TEXT_BYTES and "\0" not in text
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def relaxed(view: View) -> Iterator[Finding]:
    """REQ_RELAXED without REQ_CORRELATE: a late reply is taken for the reply to a later request."""
    for node, port, name, value in _written(view):
        correlates = view.raw_options[node][port].get("REQ_CORRELATE")
        if name == "REQ_RELAXED" and value and not correlates and view.shapes[node].ports[port].kind == "REQ":
            text = "REQ_RELAXED without REQ_CORRELATE takes a late reply for the answer to a later request"
            path = view.node_path(node, "options", port, name)
            yield Finding(code="relaxed-without-correlate", text=text, path=path, hint="set both", on="key")


def conflate(view: View) -> Iterator[Finding]:
    """CONFLATE where messages have several frames: it keeps the last frame, not the last message."""
    for wire in view.wires:
        options = view.raw_options.get(wire.node, {}).get(wire.port, {})
        if not options.get("CONFLATE") or wire.kind not in (*PUBLISHES, *SUBSCRIBES):
            continue
        codec = view.codec(wire.endpoint)
        text = hint = ""
        if codec in ("json", "msgpack"):
            text = f"CONFLATE keeps one frame, and an update in {codec} has two: topic and payload"
            hint = "write codec: text or bytes"
        elif view.pattern.endpoints[wire.endpoint].sequence:
            text = "CONFLATE keeps one frame, and an update with sequence: true has two: payload and number"
            hint = "leave sequence out"
        if text:
            path = view.node_path(wire.node, "options", wire.port, "CONFLATE")
            yield Finding(code="conflate-multipart", text=text, path=path, hint=hint, on="key")


def shared_identities(view: View) -> Iterator[Finding]:
    """A ROUTING_ID that replicas would share: a router refuses the second of a name."""
    for node, port, name, _ in _written(view):
        if name == "ROUTING_ID" and view.most[node] > 1:
            text = f"{view.most[node]} replicas cannot share one ROUTING_ID"
            path = view.node_path(node, "options", port, name)
            yield Finding(code="option-value", text=text, path=path, hint="leave it out", on="key")


def _written(view: View) -> Iterator[tuple[str, str, str, object]]:
    """Each option at a port that there is: node, port, name, value."""
    for node, ports in view.raw_options.items():
        for port, options in ports.items():
            if node in view.shapes and port in view.shapes[node].ports:
                for name, value in options.items():
                    yield node, port, name, value


def _applies(option: Option, kind: str) -> bool:
    return option.kinds is None or kind in option.kinds


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


RULES = (option_ports, option_names, option_values, relaxed, conflate, shared_identities)
