"""Topology text -> a checked topology, or every problem in it.

Pure: the sources of roles come in through a function, the environment as a mapping. The steps, each of
which goes on with what the one before could read: load, overrides, variables, form, roles, params, wires,
lint.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from orchestrator.topology.addresses import Address, AddressError, parse_address
from orchestrator.topology.build import build, uses
from orchestrator.topology.form import FileForm
from orchestrator.topology.lint import lint
from orchestrator.topology.lint_options import option_value
from orchestrator.topology.load import load
from orchestrator.topology.model import Node, Pattern, Topology
from orchestrator.topology.overrides import override
from orchestrator.topology.params import free, free_params, missing_params, read_params
from orchestrator.topology.problem import Problem, TopologyError, in_file_order
from orchestrator.topology.shapes import RoleError, SourceReader, role_shape
from orchestrator.topology.tree import Finding, Path, Table, find, lines_below, plain, problem_at, without
from orchestrator.topology.tree import Node as Tree
from orchestrator.topology.variables import expand
from orchestrator.topology.view import View
from orchestrator.topology.wiring import PortShape, RoleShape, Use, Wire, Wired, open_ports, wire
from orchestrator.topology.wording import faults_of
from orchestrator.topology.zeromq import OPTIONS
from roles.kit.spec import PROXY_KINDS

MAX_PROBLEMS = 100
"""No more problems than these are told; whoever has more has one that repeats itself."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A topology without errors, with what its roles' sources say.

    `wires` is by pattern, `shapes` by pattern and node (only of nodes with a role). `lines` is by pattern
    and maps a key's path below the pattern (`nodes.worker.params.call`) to its line. `tree` has the places,
    for problems that are found later.
    """

    topology: Topology
    wires: dict[str, tuple[Wire, ...]]
    shapes: dict[str, dict[str, RoleShape]]
    lines: dict[str, dict[str, int]]
    warnings: tuple[Problem, ...]
    tree: Tree


def check(
    text: str,
    *,
    overrides: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str],
    read_source: SourceReader,
) -> Checked:
    """Check a topology's text; raises TopologyError with all of its problems, in file order.

    `overrides` are paths that start at a pattern, and YAML values. `read_source` gives a module's source by
    its dotted name, or None.
    """
    found = survey(text, overrides=overrides, environment=environment, read_source=read_source)
    if any(problem.severity == "error" for problem in found.problems):
        raise TopologyError(found.problems)
    return found.checked


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All that can be said of a text: its problems, and what could be read of it."""

    problems: tuple[Problem, ...]
    checked: Checked


def survey(
    text: str,
    *,
    overrides: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str],
    read_source: SourceReader,
) -> Survey:
    """What can be read of a topology, and its problems; raises TopologyError only where nothing can be read."""
    loaded = load(text)
    problems = list(loaded.problems)
    damaged = list(loaded.damaged)
    tree, told = override(loaded.tree, overrides)
    problems += told
    tree, told, lost = _expanded(tree, environment)
    problems += told
    damaged += lost
    form, tree, told, lost = _formed(tree, damaged)
    problems += told
    if form is None:
        raise TopologyError(problems)
    topology = build(form)
    reader = _Patterns(tree, [*damaged, *lost], functools.cache(read_source))
    patterns = {name: reader.read(name, pattern) for name, pattern in topology.patterns.items()}
    problems += [problem_at(tree, finding) for finding in reader.findings]
    ordered = _limited(in_file_order(problems))
    checked = Checked(
        topology=topology.model_copy(update={"patterns": patterns}),
        wires=reader.wires,
        shapes=reader.shapes,
        lines={name: lines_below(tree, ("patterns", name)) for name in patterns},
        warnings=tuple(problem for problem in ordered if problem.severity == "warning"),
        tree=tree,
    )
    return Survey(problems=ordered, checked=checked)


