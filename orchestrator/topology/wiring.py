"""Which port of which node meets which endpoint: `bind` and `connect` resolved against the roles' ports."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.topology.suggest import did_you_mean, did_you_mean_or_list
from orchestrator.topology.tree import Finding, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PortShape:
    """A port as a role declares it, its socket kind in capitals. An optional one may stay unconnected."""

    kind: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamShape:
    """A parameter as a role declares it: its annotation as source text, and whether it has a default."""

    annotation: str = "Any"
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleShape:
    """What a role's source says of it: its ports and params in their order.

    `family` is the built-in role that it is or derives from (`worker`), empty where there is none. A
    `source` begins streams even where it also receives.
    """

    ports: dict[str, PortShape] = field(default_factory=dict)
    params: dict[str, ParamShape] = field(default_factory=dict)
    family: str = ""
    source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One use of an endpoint by a node. `port` and `kind` are empty for a command or an external."""

    node: str
    port: str
    kind: str
    endpoint: str
    mode: Literal["bind", "connect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One endpoint under a node's `bind` or `connect`; `port` is "" where the file does not tell it."""

    mode: Literal["bind", "connect"]
    port: str
    endpoint: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """The wires of one node with the path of each, what is wrong with its uses, and which port met what."""

    wires: dict[Wire, Path] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    met: set[tuple[str, str]] = field(default_factory=set)


def wire(
    node: str, uses: list[Use], shape: RoleShape | None, *, endpoints: Collection[str], nodes: Collection[str]
) -> Wired:
    """Resolve a node's uses against its role's ports; `shape` is None for a command or an external.

    A use that names its port gets it. Else a port of the endpoint's name is meant; else, where the role has
    one port that must be connected, that port (it takes any number of endpoints); else, where exactly one
    such port and exactly one endpoint are left, they belong together. What is still open is a problem,
    never a guess.
    """
    wired = Wired()
    known = []
    for use in uses:
        if use.endpoint in endpoints:
            known.append(use)
        else:
            wired.findings.append(_unknown_endpoint(use, endpoints, nodes))
    if shape is None:
        for use in known:
            _attach_portless(wired, node, use)
        return wired
    for use, port in _assigned(known, shape):
        _attach(wired, node, use, port, shape)
    return wired


def open_ports(node: str, wired: Wired, shape: RoleShape, *, path: Path) -> Iterator[Finding]:
    """Required ports of a role that no endpoint is given; `path` is the node's."""
    given = {wire.port for wire in wired.wires}
    for name, port in shape.ports.items():
        if not port.optional and name not in given:
            text = f"port '{name}' of '{node}' is not connected"
            hint = f"bind or connect it: {{{name}: ENDPOINT}}"
            yield Finding(code="port-open", text=text, path=path, hint=hint, on="key")


def _unknown_endpoint(use: Use, endpoints: Collection[str], nodes: Collection[str]) -> Finding:
    hint = did_you_mean_or_list(use.endpoint, endpoints, "endpoints")
    if use.endpoint in nodes:
        hint = "it is a node: nodes meet at an endpoint"
    return Finding(
        code="unknown-endpoint", text=f"unknown endpoint '{use.endpoint[:40]}'", path=use.path, hint=hint
    )


def _attach_portless(wired: Wired, node: str, use: Use) -> None:
    if use.port:
        text = f"'{node}' runs no role of ours and so has no port '{use.port[:40]}'"
        finding = Finding(
            code="unknown-port", text=text, path=use.path, hint=f"write {use.mode}: {use.endpoint}"
        )
        wired.findings.append(finding)
    _add(wired, Wire(node=node, port="", kind="", endpoint=use.endpoint, mode=use.mode), use)


def _assigned(uses: list[Use], shape: RoleShape) -> list[tuple[Use, str | None]]:
    """Each use with its port, None where it cannot be told."""
    ports = [use.port or (use.endpoint if use.endpoint in shape.ports else None) for use in uses]
    required = [name for name, port in shape.ports.items() if not port.optional] or list(shape.ports)
    if len(required) == 1:
        return [(use, port or required[0]) for use, port in zip(uses, ports, strict=True)]
    left = [name for name in required if name not in ports]
    if len(left) == 1 and ports.count(None) == 1:
        ports[ports.index(None)] = left[0]
    return list(zip(uses, ports, strict=True))


def _attach(wired: Wired, node: str, use: Use, port: str | None, shape: RoleShape) -> None:
    has = ", ".join(
        f"{name} ({shape.ports[name].kind})" if shape.ports[name].kind else name for name in shape.ports
    )
    if port is None:
        text = f"cannot tell which port of '{node}' meets '{use.endpoint}'"
        hint = f"write {use.mode}: {{PORT: {use.endpoint}}}; ports: {has}"
        wired.findings.append(Finding(code="ambiguous-port", text=text, path=use.path, hint=hint))
    elif port not in shape.ports:
        hint = did_you_mean(port, shape.ports) or (f"ports: {has}" if has else "the role has no ports")
        text = f"'{node}' has no port '{port[:40]}'"
        path = use.path if isinstance(use.path[-1], str) else use.path[:-1]
        wired.findings.append(Finding(code="unknown-port", text=text, path=path, hint=hint, on="key"))
    else:
        kind = shape.ports[port].kind
        _add(wired, Wire(node=node, port=port, kind=kind, endpoint=use.endpoint, mode=use.mode), use)


def _add(wired: Wired, wire_: Wire, use: Use) -> None:
    where = f"port '{wire_.port}' of '{wire_.node}'" if wire_.port else f"'{wire_.node}'"
    if (wire_.port, wire_.endpoint) in wired.met:
        text = f"{where} meets '{use.endpoint}' twice"
        wired.findings.append(Finding(code="duplicate-use", text=text, path=use.path))
        return
    wired.met.add((wire_.port, wire_.endpoint))
    wired.wires[wire_] = use.path
