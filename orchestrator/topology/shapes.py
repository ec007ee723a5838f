"""Role source -> RoleShape: ports and params read from the text of a class, which is never imported.

Bases are followed through imports by asking for their module's source, so a class derived from a built-in
role has that role's ports and params too.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.topology.suggest import did_you_mean, did_you_mean_or_list
from orchestrator.topology.wiring import ParamShape, PortShape, RoleShape

BUILT_IN = {
    name: name.capitalize()
    for name in ("ventilator", "worker", "sink", "publisher", "subscriber", "client", "server", "proxy")
}
"""Built-in roles and their classes; `worker` is the class `Worker` of the module `roles.worker`."""

KINDS = {name: name.upper() for name in ("Push", "Pull", "Pub", "Sub", "Req", "Rep", "Router", "Dealer")} | {
    "Raw": ""
}
"""Constructors that declare a port, and their socket kinds; a raw port's kind is its role's to tell."""

MAX_BASES = 50

SourceReader = Callable[[str], str | None]
"""Gives a module's source text by its dotted name, None where there is none to be had."""


class RoleError(ValueError):
    """A role that cannot be read; `unreadable` where the file can make up for it with `ports`."""

    def __init__(
        self, text: str, *, hint: str = "", code: str = "unknown-role", unreadable: bool = False
    ) -> None:
        """Keep what the problem needs."""
        super().__init__(text)
        self.hint = hint
        self.code = code
        self.unreadable = unreadable


def role_shape(role: str, read_source: SourceReader) -> RoleShape:
    """What a role's source says of it; `role` is a built-in name or `module:Class`. Raises RoleError."""
    module, name = _class_of(role)
    reader = _Reader(read_source)
    reader.visit(module, name)
    if not reader.is_role:
        if reader.unknown_bases:
            raise RoleError(
                f"cannot read the bases of '{name}': {', '.join(reader.unknown_bases[:3])}",
                hint="name its ports: ports: {tasks: pull}",
                unreadable=True,
            )
        raise RoleError(f"'{name}' is no role", hint="derive it from Role")
    return RoleShape(ports=reader.ports, params=reader.params, family=reader.family, source=reader.source)


def _class_of(role: str) -> tuple[str, str]:
    if role in BUILT_IN:
        return f"roles.{role}", BUILT_IN[role]
    module, colon, name = role.partition(":")
    if not colon:
        raise RoleError(
            f"unknown role '{role[:60]}'",
            hint=did_you_mean(role, BUILT_IN) or f"write module:Class, or one of {', '.join(BUILT_IN)}",
        )
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise RoleError(f"cannot read the role '{role[:60]}'", hint="write module:Class")
    return module, name


