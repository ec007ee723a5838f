"""Overrides: `--set PATH=VALUE` put into the tree, as if the file said so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.topology.conditions import OPERATORS
from orchestrator.topology.form import EndpointForm, Form, NodeForm, PatternForm
from orchestrator.topology.load import load
from orchestrator.topology.problem import NOWHERE, Problem, TopologyError
from orchestrator.topology.suggest import did_you_mean, did_you_mean_or_list
from orchestrator.topology.tree import Entry, Listing, Node, Path, Scalar, Table, child


class OverrideError(ValueError):
    """An option that does not fit the file; `hint` says what would."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        """Keep what the problem needs."""
        super().__init__(text)
        self.hint = hint


def override(tree: Node, overrides: Iterable[tuple[str, str]]) -> tuple[Node, list[Problem]]:
    """The tree with each `(path, value)` put in, later ones on top, and what was wrong with the others."""
    problems: list[Problem] = []
    for path, written in overrides:
        origin = f"--set {path}={written}"
        try:
            keys = _keys(tree, path)
            tree = _put(tree, keys, _value(written, origin, keys), origin)
        except OverrideError as error:
            problems.append(_problem(str(error), error.hint, path, origin))
        except TopologyError as error:
            problems += [
                replace(problem, mark=NOWHERE, origin=origin, path=path) for problem in error.problems
            ]
    return tree, problems


def _problem(text: str, hint: str, path: str, origin: str) -> Problem:
    return Problem(code="override", text=text, mark=NOWHERE, path=path, hint=hint, origin=origin)


def _value(written: str, origin: str, keys: Path) -> Node:
    """The value as YAML; a condition needs no quotes of YAML's beside those of the shell."""
    bare = written.strip()
    if not bare:
        return Scalar(value=None, mark=NOWHERE, origin=origin)
    if keys[2:3] == ("expect",) and bare.startswith(OPERATORS):
        return Scalar(value=bare, mark=NOWHERE, text=bare, quoted=True, origin=origin)
    loaded = load(written)
    if loaded.problems:
        raise TopologyError(loaded.problems)
    return _from_option(loaded.tree, origin)


def _from_option(node: Node, origin: str) -> Node:
    """The same value, told to come from the command line."""
    if isinstance(node, Table):
        entries = {
            key: Entry(mark=NOWHERE, value=_from_option(entry.value, origin))
            for key, entry in node.entries.items()
        }
        return Table(entries=entries, mark=NOWHERE, origin=origin)
    if isinstance(node, Listing):
        items = tuple(_from_option(item, origin) for item in node.items)
        return Listing(items=items, mark=NOWHERE, origin=origin)
    return replace(node, mark=NOWHERE, origin=origin)


def _keys(tree: Node, path: str) -> Path:
    """The keys that a dotted path names; under `expect` the rest of it is one key."""
    names = path.split(".")
    if len(names) < 2 or not all(names):
        raise OverrideError(
            f"cannot read the path '{path[:60]}'", hint="write PATTERN.KEY, as pipeline.nodes.worker.replicas"
        )
    if names[1] == "expect" and len(names) > 2:
        names = [*names[:2], ".".join(names[2:])]
    patterns = child(tree, "patterns")
    _known(patterns, names[0], "pattern", "patterns")
    if names[1] not in PatternForm.model_fields:
        raise OverrideError(
            f"unknown key '{names[1]}'", hint=did_you_mean(names[1], PatternForm.model_fields)
        )
    pattern = child(patterns, names[0]) if patterns is not None else None
    if names[1] in ("nodes", "endpoints") and len(names) > 2:
        members = child(pattern, names[1]) if pattern is not None else None
        _known(members, names[2], names[1][:-1], names[1])
        form: type[Form] = NodeForm if names[1] == "nodes" else EndpointForm
        _known_field(names, list(form.model_fields))
    return ("patterns", *names)


def _known(table: Node | None, name: str, word: str, plural: str) -> None:
    known: Sequence[str] = list(table.entries) if isinstance(table, Table) else []
    if name not in known:
        raise OverrideError(f"unknown {word} '{name[:40]}'", hint=did_you_mean_or_list(name, known, plural))


def _known_field(names: Sequence[str], known: Sequence[str]) -> None:
    if len(names) > 3 and names[3] not in known:
        raise OverrideError(f"unknown key '{names[3][:40]}'", hint=did_you_mean(names[3], known))


def _put(node: Node, path: Path, value: Node, origin: str, done: Path = ()) -> Node:
    """The tree with `value` at `path`; a short form on the way becomes its long form."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    node = _long_form(node, done, str(key))
    if isinstance(node, Listing):
        index = int(key) if str(key).isdecimal() else -1
        if not 0 <= index < len(node.items):
            raise OverrideError(
                f"there is no item '{key}'", hint=f"the list has {len(node.items)}, counted from 0"
            )
        items = list(node.items)
        items[index] = _put(items[index], rest, value, origin, (*done, index))
        return replace(node, items=tuple(items))
    if isinstance(node, Scalar):
        if node.value is not None:
            raise OverrideError(f"'{done[-1]}' is a single value: it has no '{key}'")
        node = Table(entries={}, mark=node.mark, origin=origin)
    name = str(key)
    old = node.entries.get(name)
    inner: Node = old.value if old else Table(entries={}, mark=NOWHERE, origin=origin)
    entry = Entry(mark=old.mark if old else NOWHERE, value=_put(inner, rest, value, origin, (*done, name)))
    return replace(node, entries={**node.entries, name: entry})


def _long_form(node: Node, done: Path, key: str) -> Node:
    """The long form of a short one that the path goes on below: an address, a function's name, a policy."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str | bool):
        return node
    if len(done) == 4 and done[2] == "endpoints":
        field = "address"
    elif len(done) == 5 and done[2] == "nodes" and done[4] == "restart":
        field = "policy"
    elif len(done) == 6 and done[4] == "params" and key in ("with", "function"):
        field = "function"
    else:
        return node
    return Table(entries={field: Entry(mark=node.mark, value=node)}, mark=node.mark, origin=node.origin)
