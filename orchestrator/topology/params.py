"""Params of a role against their annotations: values checked, and read as their annotations mean them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.topology import durations
from orchestrator.topology.annotations import (
    TEXTS,
    WORDS,
    arguments_of,
    choices_of,
    name_of,
    options_of,
    parsed,
    sample,
)
from orchestrator.topology.fields import settled
from orchestrator.topology.scalars import Value, shown
from orchestrator.topology.suggest import did_you_mean, did_you_mean_or_list, nearest
from orchestrator.topology.tree import ExpandedQuoted, Finding, Node, Path, Scalar, Table, plain
from orchestrator.topology.wiring import ParamShape
from orchestrator.topology.wording import not_text

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
RETRY = {"timeout_s": 2.5, "attempts": 3}
"""What `retry` means where it does not tell: the guide's Lazy Pirate waits 2.5 s, three times."""

_RETRY_KEYS = ("timeout", "attempts")
Read = tuple[Value, list[Finding]]
"""A value, and what is wrong with it."""


def read_params(
    table: Node | None, shapes: Mapping[str, ParamShape], *, role: str, path: Path
) -> tuple[dict[str, Any], list[Finding]]:
    """A node's params as values, and what is wrong with them; `path` is that of `params`.

    Durations become seconds; functions stay as they are written, for the role process to find.
    """
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, entry in table.entries.items() if isinstance(table, Table) else ():
        here = (*path, name)
        if name not in shapes:
            hint = did_you_mean_or_list(name, shapes, "params")
            text = f"'{role}' has no param '{name[:40]}'"
            findings.append(Finding(code="unknown-param", text=text, path=here, hint=hint, on="key"))
        else:
            found = _Param(name).read(parsed(shapes[name].annotation), entry.value, here)
            values[name], told = found
            findings += told
    return values, findings


def free_params(table: Node | None) -> dict[str, Any]:
    """Params of a role whose source cannot be read: as they are written, unchecked."""
    return (
        {key: free(entry.value) for key, entry in table.entries.items()} if isinstance(table, Table) else {}
    )


def free(node: Node) -> Value:
    """A value of no known annotation, as YAML reads it."""
    return _settled(plain(node))