@dataclass(slots=True)
class _Module:
    """One module's classes and the dotted names that its imports give to its own."""

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Follows a class through its bases, collecting what each declares."""

    def __init__(self, read_source: SourceReader) -> None:
        self.ports: dict[str, PortShape] = {}
        self.params: dict[str, ParamShape] = {}
        self.family = ""
        self.source = False
        self.is_role = False
        self.unknown_bases: list[str] = []
        self._read_source = read_source
        self._trail: list[tuple[str, str]] = []
        self._visits = 0

    def visit(self, module_name: str, name: str) -> None:
        """Collect what a class and its bases declare, the bases first."""
        module = parse_module(module_name, self._read_source)
        found = module.classes.get(name)
        if found is None and name in module.imports:
            self._visits += 1
            if self._visits > MAX_BASES:
                raise RoleError(f"cannot follow '{name}': its imports go round in a circle")
            self._visit_dotted(module.imports[name])
            return
        if found is None:
            known = [*module.classes, *module.imports]
            hint = did_you_mean_or_list(name, known, "classes")
            raise RoleError(f"there is no class '{name}' in '{module_name}'", hint=hint)
        self._visits += 1
        if (module_name, name) in self._trail or self._visits > MAX_BASES:
            raise RoleError(f"cannot follow the bases of '{name}': they go round in a circle")
        self._trail.append((module_name, name))
        for base in reversed(found.bases):
            self._visit_base(module_name, module, base)
        self._trail.pop()
        if BUILT_IN.get(module_name.removeprefix("roles.")) == name:
            self.family = module_name.removeprefix("roles.")
        for statement in found.body:
            self._declared(statement, module)

    def _visit_base(self, module_name: str, module: _Module, base: ast.expr) -> None:
        dotted = _dotted(base.value if isinstance(base, ast.Subscript) else base)
        first, _, rest = dotted.partition(".")
        if not rest and first in module.classes:
            self.visit(module_name, first)
        elif first in module.imports:
            self._visit_dotted(module.imports[first] + (f".{rest}" if rest else ""))
        elif dotted != "object":
            self.unknown_bases.append(dotted or "an expression")

    def _visit_dotted(self, dotted: str) -> None:
        module_name, _, name = dotted.rpartition(".")
        if name == "Role" and module_name.partition(".")[0] == "roles":
            self.is_role = True
            return
        if module_name == "roles" and name.lower() in BUILT_IN:
            module_name = f"roles.{name.lower()}"
        if module_name in ("abc", "typing", "collections.abc"):
            return
        try:
            self.visit(module_name, name)
        except RoleError as error:
            if not error.unreadable:
                raise
            self.unknown_bases.append(dotted)

    def _declared(self, statement: ast.stmt, module: _Module) -> None:
        """Take in one statement of a class body: a port, a param, or the mark of a source."""
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            self._attribute(statement.target.id, statement.value, statement.annotation, module)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    self._attribute(target.id, statement.value, None, module)

    def _attribute(
        self, name: str, value: ast.expr | None, annotation: ast.expr | None, module: _Module
    ) -> None:
        port = _port(value, module)
        if port is not None:
            self.ports[_told_name(value) or name] = port
            self.params.pop(name, None)
        elif name == "source" and (annotation is None or _is_class_var(annotation)):
            self.source = isinstance(value, ast.Constant) and value.value is True
        elif annotation is not None and not name.startswith("_") and not _is_class_var(annotation):
            self.params[name] = ParamShape(annotation=_source(annotation), required=value is None)
        elif name in self.params and value is not None:
            self.params[name] = ParamShape(annotation=self.params[name].annotation)


def parse_module(name: str, read_source: SourceReader) -> _Module:
    """A module's classes and imports; raises RoleError where its source cannot be found or parsed."""
    text = read_source(name)
    if text is None:
        raise RoleError(
            f"cannot find the source of the module '{name[:60]}'",
            hint="check its name and folder; where it has no source, name the ports: ports: {tasks: pull}",
            unreadable=True,
        )
    tree = parse_source(name, text)
    module = _Module()
    for statement in _statements(tree.body):
        if isinstance(statement, ast.ClassDef):
            module.classes[statement.name] = statement
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                bound = alias.asname or alias.name.partition(".")[0]
                module.imports[bound] = alias.name if alias.asname else bound
        elif isinstance(statement, ast.ImportFrom):
            package = _package(name, statement)
            for alias in statement.names:
                module.imports[alias.asname or alias.name] = f"{package}.{alias.name}"
    return module


def parse_source(name: str, text: str) -> ast.Module:
    """The syntax tree of a module; raises RoleError naming line and fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise RoleError(
            f"cannot read '{name}': line {error.lineno or 1}: {error.msg}", code="source-syntax"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RoleError(f"cannot read '{name}': it is no Python source", code="source-syntax") from error


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements at the top of a module, those within `if` and `try` included."""
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If):
            found += _statements(statement.orelse) + _statements(statement.body)
        elif isinstance(statement, ast.Try):
            found += _statements([s for h in statement.handlers for s in h.body]) + _statements(
                statement.body
            )
        else:
            found.append(statement)
    return found


def top_level_names(tree: ast.Module) -> set[str] | None:
    """The names that a module defines or imports; None where that cannot be told from its source."""
    names: set[str] = set()
    for statement in _statements(tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
        else:
            names |= {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return None if names & {"*", "__getattr__"} else names


def _package(module: str, statement: ast.ImportFrom) -> str:
    """The module that `from ... import` names, a relative one made absolute."""
    if not statement.level:
        return statement.module or ""
    parents = module.split(".")[: -statement.level]
    return ".".join([*parents, statement.module] if statement.module else parents)


def _dotted(expression: ast.expr) -> str:
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        inner = _dotted(expression.value)
        return f"{inner}.{expression.attr}" if inner else ""
    return ""


def _told_name(call: ast.expr | None) -> str:
    """The name that a port is given where it is not that of its attribute: `feed = Sub(name="updates")`."""
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def _port(value: ast.expr | None, module: _Module) -> PortShape | None:
    if not isinstance(value, ast.Call):
        return None
    name = _dotted(value.func)
    name = module.imports.get(name, name).rpartition(".")[2]
    if name not in KINDS:
        return None
    optional = any(
        keyword.arg == "optional" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in value.keywords
    )
    return PortShape(kind=KINDS[name], optional=optional)


def _is_class_var(annotation: ast.expr) -> bool:
    return _source(annotation).replace("typing.", "").startswith("ClassVar")


def _source(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value
    return ast.unparse(annotation)
