"""The file as a tree of plain values, each with its place; and how findings about it become problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.topology.problem import NOWHERE, Mark, Problem
from orchestrator.topology.scalars import Value

Path = tuple[str | int, ...]
"""Keys and list positions that lead from the root to a value."""


class Expanded(str):
    """Text from a value with a variable in it; a number's key reads it as YAML reads unquoted text."""

    __slots__ = ()


class ExpandedQuoted(Expanded):
    """The same from a value in quotes: where anything may stand, it stays text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value. `text` is how it is written; `quoted` tells text that is text for certain."""

    value: Value
    mark: Mark
    text: str = ""
    quoted: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of values."""

    items: tuple[Node, ...]
    mark: Mark
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a mapping: the key's place and its value."""

    mark: Mark
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A mapping, its keys in the order in which they are written."""

    entries: dict[str, Entry]
    mark: Mark
    origin: str = ""


Node = Scalar | Listing | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault by its path in the tree. `on` tells whether the caret goes under the key or under its value."""

    code: str
    text: str
    path: Path
    hint: str = ""
    severity: Literal["error", "warning"] = "error"
    on: Literal["key", "value"] = "value"


def plain(node: Node) -> Value:
    """The value without its places."""
    if isinstance(node, Table):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return node.value


def child(node: Node, key: str | int) -> Node | None:
    """The value under a key or at a position, None where there is none."""
    if isinstance(node, Table) and isinstance(key, str) and key in node.entries:
        return node.entries[key].value
    if isinstance(node, Listing) and isinstance(key, int) and 0 <= key < len(node.items):
        return node.items[key]
    return None


def find(node: Node, path: Path) -> Node | None:
    """The value at a path, None where there is none."""
    here: Node | None = node
    for key in path:
        if here is None:
            return None
        here = child(here, key)
    return here


def without(node: Node, paths: Iterable[Path]) -> Node:
    """The tree without the values at these paths; the root stays, and a path may lead nowhere."""
    below: dict[str | int, list[Path]] = {}
    for path in paths:
        if path:
            below.setdefault(path[0], []).append(path[1:])
    gone = {key for key, rests in below.items() if () in rests}
    if isinstance(node, Table):
        entries = {
            key: replace(entry, value=without(entry.value, below[key])) if key in below else entry
            for key, entry in node.entries.items()
            if key not in gone
        }
        return replace(node, entries=entries)
    if isinstance(node, Listing):
        items = tuple(
            without(item, below[index]) if index in below else item
            for index, item in enumerate(node.items)
            if index not in gone
        )
        return replace(node, items=items)
    return node


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every value of the tree with its path, from the root down, in file order."""
    yield path, node
    if isinstance(node, Table):
        for key, entry in node.entries.items():
            yield from walk(entry.value, (*path, key))
    elif isinstance(node, Listing):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))


def problem_at(tree: Node, finding: Finding) -> Problem:
    """The finding with its place: that of its path, or of the nearest value above that is in the file."""
    mark, origin = _place(tree, finding.path, finding.on)
    path = finding.path[1:] if finding.path[:1] == ("patterns",) else finding.path
    return Problem(
        code=finding.code,
        text=finding.text,
        mark=mark,
        path=".".join(str(key) for key in path),
        hint=finding.hint,
        severity=finding.severity,
        origin=origin,
    )


def _place(tree: Node, path: Path, on: str) -> tuple[Mark, str]:
    key_mark, here, whole = tree.mark, tree, True
    for key in path:
        found = child(here, key)
        if found is None:
            # Below a single value there is what a short form leaves unsaid: the value is the place.
            whole = isinstance(here, Scalar)
            break
        key_mark = here.entries[key].mark if isinstance(here, Table) and isinstance(key, str) else found.mark
        here = found
    if here.origin:
        return NOWHERE, here.origin
    implied = isinstance(here, Scalar) and here.value is None and not here.text
    return (here.mark if on == "value" and whole and not implied else key_mark), ""


def lines_below(tree: Node, path: Path) -> dict[str, int]:
    """The line of every key below a path, by the keys joined with dots, and of mappings in lists by their positions.

    What an option set has none.
    """
    start = find(tree, path)
    found: dict[str, int] = {}
    for below, node in walk(start) if start is not None else ():
        places: dict[str | int, Mark] = {}
        if isinstance(node, Table):
            places = {key: entry.mark for key, entry in node.entries.items() if not entry.value.origin}
        elif isinstance(node, Listing):
            places = {at: item.mark for at, item in enumerate(node.items) if isinstance(item, Table)}
        found |= {
            ".".join(str(part) for part in (*below, key)): mark.line
            for key, mark in places.items()
            if mark.line
        }
    return found
