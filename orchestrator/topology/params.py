"""Params of a role against their annotations: values checked, and read as their annotations mean them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.topology import durations
from orchestrator.topology.form import settled
from orchestrator.topology.scalars import shown
from orchestrator.topology.suggest import did_you_mean, did_you_mean_or_list, nearest
from orchestrator.topology.tree import Finding, Node, Path, Scalar, Table, plain
from orchestrator.topology.wiring import ParamShape
from orchestrator.topology.wording import not_text

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_TEXTS = ("str", "InputFile", "InputFiles", "OutputFile", "Path")
LATER = ("retry",)
"""Params of built-in roles that this version does not support yet."""


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
        if name in LATER and name not in shapes:
            text = f"cannot use '{name}': this version does not support it yet"
            findings.append(Finding(code="not-supported", text=text, path=here, on="key"))
        elif name not in shapes:
            hint = did_you_mean_or_list(name, shapes, "params")
            text = f"'{role}' has no param '{name[:40]}'"
            findings.append(Finding(code="unknown-param", text=text, path=here, hint=hint, on="key"))
        else:
            found = _Value(name).read(_parsed(shapes[name].annotation), entry.value, here)
            values[name], told = found
            findings += told
    return values, findings


def free_params(table: Node | None) -> dict[str, Any]:
    """Params of a role whose source cannot be read: as they are written, unchecked."""
    return (
        {key: free(entry.value) for key, entry in table.entries.items()} if isinstance(table, Table) else {}
    )


def free(node: Node) -> Any:
    """A value of no known annotation, as YAML reads it."""
    return _settled(plain(node))


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _settled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return settled(value)


def missing_params(
    table: Node | None, shapes: Mapping[str, ParamShape], *, role: str, path: Path
) -> Iterator[Finding]:
    """What the role requires and the file does not give."""
    given = table.entries if isinstance(table, Table) else {}
    for name, shape in shapes.items():
        if shape.required and name not in given:
            text = f"'{role}' needs the param '{name}'"
            yield Finding(
                code="missing-param", text=text, path=path, hint=_sample(name, shape.annotation), on="key"
            )


def names_function(annotation: str) -> bool:
    """Whether a param of this annotation takes a function."""
    return "Function" in _alternatives(annotation)


def file_kind(annotation: str) -> str:
    """`InputFile`, `InputFiles` or `OutputFile` where a param of this annotation names files, else ""."""
    return next((name for name in _alternatives(annotation) if name in _TEXTS[1:4]), "")


def _alternatives(annotation: str) -> list[str]:
    return [_name(option) for option in _options(_parsed(annotation))]


def _sample(name: str, annotation: str) -> str:
    options = _options(_parsed(annotation))
    if options and _name(options[0]) == "Literal":
        return f"write {name}: {' or '.join(str(choice) for choice in _choices(options[0]))}"
    return f"it is {_WORDS[annotation]}" if annotation in _WORDS else ""


def _parsed(annotation: str) -> ast.expr:
    try:
        return ast.parse(annotation, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Name(id="Any")


def _name(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return "None"
    return annotation.id if isinstance(annotation, ast.Name) else ""


def _arguments(annotation: ast.expr) -> list[ast.expr]:
    if not isinstance(annotation, ast.Subscript):
        return []
    inner = annotation.slice
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def _options(annotation: ast.expr) -> list[ast.expr]:
    """The alternatives of a union, or the annotation alone."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _options(annotation.left) + _options(annotation.right)
    if _name(annotation) == "Optional":
        return [*_arguments(annotation), ast.Constant(value=None)]
    if _name(annotation) == "Union":
        return [option for argument in _arguments(annotation) for option in _options(argument)]
    return [annotation]


def _choices(annotation: ast.expr) -> list[Any]:
    return [choice.value for choice in _arguments(annotation) if isinstance(choice, ast.Constant)]


