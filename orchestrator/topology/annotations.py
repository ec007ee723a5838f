"""Annotations of params as their sources write them: read without being evaluated."""

from __future__ import annotations

import ast
from typing import Any

WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
FILES = ("InputFile", "InputFiles", "OutputFile")
TEXTS = ("str", "Path", *FILES)


def names_function(annotation: str) -> bool:
    """Whether a param of this annotation takes a function."""
    return "Function" in alternatives(annotation)


def file_kind(annotation: str) -> str:
    """`InputFile`, `InputFiles` or `OutputFile` where a param of this annotation names files, else ""."""
    return next((name for name in alternatives(annotation) if name in FILES), "")


def alternatives(annotation: str) -> list[str]:
    """The names of what an annotation allows, as `["int", "None"]`."""
    return [name_of(option) for option in options_of(parsed(annotation))]


def sample(name: str, annotation: str) -> str:
    """What to write for a param of this annotation, as a hint."""
    options = options_of(parsed(annotation))
    if options and name_of(options[0]) == "Literal":
        return f"write {name}: {' or '.join(str(choice) for choice in choices_of(options[0]))}"
    return f"it is {WORDS[annotation]}" if annotation in WORDS else ""


def parsed(annotation: str) -> ast.expr:
    """The annotation's syntax tree; what cannot be read allows anything."""
    try:
        return ast.parse(annotation, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Name(id="Any")


def name_of(annotation: ast.expr) -> str:
    """The last part of the annotation's name, without its arguments; "" where it has none."""
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return "None"
    return annotation.id if isinstance(annotation, ast.Name) else ""


def arguments_of(annotation: ast.expr) -> list[ast.expr]:
    """What stands in the annotation's brackets."""
    if not isinstance(annotation, ast.Subscript):
        return []
    inner = annotation.slice
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def options_of(annotation: ast.expr) -> list[ast.expr]:
    """The alternatives of a union, or the annotation alone."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return options_of(annotation.left) + options_of(annotation.right)
    if name_of(annotation) == "Optional":
        return [*arguments_of(annotation), ast.Constant(value=None)]
    if name_of(annotation) == "Union":
        return [option for argument in arguments_of(annotation) for option in options_of(argument)]
    return [annotation]


def choices_of(annotation: ast.expr) -> list[Any]:
    """The values that a `Literal` allows."""
    return [choice.value for choice in arguments_of(annotation) if isinstance(choice, ast.Constant)]
