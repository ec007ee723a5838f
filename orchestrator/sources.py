"""The edge where topologies meet files: reads topologies and the sources of roles, and looks for inputs.

Nothing of the user's is imported or run here; modules are found as Python would find them and read as text.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.topology.annotations import file_kind, names_function
from orchestrator.topology.load import MAX_BYTES
from orchestrator.topology.problem import NOWHERE, Problem, TopologyError
from orchestrator.topology.shapes import RoleError, parse_source, top_level_names
from orchestrator.topology.suggest import did_you_mean
from orchestrator.topology.tree import Finding, problem_at

if TYPE_CHECKING:  # pydantic takes a while to import, so `check` is imported where it is used
    from orchestrator.topology.check import Checked
    from orchestrator.topology.tree import Path as Keys

_HOME = Path(__file__).resolve().parents[1]
_MAX_SOURCE_BYTES = 4 * 1024 * 1024


def check_file(
    path: Path, *, overrides: Sequence[tuple[str, str]] = (), environment: Mapping[str, str]
) -> Checked:
    """Check a topology file and what it names on disk; raises TopologyError with every problem.

    `overrides` are paths that start at a pattern, and YAML values. Files, globs and modules are looked for
    from the file's folder.
    """
    from orchestrator.topology.check import survey  # noqa: PLC0415 - see above

    folder = path.absolute().parent
    read_source = functools.cache(SourceFinder(folder).read)
    text, variables = read_topology(path), dict(environment)
    with _no_pydantic_plugins():
        found = survey(text, overrides=overrides, environment=variables, read_source=read_source)
    findings = _missing_inputs(found.checked, folder, environment)
    problems = [*found.problems, *(problem_at(found.checked.tree, finding) for finding in findings)]
    if any(problem.severity == "error" for problem in problems):
        raise TopologyError(problems)
    return found.checked


@contextlib.contextmanager
def _no_pydantic_plugins() -> Iterator[None]:
    """They watch the models of whoever has installed them, and not ours; to look for them takes a while."""
    name = "PYDANTIC_DISABLE_PLUGINS"
    before = os.environ.get(name)
    os.environ[name] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def read_topology(path: Path) -> str:
    """A topology file's text; raises TopologyError where there is none to be had."""
    try:
        if path.is_dir():
            raise _unreadable(f"cannot read {path}: it is a folder", "name the file in it")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(f"cannot read {path}: there is no such file", "name a topology file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(f"cannot read {path}: {reason.lower()}", "") from error
    if len(data) > MAX_BYTES:
        raise _unreadable(
            f"cannot read {path}: it has more than {MAX_BYTES // 1024} KiB", "", code="too-large"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        said = f"cannot read {path}: line {line} is not UTF-8"
        raise _unreadable(said, "save it as UTF-8 text", code="not-utf8") from None


def _unreadable(text: str, hint: str, *, code: str = "file") -> TopologyError:
    return TopologyError([Problem(code=code, text=text, mark=NOWHERE, hint=hint)])


class SourceFinder:
    """Finds modules as the role process will: beside the topology first, then among what is installed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the topology's."""
        self._folder = folder

    def read(self, name: str) -> str | None:
        """A module's source by its dotted name; None where it has none, or cannot be found."""
        path = self.locate(name)
        if path is None or path.suffix != ".py":
            return None
        try:
            data = path.read_bytes() if path.stat().st_size <= _MAX_SOURCE_BYTES else b""
        except OSError:
            return None
        try:
            return importlib.util.decode_source(data)
        except (SyntaxError, UnicodeDecodeError):
            return data.decode("utf-8", errors="replace")

    def locate(self, name: str) -> Path | None:
        """The file that a module is loaded from, or None."""
        parts = name.split(".")
        try:
            for root in self._roots(parts[0]):
                found = _module_file(root, parts)
                if found is not None:
                    return found
            return self._installed(parts)
        except (OSError, ValueError):
            return None

    def exists(self, name: str) -> bool:
        """Whether the module can be imported, as far as that can be told without doing so."""
        top = name.partition(".")[0]
        return self.locate(name) is not None or top in sys.stdlib_module_names

    def _roots(self, top: str) -> Iterator[Path]:
        if top in ("roles", "orchestrator"):
            yield _HOME
        yield self._folder
        for entry in sys.path:
            if entry:
                yield Path(entry)

    def _installed(self, parts: list[str]) -> Path | None:
        """Through Python's own finders, for packages that are installed by reference."""
        try:
            spec = importlib.util.find_spec(parts[0])
        except (ImportError, ValueError, AttributeError):
            return None
        if spec is None:
            return None
        if len(parts) == 1:
            return Path(spec.origin) if spec.origin and spec.has_location else None
        for location in spec.submodule_search_locations or ():
            found = _module_file(Path(location), parts[1:])
            if found is not None:
                return found
        return None


def _module_file(root: Path, parts: list[str]) -> Path | None:
    place = root.joinpath(*parts)
    package = place / "__init__.py"
    if package.is_file():
        return package
    suffixes = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
    candidates = (place.with_name(place.name + suffix) for suffix in suffixes)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _missing_inputs(checked: Checked, folder: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What the topology names and the disk does not have: functions, files, folders, programs."""
    finder = SourceFinder(folder)
    for pattern_name, pattern in checked.topology.patterns.items():
        shapes = checked.shapes[pattern_name]
        for node_name, node in pattern.nodes.items():
            keys: Keys = ("patterns", pattern_name, "nodes", node_name)
            if node.command:
                search = {**environment, **node.environment}.get("PATH")
                yield from _program(node.command[0], folder, search, (*keys, "command"))
            for param, value in node.params.items():
                shape = shapes[node_name].params.get(param) if node_name in shapes else None
                where = (*keys, "params", param)
                if shape is None or value is None:
                    continue
                if names_function(shape.annotation):
                    yield from _function(value, finder, where)
                elif isinstance(value, str):
                    yield from _file(file_kind(shape.annotation), value, folder, where)


def _program(name: str, folder: Path, search: str | None, where: Keys) -> Iterator[Finding]:
    target = str(folder / name) if "/" in name else name
    try:
        found = shutil.which(target, path=search)
    except ValueError:
        found = None
    if found is None:
        hint = (
            "check its path, which starts at the topology's folder"
            if "/" in name
            else "check its name, or write its path"
        )
        yield Finding(code="no-program", text=f"cannot find the program '{name[:60]}'", path=where, hint=hint)


def _function(value: object, finder: SourceFinder, where: Keys) -> Iterator[Finding]:
    """A function whose module or whose definition is not there."""
    if isinstance(value, dict):
        value, where = value.get("function"), (*where, "function")
    if not isinstance(value, str):
        return
    module, _, function = value.partition(":")
    if not finder.exists(module):
        hint = "it is looked for beside the topology, then among what is installed"
        yield Finding(code="no-module", text=f"cannot find the module '{module[:60]}'", path=where, hint=hint)
        return
    source = finder.read(module)
    if source is None:
        return
    try:
        names = top_level_names(parse_source(module, source))
    except RoleError as error:
        yield Finding(code=error.code, text=str(error), path=where)
        return
    first = function.partition(".")[0]
    if names is not None and first not in names:
        hint = did_you_mean(first, [name for name in names if not name.startswith("_")])
        yield Finding(
            code="no-function", text=f"'{module[:60]}' has no '{first[:60]}'", path=where, hint=hint
        )


def _file(kind: str, value: str, folder: Path, where: Keys) -> Iterator[Finding]:
    """A file, a glob or a folder that a param names and that is not there."""
    try:
        path = folder / Path(value).expanduser()
        if kind == "InputFile" and not path.is_file():
            what = "it is a folder" if path.is_dir() else "there is no such file"
            yield Finding(code="no-file", text=f"cannot read '{value[:60]}': {what}", path=where)
        elif kind == "InputFiles" and not _matches(folder, value):
            yield Finding(code="no-files", text=f"no file matches '{value[:60]}'", path=where)
        elif kind == "OutputFile" and path.is_dir():
            yield Finding(code="no-folder", text=f"cannot write '{value[:60]}': it is a folder", path=where)
        elif kind == "OutputFile" and not path.parent.is_dir():
            text = f"cannot write '{value[:60]}': its folder is not there"
            yield Finding(code="no-folder", text=text, path=where, hint=f"create {Path(value).parent}")
    except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
        yield Finding(code="no-file", text=f"cannot use '{value[:60]}': {str(error).lower()}", path=where)


def _matches(folder: Path, pattern: str) -> bool:
    path = Path(pattern).expanduser()
    root = Path(path.anchor) if path.is_absolute() else folder
    below = str(path.relative_to(path.anchor))
    return below != "." and any(candidate.is_file() for candidate in root.glob(below))
