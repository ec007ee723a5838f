"""YAML text -> a tree of plain values with their places.

Only what a topology needs is read: one document of mappings, lists and plain values. Anchors, aliases,
merge keys, tags and duplicate keys are refused, as are depth and size beyond all use, so that no file makes
the reader slow or fall. PyYAML's events are built into the tree here, without its composer, which recurses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from orchestrator.topology.problem import LINE_BREAK, NOWHERE, Mark, Problem, TopologyError
from orchestrator.topology.scalars import ScalarError, quoted, resolve, shown
from orchestrator.topology.tree import Entry, Listing, Node, Path, Scalar, Table
from orchestrator.topology.yamlwords import in_words, needs_quotes, repair_quotes

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000
MAX_REPAIRS = 20


Loader = Any
"""A yaml.SafeLoader, the type stubs of which lack what is used here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a text holds. `damaged` are the paths of values that were refused and are not in the tree."""

    tree: Node
    problems: tuple[Problem, ...] = ()
    damaged: tuple[Path, ...] = ()


def load(text: str) -> Loaded:
    """Read YAML text; raises TopologyError where so much is wrong with it that there is no tree.

    A value that only lacks its quotes is a problem, and is left out, and reading goes on.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise TopologyError([Problem(code="too-large", text=_TOO_LARGE, mark=NOWHERE)])
    repaired: list[Problem] = []
    placeholders: set[tuple[int, int]] = set()
    readable = text
    while True:
        loader: Loader | None = None
        try:
            loader = yaml.SafeLoader(readable)
            builder = _build(loader, text, placeholders)
        except yaml.YAMLError as error:
            repair = None
            if isinstance(error, yaml.MarkedYAMLError) and len(repaired) < MAX_REPAIRS:
                repair = repair_quotes(readable, error, in_flow=bool(loader and loader.flow_level))
            if repair is None:
                raise TopologyError([*repaired, in_words(error, readable)]) from error
            readable = repair.text
            repaired.append(repair.problem)
            placeholders.add((repair.mark.line, repair.mark.column))
        else:
            break
    problems = (*repaired, *builder.problems)
    if builder.root is None:
        raise TopologyError(problems or [Problem(code="empty", text=_EMPTY, mark=Mark(1, 1))])
    return Loaded(tree=builder.root, problems=problems, damaged=tuple(builder.damaged))


_TOO_LARGE = f"cannot read a topology of more than {MAX_BYTES // 1024} KiB"
_EMPTY = "cannot find a topology: the file is empty"


def _build(loader: Loader, text: str, placeholders: set[tuple[int, int]]) -> _Builder:
    """Build the tree from the loader's events; raises yaml.YAMLError where the text is not YAML."""
    builder = _Builder(LINE_BREAK.split(text), placeholders)
    while not builder.full and loader.check_event():
        builder.take(loader.get_event())
    return builder


@dataclass(slots=True)
class _Frame:
    """A mapping or a list that is being read. `key` is None where the next value is a key."""

    mark: Mark
    is_table: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    key: tuple[str, Mark] | None = None
    skips_value: bool = False


