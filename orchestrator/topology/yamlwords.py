"""YAML's own errors in words that help, and the repair of values that only lack quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from orchestrator.topology.problem import LINE_BREAK, Mark, Problem
from orchestrator.topology.scalars import quoted

_INDICATORS = ">|@`%*&"
_CLOSERS = {"[": "]", "{": "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A value that lacks quotes: the text with a placeholder of the same length, the place, the problem."""

    text: str
    mark: Mark
    problem: Problem


def repair_quotes(text: str, error: yaml.MarkedYAMLError, *, in_flow: bool) -> Repair | None:
    """Put a placeholder for a value that begins with one of YAML's own characters; None for other faults."""
    at = error.context_mark if error.context in _VALUE_CONTEXTS else error.problem_mark
    if at is None or at.index >= len(text) or text[at.index] not in _INDICATORS:
        return None
    start = at.index
    before = text[start - at.column : start].rstrip()
    alone = not before and not LINE_BREAK.search(text) and ":" not in text
    if not (in_flow or before.endswith(":") or before.strip() == "-" or alone):
        return None
    raw = _raw_value(text, start, in_flow=in_flow)
    mark = Mark(at.line + 1, at.column + 1)
    return Repair(
        text=text[:start] + "x" * len(raw) + text[start + len(raw) :],
        mark=mark,
        problem=needs_quotes(raw, mark),
    )


_VALUE_CONTEXTS = {"while scanning a block scalar", "while scanning an alias", "while scanning an anchor"}


def needs_quotes(raw: str, mark: Mark) -> Problem:
    """The problem of a value that begins with a character which means something to YAML."""
    return Problem(
        code="yaml-quote",
        text=f"a value cannot begin with '{raw[0]}'",
        mark=mark,
        hint=f"quote it: {quoted(raw)}",
    )


def _raw_value(text: str, start: int, *, in_flow: bool) -> str:
    ended = LINE_BREAK.search(text, start)
    line = text[start : ended.start() if ended else len(text)]
    if in_flow:
        line = re.split(r"[,\]}]", line, maxsplit=1)[0]
    return re.split(r"\s#", line, maxsplit=1)[0].rstrip() or text[start]


def in_words(error: yaml.YAMLError, text: str) -> Problem:
    """One clear problem for an error of the YAML reader, where the fault is rather than where it shows."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unreadable(error, text)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _problem(f"cannot read this as YAML: {error}", Mark(1, 1))
    lines = LINE_BREAK.split(text)
    at = _mark(error.problem_mark)
    begun = _mark(error.context_mark) if error.context_mark else at
    for explain in (_character, _colon, _never_closed, _block, _quotes):
        found = explain(error, lines, at, begun)
        if found:
            return found
    return _problem(f"cannot read this as YAML: {error.problem}", at)


def _problem(text: str, mark: Mark, hint: str = "") -> Problem:
    return Problem(code="yaml", text=text, mark=mark, hint=hint)


def _mark(mark: yaml.Mark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _unreadable(error: yaml.reader.ReaderError, text: str) -> Problem:
    before = LINE_BREAK.split(text[: error.position])
    code = error.character if isinstance(error.character, int) else ord(error.character)
    mark = Mark(len(before), len(before[-1]) + 1)
    return _problem(f"cannot read the character U+{code:04X}: it is not text", mark)


def _character(error: yaml.MarkedYAMLError, lines: Sequence[str], at: Mark, _begun: Mark) -> Problem | None:
    if "that cannot start any token" not in (error.problem or ""):
        return None
    char = lines[at.line - 1][at.column - 1 : at.column]
    if char == "\t":
        return _problem("cannot indent with a tab", at, "use spaces")
    return _problem(f"text cannot begin with '{char}'", at, "quote it")


def _colon(error: yaml.MarkedYAMLError, lines: Sequence[str], at: Mark, begun: Mark) -> Problem | None:
    if "could not find expected ':'" in (error.problem or ""):
        return _missing_colon(lines, begun)
    if "mapping values are not allowed" not in (error.problem or ""):
        return None
    before = lines[at.line - 1][: at.column - 1]
    if re.search(r":\s", before):
        return _problem("cannot read a second ': ' on one line", at, "quote the value, or begin a new line")
    above = next((n for n in range(at.line - 1, 0, -1) if lines[n - 1].strip()), 0)
    last = lines[above - 1].strip() if above else ""
    if not above or re.search(r":(\s|$)", last):
        return _problem(
            "this line is indented deeper than the line above allows", at, "check the indentation"
        )
    return _missing_colon(lines, Mark(above, lines[above - 1].index(last) + 1))


def _missing_colon(lines: Sequence[str], mark: Mark) -> Problem:
    rest = lines[mark.line - 1][mark.column - 1 :].rstrip()
    key, colon, value = rest.partition(":")
    mark = Mark(mark.line, mark.column, max(1, len(rest)))
    if colon and value:
        return _problem(
            f"expected a space after '{key[:40]}:'", mark, f"write '{key[:40]}: {value[:40].strip()}'"
        )
    return _problem(f"expected ':' after '{rest[:40]}'", mark)


def _never_closed(error: yaml.MarkedYAMLError, lines: Sequence[str], at: Mark, begun: Mark) -> Problem | None:
    said = error.problem or ""
    opener = lines[begun.line - 1][begun.column - 1 : begun.column]
    if error.context in ("while parsing a flow sequence", "while parsing a flow mapping"):
        before = lines[at.line - 1][: at.column - 1]
        if before.endswith("$"):
            return _problem("a variable needs quotes here", Mark(at.line, at.column - 1), 'write "${NAME}"')
        if at.line > begun.line or "stream end" in said:
            return _problem(f"'{opener}' is never closed", begun, f"add '{_CLOSERS.get(opener, ']')}'")
        return _problem(f"expected ',' or '{_CLOSERS.get(opener, ']')}'", at)
    if "unexpected end of stream" in said or "unexpected document separator" in said:
        return _problem("this quote is never closed", begun, f"add {opener}")
    return None


def _block(error: yaml.MarkedYAMLError, lines: Sequence[str], at: Mark, _begun: Mark) -> Problem | None:
    said = error.problem or ""
    found = said.rpartition("but found ")[2].strip("'")
    if "expected <block end>" in said:
        if found in ("]", "}"):
            return _problem(f"'{found}' closes nothing", at)
        if found == "<scalar>" and lines[at.line - 1][: at.column - 1].rstrip()[-1:] in ("'", '"'):
            return _problem("text goes on after the closing quote", at, "quote the whole value")
        return _problem("this line's indentation fits no line above", at, "check the indentation")
    if "expected the node content" in said:
        return _problem(f"expected a value, not '{found}'", at)
    return None


def _quotes(error: yaml.MarkedYAMLError, lines: Sequence[str], at: Mark, _begun: Mark) -> Problem | None:
    if "unknown escape character" not in (error.problem or ""):
        return None
    char = lines[at.line - 1][at.column - 1 : at.column]
    return _problem(f"cannot read '\\{char}' between double quotes", at, "use single quotes")
