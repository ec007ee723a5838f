"""Problems: the faults of a topology, each with its place, and how they are told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line to YAML 1.1; `str.splitlines` knows more and would miscount."""

MAX_PROBLEMS = 100
"""No more problems than these are told; a file that has more repeats one."""

SHOWN_CHARACTERS = 160
"""How much of a long source line is shown round its caret."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file: line and column count from 1, `width` is how many characters a caret line covers.

    Line 0 is no place in the file: the problem is the file's as a whole, or the command line's.
    """

    line: int
    column: int
    width: int = 1


NOWHERE = Mark(0, 0)
"""The mark of what has no place in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault in a topology. `path` names the key, as `pipeline.nodes.worker.replicas`.

    `origin` is set where the fault was not written in the file: the option (`--set PATH=VALUE`) that
    brought it in.
    """

    code: str
    text: str
    mark: Mark
    path: str = ""
    hint: str = ""
    severity: Literal["error", "warning"] = "error"
    origin: str = ""


class TopologyError(Exception):
    """The topology cannot be run; `problems` holds every fault, in file order."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in file order, and no more than anybody reads."""
        self.problems = limited(problems)
        super().__init__("; ".join(problem.text for problem in self.problems))


def limited(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first `MAX_PROBLEMS` in file order, errors before warnings, and how many more there are."""
    ordered = in_file_order(problems)
    if len(ordered) <= MAX_PROBLEMS:
        return ordered
    by_weight = sorted(ordered, key=lambda problem: problem.severity == "warning")
    kept, hidden = in_file_order(by_weight[:MAX_PROBLEMS]), by_weight[MAX_PROBLEMS:]
    more = Problem(
        code="more", text=f"{len(hidden)} more problems", mark=kept[-1].mark, severity=hidden[0].severity
    )
    return (*kept, more)


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems by their places; those of one place keep their order."""
    return tuple(sorted(problems, key=lambda problem: (problem.mark.line, problem.mark.column)))


def render(problems: Iterable[Problem], *, file: str, text: str) -> str:
    """The problems as a user reads them: place, fault, source line and caret, then a line that counts them.

    `text` is the file's content. Characters that a terminal would act upon are replaced.
    """
    lines = LINE_BREAK.split(text)
    told = in_file_order(problems)
    parts = [part for problem in told for part in _told(problem, file, lines)]
    if told:
        parts.append(_count(told))
    return "\n".join(parts)


def as_json(problems: Iterable[Problem], *, file: str) -> list[dict[str, Any]]:
    """The problems for machines; `line` and `column` are null where a problem has no place in the file."""
    return [
        {
            "code": problem.code,
            "severity": problem.severity,
            "file": file,
            "line": problem.mark.line or None,
            "column": problem.mark.column or None,
            "text": problem.text,
            "hint": problem.hint,
            "path": problem.path,
        }
        for problem in in_file_order(problems)
    ]


def headline(problem: Problem, *, file: str) -> str:
    """The problem in one line: `FILE:LINE:COL: error: text (hint) [code]`."""
    place = f"{file}:{problem.mark.line}:{problem.mark.column}" if problem.mark.line else file
    hint = f" ({problem.hint})" if problem.hint else ""
    line = f"{problem.origin or place}: {problem.severity}: {problem.text}{hint} [{problem.code}]"
    return "".join(_harmless(char) for char in line)


def _told(problem: Problem, file: str, lines: Sequence[str]) -> list[str]:
    head = headline(problem, file=file)
    if problem.origin or not 0 < problem.mark.line <= len(lines):
        return [head]
    return [head, *_excerpt(lines[problem.mark.line - 1], problem.mark)]


def _excerpt(line: str, mark: Mark) -> list[str]:
    """The source line and its caret line; a long line is cut on both sides."""
    start = mark.column - 1
    first = max(0, start - SHOWN_CHARACTERS // 2) if len(line) > SHOWN_CHARACTERS else 0
    shown = line[first : first + SHOWN_CHARACTERS]
    before, after = "…" if first else "", "…" if first + len(shown) < len(line) else ""
    pad = "".join(_blank(char) for char in before + shown[: start - first])
    covered = shown[start - first : start - first + mark.width]
    carets = "^" * max(1, sum(len(_blank(char)) for char in covered))
    return [before + "".join(_harmless(char) for char in shown) + after, pad + carets]


def _blank(char: str) -> str:
    """Blank space as wide as the character is on a terminal."""
    if char == "\t":
        return "\t"
    if unicodedata.combining(char):
        return ""
    return "  " if unicodedata.east_asian_width(char) in "WF" else " "


def _harmless(char: str) -> str:
    return char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}"


def _count(problems: Sequence[Problem]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    counts = [_plural(errors, "problem")] if errors else []
    counts += [_plural(warnings, "warning")] if warnings else []
    return ", ".join(counts) + ("; nothing was started." if errors else ".")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