class _Value:
    """Reads the value of one param; `name` is what messages call it."""

    def __init__(self, name: str) -> None:
        self._key = f"'{name}'"

    def read(self, annotation: ast.expr, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        """The value and what is wrong with it."""
        options = _options(annotation)
        if (
            isinstance(node, Scalar)
            and node.value is None
            and any(_name(option) == "None" for option in options)
        ):
            return None, []
        first: list[Finding] = []
        for option in options:
            if _name(option) == "None":
                continue
            value, findings = self._read_one(option, node, path)
            if not findings:
                return value, []
            if not first or self._goes_deeper(findings, path):
                first = findings
        return None, first

    def _goes_deeper(self, findings: list[Finding], path: Path) -> bool:
        return any(len(finding.path) > len(path) for finding in findings)

    def _read_one(self, annotation: ast.expr, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        name = _name(annotation)
        if name in _WORDS:
            return self._number(name, node, path)
        if name in _TEXTS:
            return self._text(node, path)
        if name == "Function":
            return self._function(node, path)
        if name == "Duration":
            return self._duration(node, path)
        if name == "Literal":
            return self._choice(_choices(annotation), node, path)
        if name in ("list", "tuple", "Sequence"):
            return self._items(annotation, node, path)
        if name in ("dict", "Mapping"):
            return self._mapping(annotation, node, path)
        return free(node), []

    def _wrong(
        self, text: str, path: Path, hint: str = "", code: str = "param-type"
    ) -> tuple[None, list[Finding]]:
        return None, [Finding(code=code, text=text, path=path, hint=hint)]

    def _must_be(self, what: str, node: Node, path: Path, hint: str = "") -> tuple[None, list[Finding]]:
        return self._wrong(f"{self._key} must be {what}, not {shown(plain(node))}", path, hint)

    def _number(self, name: str, node: Node, path: Path) -> tuple[Any, list[Finding]]:
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
            return self._must_be(_WORDS[name], node, path, hint)
        return value, []

    def _text(self, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return str(node.value), []
        text, hint = not_text(self._key, node)
        return self._wrong(text, path, hint, "not-text")

    def _duration(self, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
            return self._must_be("a duration", node, path, "write it as 250ms, 10s or 1m30s")
        try:
            return durations.parse_duration(str(node.value)), []
        except ValueError as error:
            text, _, hint = str(error).partition(" (")
            return self._wrong(text, path, hint.rstrip(")"), "duration")

    def _choice(self, choices: list[Any], node: Node, path: Path) -> tuple[Any, list[Finding]]:
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

    def _function(self, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        if isinstance(node, Scalar):
            value, findings = self._text(node, path)
            if not findings and not FUNCTION.fullmatch(value):
                hint = 'write "module:function"'
                return self._wrong(f"{self._key} names no function: '{value[:60]}'", path, hint, "function")
            return value, findings
        if not isinstance(node, Table):
            return self._must_be("a function", node, path, 'write "module:function"')
        findings = []
        for key in node.entries:
            if key not in ("function", "with"):
                hint = did_you_mean(key, ("function", "with")) or "a function has the keys function and with"
                finding = Finding(
                    code="unknown-key",
                    text=f"unknown key '{key[:40]}'",
                    path=(*path, key),
                    hint=hint,
                    on="key",
                )
                findings.append(finding)
        if "function" not in node.entries:
            text = f"{self._key} needs 'function'"
            return None, [*findings, Finding(code="missing-key", text=text, path=path, on="key")]
        inner = node.entries["function"].value
        if not isinstance(inner, Scalar):
            return self._must_be("a function", inner, (*path, "function"), 'write "module:function"')
        value, told = self._function(inner, (*path, "function"))
        if "with" not in node.entries:
            return {"function": value}, findings + told
        given = node.entries["with"].value
        if not isinstance(given, Table):
            told.append(Finding(code="param-type", text="'with' must be a mapping", path=(*path, "with")))
        return {"function": value, "with": free(given)}, findings + told

    def _items(self, annotation: ast.expr, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        if isinstance(node, Scalar | Table):
            return self._must_be("a list", node, path)
        arguments = _arguments(annotation)
        fixed = _name(annotation) == "tuple" and not any(
            isinstance(argument, ast.Constant) and argument.value is ... for argument in arguments
        )
        if fixed and arguments and len(node.items) != len(arguments):
            return self._must_be(f"a list of {len(arguments)}", node, path)
        values, findings = [], []
        for index, item in enumerate(node.items):
            kind = arguments[index if fixed and arguments else 0] if arguments else ast.Name(id="Any")
            value, told = self.read(kind, item, (*path, index))
            values.append(value)
            findings += told
        return values, findings

    def _mapping(self, annotation: ast.expr, node: Node, path: Path) -> tuple[Any, list[Finding]]:
        if not isinstance(node, Table):
            return self._must_be("a mapping", node, path)
        kind = (_arguments(annotation) or [ast.Name(id="Any")])[-1]
        values, findings = {}, []
        for key, entry in node.entries.items():
            values[key], told = self.read(kind, entry.value, (*path, key))
            findings += told
        return values, findings