def _settled(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _settled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return str(value) if isinstance(value, ExpandedQuoted) else settled(value)


def missing_params(
    table: Node | None, shapes: Mapping[str, ParamShape], *, role: str, path: Path
) -> Iterator[Finding]:
    """What the role requires and the file does not give."""
    given = table.entries if isinstance(table, Table) else {}
    for name, shape in shapes.items():
        if shape.required and name not in given:
            text = f"'{role}' needs the param '{name}'"
            yield Finding(
                code="missing-param", text=text, path=path, hint=sample(name, shape.annotation), on="key"
            )


class _Param:
    """Reads the value of one param; `name` is what messages call it."""

    def __init__(self, name: str) -> None:
        self._key = f"'{name}'"

    def read(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        """The value and what is wrong with it."""
        options = options_of(annotation)
        if (
            isinstance(node, Scalar)
            and node.value is None
            and any(name_of(option) == "None" for option in options)
        ):
            return None, []
        first: list[Finding] = []
        for option in options:
            if name_of(option) == "None":
                continue
            value, findings = self._read_one(option, node, path)
            if not findings:
                return value, []
            if not first or self._goes_deeper(findings, path):
                first = findings
        return None, first

    def _goes_deeper(self, findings: list[Finding], path: Path) -> bool:
        return any(len(finding.path) > len(path) for finding in findings)

    def _read_one(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        name = name_of(annotation)
        readers: dict[str, Callable[[ast.expr, Node, Path], Read]] = {
            **dict.fromkeys(WORDS, self._number),
            **dict.fromkeys(TEXTS, self._text),
            **dict.fromkeys(("list", "tuple", "Sequence"), self._items),
            **dict.fromkeys(("dict", "Mapping"), self._mapping),
            "Function": self._function,
            "Duration": self._duration,
            "Retry": self._retry,
            "Literal": self._choice,
        }
        return readers[name](annotation, node, path) if name in readers else (free(node), [])

    def _wrong(
        self, text: str, path: Path, hint: str = "", code: str = "param-type"
    ) -> tuple[None, list[Finding]]:
        return None, [Finding(code=code, text=text, path=path, hint=hint)]

    def _must_be(self, what: str, node: Node, path: Path, hint: str = "") -> tuple[None, list[Finding]]:
        return self._wrong(f"{self._key} must be {what}, not {shown(plain(node))}", path, hint)

    def _number(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        name = name_of(annotation)
        value = settled(node.value) if isinstance(node, Scalar) else None
        accepted = {"int": int, "bool": bool, "float": int | float}[name]
        if not isinstance(value, accepted) or (isinstance(value, bool) and name != "bool"):
            hint = ""
            if (
                isinstance(node, Scalar)
                and node.quoted
                and isinstance(value, str)
                and value.strip("-").isdecimal()
            ):
                hint = "write it without quotes"
            return self._must_be(WORDS[name], node, path, hint)
        return value, []

    def _text(self, _annotation: ast.expr, node: Node, path: Path) -> Read:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return str(node.value), []
        text, hint = not_text(self._key, node)
        return self._wrong(text, path, hint, "not-text")

    def _duration(self, _annotation: ast.expr, node: Node, path: Path) -> Read:
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
            return self._must_be("a duration", node, path, "write it as 250ms, 10s or 1m30s")
        try:
            return durations.parse_duration(str(node.value)), []
        except ValueError as error:
            text, _, hint = str(error).partition(" (")
            return self._wrong(text, path, hint.rstrip(")"), "duration")

    def _retry(self, _annotation: ast.expr, node: Node, path: Path) -> Read:
        """How often a client asks, and how long it waits each time."""
        if not isinstance(node, Table):
            return self._must_be("a mapping", node, path, "write {timeout: 2.5s, attempts: 3}")
        value: dict[str, Value] = dict(RETRY)
        findings: list[Finding] = []
        for key, entry in node.entries.items():
            here, inner = (*path, key), _Param(key)
            if key == "timeout":
                value["timeout_s"], told = inner.read(ast.Name(id="Duration"), entry.value, here)
                if not told and not value["timeout_s"]:
                    told = [Finding(code="range", text="'timeout' must be more than 0", path=here)]
            elif key == "attempts":
                value["attempts"], told = inner.read(ast.Name(id="int"), entry.value, here)
                if not told and value["attempts"] < 1:
                    text = f"'attempts' must be at least 1, not {value['attempts']}"
                    told = [Finding(code="range", text=text, path=here)]
            else:
                hint = did_you_mean(key, _RETRY_KEYS) or "retry has the keys timeout and attempts"
                text = f"unknown key '{key[:40]}'"
                told = [Finding(code="unknown-key", text=text, path=here, hint=hint, on="key")]
            findings += told
        return value, findings

    def _choice(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        choices = choices_of(annotation)
        value = node.value if isinstance(node, Scalar) else None
        if str not in map(type, choices):
            value = settled(value)
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return value, []
        if isinstance(value, str) and str(value) in choices:
            return str(value), []
        near = nearest(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
        hint = f"did you mean '{near}'?" if near else ""
        return self._must_be(f"one of {', '.join(str(choice) for choice in choices)}", node, path, hint)

    def _function(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        """`"module:function"`, or a mapping of `function` and `with`."""
        if isinstance(node, Table):
            return self._function_with(annotation, node, path)
        if not isinstance(node, Scalar):
            return self._must_be("a function", node, path, 'write "module:function"')
        value, findings = self._text(annotation, node, path)
        if not findings and not FUNCTION.fullmatch(value):
            text = f"{self._key} names no function: '{value[:60]}'"
            return self._wrong(text, path, 'write "module:function"', "function")
        return value, findings

    def _function_with(self, annotation: ast.expr, node: Table, path: Path) -> Read:
        findings: list[Finding] = []
        for key in node.entries:
            if key not in ("function", "with"):
                hint = did_you_mean(key, ("function", "with")) or "a function has the keys function and with"
                text = f"unknown key '{key[:40]}'"
                findings.append(
                    Finding(code="unknown-key", text=text, path=(*path, key), hint=hint, on="key")
                )
        if "function" not in node.entries:
            text = f"{self._key} needs 'function'"
            return None, [*findings, Finding(code="missing-key", text=text, path=path, on="key")]
        inner = node.entries["function"].value
        if not isinstance(inner, Scalar):
            return self._must_be("a function", inner, (*path, "function"), 'write "module:function"')
        value, told = self._function(annotation, inner, (*path, "function"))
        findings += told
        if "with" not in node.entries:
            return {"function": value}, findings
        given = node.entries["with"].value
        if not isinstance(given, Table):
            findings.append(Finding(code="param-type", text="'with' must be a mapping", path=(*path, "with")))
        return {"function": value, "with": free(given)}, findings

    def _items(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        if isinstance(node, Scalar | Table):
            return self._must_be("a list", node, path)
        arguments = arguments_of(annotation)
        fixed = name_of(annotation) == "tuple" and not any(
            isinstance(argument, ast.Constant) and argument.value is ... for argument in arguments
        )
        if fixed and arguments and len(node.items) != len(arguments):
            text = f"{self._key} must be a list of {len(arguments)}, not of {len(node.items)}"
            return self._wrong(text, path)
        values, findings = [], []
        for index, item in enumerate(node.items):
            kind = arguments[index if fixed and arguments else 0] if arguments else ast.Name(id="Any")
            value, told = self.read(kind, item, (*path, index))
            values.append(value)
            findings += told
        return values, findings

    def _mapping(self, annotation: ast.expr, node: Node, path: Path) -> Read:
        if not isinstance(node, Table):
            return self._must_be("a mapping", node, path)
        kind = (arguments_of(annotation) or [ast.Name(id="Any")])[-1]
        values, findings = {}, []
        for key, entry in node.entries.items():
            values[key], told = self.read(kind, entry.value, (*path, key))
            findings += told
        return values, findings
