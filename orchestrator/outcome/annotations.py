"""Problems -> annotations of a GitHub Actions run: workflow commands, one a line. Pure.

A command is `::error file=F,line=N,title=T::text`. `%`, carriage return and line feed are escaped everywhere,
`:` and `,` in the properties too; nothing else may be. GitHub shows ten annotations of a level a step and drops
the rest unseen, so of more the tenth says how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.cells import plural, printable
from orchestrator.outcome.entries import Told
from orchestrator.outcome.values import Summary

SHOWN = 10
"""Annotations of one level that GitHub shows of a step."""

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A problem at its place. `level` is `error` or `warning`; `file` is empty where it has none."""

    level: str
    text: str
    title: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None


def of_problems(problems: Iterable[Told]) -> Iterator[Annotation]:
    """Annotations of a topology's problems and warnings."""
    for problem in problems:
        hint = f" ({problem['hint']})" if problem["hint"] else ""
        yield Annotation(
            level="warning" if problem["severity"] == "warning" else "error",
            text=f"{problem['text']}{hint}",
            title=str(problem["code"]),
            file=problem["file"] or "",
            line=problem["line"],
            column=problem["column"],
        )


def of_summary(summary: Summary) -> Iterator[Annotation]:
    """Annotations of what made a run fail; a problem without a line is the whole file's."""
    for problem in summary.problems:
        yield Annotation(
            level="error",
            text=problem.text,
            title=f"{summary.pattern}: {problem.kind.replace('_', ' ')}",
            file=problem.file or summary.topology,
            line=problem.line,
        )


def workflow_commands(annotations: Iterable[Annotation], *, shown_file: Callable[[str], str]) -> str:
    """The lines to print, errors first; empty where there is none. `shown_file` turns a file into what is shown."""
    told = list(annotations)
    levels = ([one for one in told if one.level == level] for level in ("error", "warning"))
    return "".join(_command(one, shown_file) for level in levels for one in _limited(level))


def _limited(annotations: Sequence[Annotation]) -> Sequence[Annotation]:
    if len(annotations) <= SHOWN:
        return annotations
    more = plural(len(annotations) - SHOWN + 1, f"more {annotations[0].level}")
    text = f"{more}: all are in the log"
    return [*annotations[: SHOWN - 1], replace(annotations[SHOWN - 1], text=text, line=None, column=None)]


def _command(one: Annotation, shown_file: Callable[[str], str]) -> str:
    properties = {
        "file": shown_file(one.file) if one.file else "",
        "line": "" if one.line is None else str(one.line),
        "col": "" if one.column is None else str(one.column),
        "title": one.title,
    }
    told = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items() if value)
    return f"::{one.level} {told}::{_escaped(one.text, _DATA)}\n"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    """The text on one line; other control characters are written as `printable` does it."""
    lines = text.replace("\r\n", "\n").split("\n")
    shown = "\n".join("\r".join(map(printable, line.split("\r"))) for line in lines)
    return "".join(escapes.get(char, char) for char in shown)