def _limited(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    last = problems[MAX_PROBLEMS - 1]
    more = Problem(code="more", text=f"{len(problems) - MAX_PROBLEMS} more problems", mark=last.mark)
    return (*problems[:MAX_PROBLEMS], more)


def _expanded(tree: Tree, environment: Mapping[str, str]) -> tuple[Tree, list[Problem], list[Path]]:
    tree, faults = expand(tree, environment)
    problems = []
    for fault in faults:
        problem = problem_at(tree, fault.finding)
        problems.append(problem if problem.origin else replace(problem, mark=fault.mark))
    lost = [fault.finding.path for fault in faults]
    return without(tree, lost), problems, lost


def _formed(tree: Tree, damaged: Sequence[Path]) -> tuple[FileForm | None, Tree, list[Problem], list[Path]]:
    """The file's form. What does not fit is told and dropped, and the rest read again, until it fits."""
    problems: list[Problem] = []
    lost: list[Path] = []
    while True:
        try:
            return FileForm.model_validate(plain(tree)), tree, problems, lost
        except ValidationError as error:
            faults = faults_of(error.errors(include_url=False, include_input=False)[: 5 * MAX_PROBLEMS], tree)
        gone = [path for path in (*damaged, *lost) if len(path) > 0]
        for fault in faults:
            if not _follows(fault.finding, gone):
                problems.append(problem_at(tree, fault.finding))
        lost += [fault.drop for fault in faults]
        pruned = without(tree, [fault.drop for fault in faults])
        if not isinstance(tree, Table) or plain(pruned) == plain(tree):
            return _hopeless(tree, problems, lost)
        tree = pruned


def _hopeless(
    tree: Tree, problems: list[Problem], lost: list[Path]
) -> tuple[FileForm | None, Tree, list[Problem], list[Path]]:
    """Go on as if the version had been right, if that is all there is to it."""
    if isinstance(tree, Table) and "version" not in tree.entries:
        try:
            form = FileForm.model_validate({**plain(tree), "version": 1})
        except ValidationError:
            return None, tree, problems, lost
        return form, tree, problems, lost
    return None, tree, problems, lost


def _follows(finding: Finding, gone: Iterable[Path]) -> bool:
    """Whether a missing key is missing only because it has been dropped, with a problem of its own."""
    if finding.code not in ("missing-key", "value"):
        return False
    return any(path[: len(finding.path)] == finding.path for path in gone)


class _Patterns:
    """Reads patterns one by one: their roles, params, wires and lint."""

    def __init__(self, tree: Tree, damaged: Sequence[Path], read_source: SourceReader) -> None:
        self.findings: list[Finding] = []
        self.wires: dict[str, tuple[Wire, ...]] = {}
        self.shapes: dict[str, dict[str, RoleShape]] = {}
        self._tree = tree
        self._damaged = damaged
        self._read_source = read_source

    def read(self, name: str, pattern: Pattern) -> Pattern:
        """The pattern with its params and options; what is wrong with it goes to `findings`."""
        path: Path = ("patterns", name)
        damaged = {
            str(gone[3])
            for gone in self._damaged
            if gone[:2] == path and gone[2:3] == ("nodes",) and len(gone) > 3
        }
        shapes: dict[str, RoleShape] = {}
        nodes: dict[str, Node] = {}
        wires: dict[Wire, Path] = {}
        options: dict[str, dict[str, dict[str, object]]] = {}
        for node_name, node in pattern.nodes.items():
            node_path: Path = (*path, "nodes", node_name)
            shape, params = self._role(node, node_path, node_name in damaged)
            if shape is not None:
                shapes[node_name] = shape
            elif node.role:
                damaged.add(node_name)
            options[node_name] = self._plain(node_path, "options")
            nodes[node_name] = node.model_copy(
                update={"params": params, "options": _taken(options[node_name])}
            )
            if shape is not None or not node.role:
                wired = self._wired(node_name, shape, node_path, pattern)
                wires |= wired.wires
                if wired.findings:
                    damaged.add(node_name)
                elif shape is not None and node_name not in damaged:
                    self.findings += open_ports(node_name, wired, shape, path=node_path)
        pattern = pattern.model_copy(update={"nodes": nodes})
        self.wires[name] = tuple(wires)
        self.shapes[name] = shapes
        view = View(
            name=name,
            pattern=pattern,
            wires=wires,
            shapes=shapes,
            addresses=self._addresses(path, pattern),
            raw_options=options,
            damaged=frozenset(damaged),
            entire=not damaged
            and not any(gone[:2] == path[: len(gone)] for gone in self._damaged if len(gone) < 4),
        )
        self.findings += lint(view)
        return pattern

    def _plain(self, path: Path, key: str) -> dict[str, dict[str, object]]:
        node = find(self._tree, (*path, key))
        return (
            {port: dict(options) for port, options in free(node).items()} if isinstance(node, Table) else {}
        )

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
            shape = role_shape(node.role, self._read_source)
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

    def _wired(self, name: str, shape: RoleShape | None, path: Path, pattern: Pattern) -> Wired:
        written = [
            Use(mode=mode, port=port, endpoint=endpoint, path=(*path, mode, *below))
            for mode in ("bind", "connect")
            for port, endpoint, below in uses(self._uses(path, mode))
        ]
        wired = wire(name, written, shape, endpoints=pattern.endpoints, nodes=pattern.nodes)
        self.findings += wired.findings
        return wired

    def _uses(self, path: Path, mode: str) -> Any:
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
