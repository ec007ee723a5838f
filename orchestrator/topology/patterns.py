"""One pattern read against its roles: params, options, addresses and wires, then the lint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from orchestrator.topology.addresses import Address, AddressError, parse_address
from orchestrator.topology.build import uses
from orchestrator.topology.form import PatternForm
from orchestrator.topology.lint import MAX_FINDINGS, lint
from orchestrator.topology.lint_options import option_value
from orchestrator.topology.model import Node, Pattern
from orchestrator.topology.params import free_params, missing_params, read_params
from orchestrator.topology.scalars import Value
from orchestrator.topology.shapes import RoleError
from orchestrator.topology.tree import Finding, Path, Table, find, plain
from orchestrator.topology.tree import Node as Tree
from orchestrator.topology.view import View
from orchestrator.topology.wiring import PortShape, RoleShape, Use, Wire, Wired, open_ports, wire
from orchestrator.topology.zeromq import OPTIONS
from roles.kit.spec import PROXY_KINDS

RoleReader = Callable[[str], RoleShape]
"""Gives what a role declares, or raises RoleError."""

_NAMELESS = frozenset(PatternForm.model_fields) - {"nodes", "endpoints"}
"""Keys of a pattern that are neither of those that name things, nor one of them misspelt."""

Options = dict[str, dict[str, object]]
"""A node's socket options as written, by port and name."""


@dataclass(frozen=True, kw_only=True)
class PatternRead:
    """A pattern with its params and options, its wires, what its roles declare, and what is wrong with it."""

    pattern: Pattern
    wires: tuple[Wire, ...]
    shapes: dict[str, RoleShape]
    findings: list[Finding]


def read_pattern(
    name: str,
    pattern: Pattern,
    *,
    form: PatternForm,
    tree: Tree,
    gone: Sequence[Path],
    shape_of: RoleReader,
) -> PatternRead:
    """Read one pattern; `form` is how it is written, `tree` the file's, `gone` what had to be left out of it."""
    reader = _Reader(name, pattern, tree, gone, shape_of)
    for node in pattern.nodes:
        if len(reader.findings) < MAX_FINDINGS:
            reader.read_node(node)
    view = reader.view(form)
    return PatternRead(
        pattern=view.pattern,
        wires=tuple(view.wires),
        shapes=reader.shapes,
        findings=[*reader.findings, *lint(view)],
    )