class _Builder:
    """Puts a tree together from YAML events, noting what it refuses."""

    def __init__(self, lines: list[str], placeholders: set[tuple[int, int]]) -> None:
        self.root: Node | None = None
        self.full = False
        self.problems: list[Problem] = []
        self.damaged: list[Path] = []
        self._lines = lines
        self._placeholders = placeholders
        self._frames: list[_Frame] = []
        self._values = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                mark = self._mark(event)
                self._stop(Problem(code="yaml-documents", text="cannot use a second document", mark=mark))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            raw = f"*{event.anchor}"
            self._refuse(
                event, "yaml-alias", f"cannot use the alias '{raw}'", f"quote it if it is text: {quoted(raw)}"
            )
            self._put(None, self._mark(event))
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)

    def _mark(self, event: yaml.Event) -> Mark:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:
            return Mark(1, 1)
        line = self._lines[start.line] if start.line < len(self._lines) else ""
        stop = end.column if end.line == start.line else len(line)
        return Mark(start.line + 1, start.column + 1, max(1, stop - start.column))

    def _refuse(self, event: yaml.Event, code: str, text: str, hint: str = "") -> None:
        self.problems.append(Problem(code=code, text=text, mark=self._mark(event), hint=hint))

    def _stop(self, problem: Problem) -> None:
        """Read no further: what follows could only repeat the fault."""
        self.problems.append(problem)
        self.full = True
        self.root = None

    def _counted(self, event: yaml.NodeEvent) -> bool:
        """Count one more value, and refuse what no value may carry."""
        self._values += 1
        if self._values > MAX_VALUES:
            text = f"cannot read a topology of more than {MAX_VALUES} values"
            self._stop(Problem(code="too-large", text=text, mark=self._mark(event)))
        if event.anchor is not None:
            mark = replace(self._mark(event), width=len(event.anchor) + 1)
            text = f"cannot use the anchor '&{event.anchor}'"
            self.problems.append(
                Problem(code="yaml-anchor", text=text, mark=mark, hint="write the value out")
            )
        return not self.full

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if not self._counted(event):
            return
        if event.tag is not None:
            self._refuse(event, "yaml-tag", f"cannot use the tag '{_short_tag(event.tag)}'")
        if len(self._frames) >= MAX_DEPTH:
            text = f"cannot read deeper than {MAX_DEPTH} levels"
            self._stop(Problem(code="too-deep", text=text, mark=self._mark(event)))
            return
        self._frames.append(_Frame(self._mark(event), isinstance(event, yaml.MappingStartEvent)))

    def _close(self) -> None:
        frame = self._frames.pop()
        node: Node
        if frame.is_table:
            node = Table(entries=frame.entries, mark=frame.mark)
        else:
            node = Listing(items=tuple(frame.items), mark=frame.mark)
        self._put(node, frame.mark)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if not self._counted(event):
            return
        mark = self._mark(event)
        if (mark.line, mark.column) in self._placeholders:
            self._put(None, mark)
            return
        raw = self._lines[mark.line - 1][mark.column - 1 :]
        if event.tag is not None:
            hint = f"quote it if it is text: {quoted(raw.strip())}"
            self._refuse(event, "yaml-tag", f"cannot use the tag '{_short_tag(event.tag)}'", hint)
            self._put(None, mark)
            return
        if event.style in (">", "|") and not event.value.strip() and raw[1:].strip():
            self.problems.append(needs_quotes(raw.strip(), Mark(mark.line, mark.column)))
            self._put(None, mark)
            return
        try:
            value = resolve(event.value) if event.style is None else event.value
        except ScalarError as error:
            hint = (
                "write the keys out"
                if event.value == "<<"
                else f"quote it if it is text: {quoted(event.value)}"
            )
            self._refuse(event, "yaml-merge" if event.value == "<<" else "yaml-value", str(error), hint)
            self._put(None, mark)
            return
        self._put(Scalar(value=value, mark=mark, text=event.value, quoted=event.style is not None), mark)

    def _put(self, node: Node | None, mark: Mark) -> None:
        """Give a finished value to the mapping or list around it; None stands for one that was refused."""
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        if not frame.is_table:
            if node is not None:
                frame.items.append(node)
            else:
                self.damaged.append(self._path(len(frame.items)))
        elif frame.skips_value:
            frame.skips_value = False
        elif frame.key is None:
            self._take_key(frame, node, mark)
        else:
            key, key_mark = frame.key
            frame.key = None
            if node is None:
                self.damaged.append(self._path(key))
            else:
                frame.entries[key] = Entry(mark=key_mark, value=node)

    def _take_key(self, frame: _Frame, node: Node | None, mark: Mark) -> None:
        frame.skips_value = True
        if node is None:
            self.damaged.append(self._path("?"))
        elif not isinstance(node, Scalar):
            self.problems.append(Problem(code="yaml-key", text="a key must be text", mark=mark))
        elif not isinstance(node.value, str):
            self._odd_key(node)
        elif node.value in frame.entries:
            first = frame.entries[node.value].mark.line
            text = f"duplicate key '{node.value[:40]}': line {first} has it already"
            self.problems.append(Problem(code="duplicate-key", text=text, mark=mark))
        else:
            frame.key = (node.value, mark)
            frame.skips_value = False

    def _odd_key(self, node: Scalar) -> None:
        hint = f"quote it: {quoted(node.text)}" if node.text else ""
        made = "a number" if str(node.value) == node.text else shown(node.value)
        text = (
            f"a key must be text: {node.text[:40]} is {made} to YAML" if node.text else "a key must be text"
        )
        self.problems.append(Problem(code="yaml-key", text=text, mark=node.mark, hint=hint))
        self.damaged.append(self._path(node.text))

    def _path(self, last: str | int) -> Path:
        keys = [frame.key[0] if frame.key else len(frame.items) for frame in self._frames[:-1]]
        return (*keys, last)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")[:40]
