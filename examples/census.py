"""A census of Python's standard library: how long its modules are, what they define, how deep they nest.

Plain functions, named by `census.yaml`: `modules` says what there is to do, `examine` does one task, `add` folds the
results into one total, and `report` tells it.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOREIGN = {"site-packages", "dist-packages"}
"""Folders within the library's own that hold what others have installed."""


def modules(below: str = "") -> Iterator[str]:
    """Every `.py` file of the standard library, relative to its folder, or those of one folder in it."""
    library = _library()
    for path in sorted(library.joinpath(below).rglob("*.py")):
        relative = path.relative_to(library)
        if path.is_file() and not FOREIGN.intersection(relative.parts):
            yield relative.as_posix()


def examine(module: str) -> dict[str, Any]:
    """Count the lines, functions and classes of one module, and how deep its blocks nest.

    The library has modules that do not parse, on purpose: they are what its tests read. They have lines and an `error`.
    """
    source = _library().joinpath(module).read_bytes()
    counted: dict[str, Any] = {"module": module, "lines": len(source.splitlines())}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return counted | {"error": f"{type(error).__name__}: {error}"}
    return counted | _shape(tree)


def add(total: dict[str, Any] | None, counted: dict[str, Any]) -> dict[str, Any]:
    """Fold one module into the total, which is the same in whatever order they come."""
    if total is None:
        total = dict.fromkeys(("files", "lines", "functions", "classes"), 0)
        total |= {"deepest": {"module": "", "nesting": -1}, "modules": {}, "not_parsed": {}}
    module = counted["module"]
    total["files"] += 1
    total["lines"] += counted["lines"]
    if "error" in counted:
        total["not_parsed"][module] = counted["error"]
        return total
    total["functions"] += counted["functions"]
    total["classes"] += counted["classes"]
    total["modules"][module] = {name: count for name, count in counted.items() if name != "module"}
    total["deepest"] = max(
        total["deepest"],
        {"module": module, "nesting": counted["nesting"]},
        key=lambda one: (one["nesting"], one["module"]),
    )
    return total


def report(total: dict[str, Any] | None) -> str:
    """The ten largest modules and the sums, as a text to print."""
    if total is None:
        return "no modules"
    largest = sorted(total["modules"].items(), key=lambda entry: (-entry[1]["lines"], entry[0]))[:10]
    rows = [
        f"{one['lines']:>7,} {one['functions']:>10,} {one['classes']:>8,} {one['nesting']:>8}  {module}"
        for module, one in largest
    ]
    deepest = total["deepest"]
    sums = (
        f"{total['files']:,} files, {total['lines']:,} lines, {total['functions']:,} functions, "
        f"{total['classes']:,} classes; {len(total['not_parsed'])} files do not parse\n"
        f"deepest nesting: {deepest['nesting']} blocks, in {deepest['module']}"
    )
    return "\n".join(["  lines  functions  classes  nesting  module", *rows, sums])


def _library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _shape(tree: ast.Module) -> dict[str, int]:
    """Functions, classes and the deepest nesting of blocks; by hand, as deep code would exceed recursion."""
    functions = classes = deepest = 0
    blocks: list[tuple[ast.AST, int]] = [(tree, 0)]
    while blocks:
        block, depth = blocks.pop()
        functions += isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
        classes += isinstance(block, ast.ClassDef)
        for child in _statements(block):
            deepest = max(deepest, depth)
            blocks.append((child, depth + (not _is_elif(block, child))))
    return {"functions": functions, "classes": classes, "nesting": deepest}


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """The statements directly within a block; those within an `except` or a `case` are the block's own."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(block, field, ()):
            if isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from child.body
            else:
                yield child


def _is_elif(block: ast.AST, child: ast.AST) -> bool:
    """Whether the child is an `elif` of the block: it stands inside only in the tree, not on the page."""
    return (
        isinstance(block, ast.If)
        and isinstance(child, ast.If)
        and block.orelse == [child]
        and child.col_offset == block.col_offset
    )