class _Reader:
    """Reads the nodes of one pattern, one after another."""

    def __init__(
        self, name: str, pattern: Pattern, tree: Tree, gone: Sequence[Path], shape_of: RoleReader
    ) -> None:
        self.findings: list[Finding] = []
        self.shapes: dict[str, RoleShape] = {}
        self._name = name
        self._path: Path = ("patterns", name)
        self._pattern = pattern
        self._tree = tree
        self._shape_of = shape_of
        here = [path[2:] for path in gone if path[:2] == self._path and path != self._path]
        self._damaged = {str(path[1]) for path in here if path[0] == "nodes" and len(path) > 1}
        self._lost = {str(path[1]) for path in here if path[0] in ("nodes", "endpoints") and len(path) == 2}
        # What had to go at the level of the pattern may have been a misspelt `nodes` or `endpoints`; and where its name
        # stands twice, and one of the two cannot be read, that may have had them.
        misspelt = any(len(path) == 1 and path[0] not in _NAMELESS for path in here)
        self._names_known = not misspelt and self._path not in gone
        self._pattern_damaged = not self._names_known or any(path[0] == "endpoints" for path in here)
        self._faults_damaged = any(path[0] == "faults" for path in here)
        self._endpoints_lost = not pattern.endpoints and any(len(path) == 1 for path in here)
        self._nodes: dict[str, Node] = {}
        self._wires: dict[Wire, Path] = {}
        self._options: dict[str, Options] = {}

    def read_node(self, name: str) -> None:
        """Read one node; its wires, options and findings are kept."""
        node, path = self._pattern.nodes[name], (*self._path, "nodes", name)
        shape, params = self._role(node, path, name in self._damaged)
        options = self._plain(path, "options")
        self._options[name] = options
        self._nodes[name] = msgspec.structs.replace(node, params=params, options=_taken(options))
        if shape is not None:
            self.shapes[name] = shape
        elif node.role:
            self._damaged.add(name)
            return
        wired = self._wired(name, shape, path)
        self._wires |= wired.wires
        told = wired.findings
        if shape is not None and not told and name not in self._damaged:
            told = list(open_ports(name, wired, shape, path=path))
        if told:
            self._damaged.add(name)
        self.findings += told

    def view(self, form: PatternForm) -> View:
        """The pattern as the lint sees it."""
        pattern = msgspec.structs.replace(self._pattern, nodes=self._nodes)
        meetings: dict[tuple[str, str], list[Wire]] = {}
        for wire_ in self._wires:
            meetings.setdefault((wire_.endpoint, wire_.mode), []).append(wire_)
        return View(
            name=self._name,
            pattern=pattern,
            wires=self._wires,
            meetings=meetings,
            shapes=self.shapes,
            addresses=self._addresses(self._path, pattern),
            keys={node: self._keys((*self._path, "nodes", node)) for node in self._nodes},
            raw_options=self._options,
            expect=form.expect,
            faults=form.faults,
            damaged=frozenset(self._damaged),
            lost=frozenset(self._lost),
            most=pattern.most_replicas(),
            entire=len(self._nodes) == len(self._pattern.nodes)
            and not self._damaged
            and not self._pattern_damaged,
            names_known=self._names_known and len(self._nodes) == len(self._pattern.nodes),
            faults_entire=not self._faults_damaged,
        )

    def _keys(self, path: Path) -> tuple[str, ...]:
        node = find(self._tree, path)
        return tuple(node.entries) if isinstance(node, Table) else ()

    def _plain(self, path: Path, key: str) -> Options:
        node = find(self._tree, (*path, key))
        return {port: dict(options) for port, options in plain(node).items()} if node is not None else {}

    def _addresses(self, path: Path, pattern: Pattern) -> dict[str, Address]:
        addresses: dict[str, Address] = {}
        for name, endpoint in pattern.endpoints.items():
            try:
                addresses[name] = parse_address(endpoint.address)
            except AddressError as error:
                where = (*path, "endpoints", name, "address")
                self.findings.append(Finding(code=error.code, text=str(error), path=where, hint=error.hint))
        return addresses

    def _role(self, node: Node, path: Path, damaged: bool) -> tuple[RoleShape | None, dict[str, Any]]:
        """What the node's role declares, and the node's params read accordingly."""
        table = find(self._tree, (*path, "params"))
        if not node.role:
            return None, {}
        told_ports = {name: PortShape(kind=kind) for name, kind in node.ports.items()}
        try:
            shape = self._shape_of(node.role)
        except RoleError as error:
            if error.unreadable and told_ports:
                return RoleShape(ports=told_ports), free_params(table)
            finding = Finding(code=error.code, text=str(error), path=(*path, "role"), hint=error.hint)
            self.findings.append(finding)
            return None, free_params(table)
        params, findings = read_params(table, shape.params, role=node.role, path=(*path, "params"))
        self.findings += findings
        if not findings and not damaged:
            self.findings += missing_params(table, shape.params, role=node.role, path=path)
        if shape.family == "proxy":
            shape = replace(shape, ports=_proxy_ports(params.get("kind"), shape))
        return (replace(shape, ports=told_ports) if told_ports else shape), params

    def _wired(self, name: str, shape: RoleShape | None, path: Path) -> Wired:
        """The node's wires; a use of an endpoint that was left out is passed over."""
        written = [
            Use(mode=mode, port=port, endpoint=endpoint, path=(*path, mode, *below))
            for mode in ("bind", "connect")
            for port, endpoint, below in uses(self._uses(path, mode))
        ]
        known = self._pattern.endpoints
        if self._endpoints_lost:
            there = [use for use in written if use.endpoint in known]
        else:
            there = [use for use in written if use.endpoint not in self._lost or use.endpoint in known]
        if len(there) < len(written):
            self._damaged.add(name)
        return wire(name, there, shape, endpoints=known, nodes=self._pattern.nodes)

    def _uses(self, path: Path, mode: str) -> Value:
        node = find(self._tree, (*path, mode))
        return plain(node) if node is not None else []


def _proxy_ports(kind: object, shape: RoleShape) -> dict[str, PortShape]:
    """A proxy's ports with the socket kinds that its own kind gives them."""
    front, back = PROXY_KINDS.get(str(kind), ("", ""))
    return {**shape.ports, "frontend": PortShape(kind=front), "backend": PortShape(kind=back)}


def _taken(written: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, int | str]]:
    """Options as sockets take them; those with a problem are left out."""
    taken: dict[str, dict[str, int | str]] = {}
    for port, options in written.items():
        for name, value in options.items():
            fit = option_value(OPTIONS[name], value) if name in OPTIONS else None
            if fit is not None:
                taken.setdefault(port, {})[name] = fit
    return taken
