"""Topology text -> a checked topology, or every problem in it.

Pure: the sources of roles come in through a function, the environment as a mapping. The steps, each of
which goes on with what the one before could read: load, overrides, variables, form, roles, params, wires,
lint.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from pydantic import ValidationError

from orchestrator.topology.build import build
from orchestrator.topology.form import FileForm, keys_of, level_of
from orchestrator.topology.load import load
from orchestrator.topology.model import Topology
from orchestrator.topology.overrides import override
from orchestrator.topology.patterns import read_pattern
from orchestrator.topology.problem import Problem, TopologyError, in_file_order, limited
from orchestrator.topology.shapes import SourceReader, role_shape
from orchestrator.topology.tree import (
    Finding,
    Path,
    Scalar,
    Table,
    lines_below,
    plain,
    problem_at,
    walk,
    without,
)
from orchestrator.topology.tree import Node as Tree
from orchestrator.topology.variables import expand
from orchestrator.topology.wiring import RoleShape, Wire
from orchestrator.topology.wording import Fault, faults_of

MAX_FAULTS = 500
"""A file with more faults of form than these is not read any further."""


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
    """What can be read of a topology, and its problems; raises TopologyError where nothing can be."""
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
    gone = (*damaged, *lost)
    shape_of = functools.cache(functools.partial(role_shape, read_source=functools.cache(read_source)))
    read = {
        name: read_pattern(name, pattern, form=form.patterns[name], tree=tree, gone=gone, shape_of=shape_of)
        for name, pattern in topology.patterns.items()
    }
    problems += [problem_at(tree, finding) for found in read.values() for finding in found.findings]
    ordered = in_file_order(problems)
    checked = Checked(
        topology=msgspec.structs.replace(
            topology, patterns={name: found.pattern for name, found in read.items()}
        ),
        wires={name: found.wires for name, found in read.items()},
        shapes={name: found.shapes for name, found in read.items()},
        lines={name: lines_below(tree, ("patterns", name)) for name in read},
        warnings=limited(problem for problem in ordered if problem.severity == "warning"),
        tree=tree,
    )
    return Survey(problems=ordered, checked=checked)


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
    valueless = list(_valueless(tree))
    problems = [problem_at(tree, finding) for finding in valueless]
    lost = [finding.path for finding in valueless]
    tree = without(tree, lost)
    while True:
        try:
            return FileForm.model_validate(plain(tree)), tree, problems, lost
        except ValidationError as error:
            faults = faults_of(error.errors(include_url=False, include_input=False)[:MAX_FAULTS], tree)
        gone = [path for path in (*damaged, *lost) if len(path) > 0]
        fresh = [fault.finding for fault in faults if not fault.follows and not _follows(fault, gone)]
        problems += [problem_at(tree, finding) for finding in fresh]
        lost += [fault.drop for fault in faults]
        pruned = without(tree, [fault.drop for fault in faults])
        if len(faults) == MAX_FAULTS or not isinstance(tree, Table) or plain(pruned) == plain(tree):
            return _hopeless(tree, problems, lost)
        tree = pruned


def _valueless(tree: Tree) -> Iterator[Finding]:
    """Keys of the format without a value: whoever wrote one meant to say something."""
    for path, node in walk(tree):
        form = level_of(path[:-1])[1] if path else None
        key = path[-1] if path else ""
        if not isinstance(node, Scalar) or node.value is not None or not form or not isinstance(key, str):
            continue
        keys = keys_of(form)
        if key in keys:
            hint = "" if keys[key].is_required() else "give it one, or leave it out"
            yield Finding(code="no-value", text=f"'{key}' has no value", path=path, hint=hint, on="key")


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


def _follows(fault: Fault, gone: Iterable[Path]) -> bool:
    """Whether something is missing only because it was dropped, with a problem of its own."""
    path = fault.finding.path
    if fault.finding.code == "missing-key":
        return any(lost[: len(path) + 1] in ((*path, fault.key), (*path, "?")) for lost in gone)
    return fault.finding.code == "value" and any(lost[: len(path)] == path for lost in gone)
