"""Variables: `${NAME}`, `${NAME:-default}` and `$$` in the values of a topology."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.topology.problem import Mark
from orchestrator.topology.tree import (
    Entry,
    Expanded,
    ExpandedQuoted,
    Finding,
    Listing,
    Node,
    Path,
    Scalar,
    Table,
)

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}$]*))?\}|\$\{")

MAX_FAULTS = 20
"""No more faults of one value than these are told."""

LONGEST_VALUE = 65_536
"""Characters of the longest value after expansion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A variable that cannot be expanded: the finding, and the place of the variable within its value."""

    finding: Finding
    mark: Mark


def expand(tree: Node, environment: Mapping[str, str]) -> tuple[Node, list[Fault]]:
    """The tree with its variables replaced; faulty values stay as they are written and are told.

    Keys are not expanded. A variable that is unset or empty takes its default, as in compose.
    """
    faults: list[Fault] = []
    return _expand(tree, (), environment, faults), faults


def _expand(node: Node, path: Path, environment: Mapping[str, str], faults: list[Fault]) -> Node:
    if isinstance(node, Table):
        entries = {
            key: Entry(mark=entry.mark, value=_expand(entry.value, (*path, key), environment, faults))
            for key, entry in node.entries.items()
        }
        return replace(node, entries=entries)
    if isinstance(node, Listing):
        items = (_expand(item, (*path, index), environment, faults) for index, item in enumerate(node.items))
        return replace(node, items=tuple(items))
    if isinstance(node.value, str) and "$" in node.value:
        return _expand_scalar(node, path, environment, faults)
    return node


def _expand_scalar(node: Scalar, path: Path, environment: Mapping[str, str], faults: list[Fault]) -> Scalar:
    found = False
    before = len(faults)

    def value_of(match: re.Match[str]) -> str:
        nonlocal found
        name, default = match.group(1), match.group(2)
        if match.group() == "$$":
            return "$"
        found = True
        if name is not None and environment.get(name):
            return environment[name]
        if name is not None and (default is not None or name in environment):
            return default or ""
        if len(faults) - before < MAX_FAULTS:
            faults.append(_fault(node, path, match))
        return ""

    text = _VARIABLE.sub(value_of, node.value)
    if len(faults) > before:
        return node
    expanded = ExpandedQuoted if node.quoted else Expanded
    if len(text) > LONGEST_VALUE:
        said = f"cannot take a value of {len(text)} characters"
        faults.append(Fault(finding=Finding(code="variable", text=said, path=path), mark=node.mark))
        return node
    return replace(node, value=expanded(text) if found else text)


def _fault(node: Scalar, path: Path, match: re.Match[str]) -> Fault:
    name = match.group(1)
    if name is None:
        text = "cannot read this variable"
        hint = "write ${NAME}, ${NAME:-default}, or $$ for a dollar sign"
    else:
        text, hint = f"variable '{name}' is not set", f"set it, or write ${{{name}:-default}}"
    # Within quotes the column holds as long as nothing before the variable is escaped; one line is the rule.
    inside = match.start() + (1 if node.quoted else 0)
    mark = node.mark
    if inside < mark.width:
        mark = Mark(mark.line, mark.column + inside, min(len(match.group()), mark.width - inside))
    return Fault(finding=Finding(code="variable", text=text, path=path, hint=hint), mark=mark)
