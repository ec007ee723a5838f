"""Measures in texts: `{fixed.elapsed_s / scaled.elapsed_s:.1f}` and what it comes to over one or several runs. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.outcome.measures import Measures
from orchestrator.outcome.values import Summary
from orchestrator.topology.conditions import Actual

Run = Mapping[str, Summary]
"""What came of a topology run once: the summary of each of its patterns."""

Runs = Sequence[Run]

UNKNOWN = "not known"

_PATH = re.compile(r"([a-z][a-z0-9_]*)\.([A-Za-z0-9_.-]+)")
_PLACEHOLDER = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_CHECK = "checks."
_MEGABYTE = 1_000_000


class ExpressionError(ValueError):
    """Text that names no measure."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A pattern's measure, or its ratio to another, of the same or another pattern."""

    pattern: str
    path: str
    over: Expression | None = None

    def __str__(self) -> str:
        return f"{self.pattern}.{self.path}" + (f" / {self.over}" if self.over else "")

    def values(self, run: Run) -> tuple[Actual, ...]:
        """What it came to in one run: one value, or those of all processes of a node; none where that is not known."""
        if self.over is None:
            return Measures(run[self.pattern]).values(self.path) if self.pattern in run else ()
        above, below = value_at(run, f"{self.pattern}.{self.path}"), value_at(run, str(self.over))
        if not isinstance(above, int | float) or not isinstance(below, int | float) or not below:
            return ()
        return (above / below,)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands in braces: the name of a check, whose rate is told, or a measure and how to write it."""

    text: str
    check: str = ""
    measure: Expression | None = None
    style: str = ""


def expression(text: str) -> Expression:
    """The measure that `text` names: `PATTERN.PATH`, or two with a slash between; raises ExpressionError."""
    parts = [part.strip() for part in text.split("/")]
    for part in parts:
        if not _PATH.fullmatch(part):
            raise ExpressionError(f"cannot read '{part}' (write PATTERN.MEASURE, as broken.tasks.lost)")
    if len(parts) > 2:
        raise ExpressionError(f"cannot read '{text}' (a ratio is of two measures)")
    first, *second = (
        Expression(pattern, path) for pattern, _, path in (part.partition(".") for part in parts)
    )
    return replace(first, over=second[0] if second else None)


def value_at(run: Run, path: str) -> Actual:
    """The one value of a pattern's measure in one run; None where that is not known."""
    pattern, _, rest = path.partition(".")
    return Measures(run[pattern]).value(rest) if pattern in run else None


def placeholders(text: str) -> list[Placeholder]:
    """All that stands in braces; raises ExpressionError where one of them names no measure."""
    return [_placeholder(found) for found in _PLACEHOLDER.finditer(text)]


def filled(text: str, runs: Runs, rates: Mapping[str, str]) -> str:
    """The text with each measure in it filled in; `rates` has a text for each check."""

    def fill(found: re.Match[str]) -> str:
        one = _placeholder(found)
        if one.measure is None:
            return rates.get(one.check, UNKNOWN)
        found_in = [one.measure.values(run) for run in runs]
        return span(list(itertools.chain(*found_in)), one.style) if all(found_in) else UNKNOWN

    return _PLACEHOLDER.sub(fill, text)


def span(values: Sequence[Actual], style: str = "") -> str:
    """One text for the values of several runs: the one that all have, or the lowest and the highest."""
    if not values or any(value is None for value in values):
        return UNKNOWN
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        low, high = written(min(numbers), style), written(max(numbers), style)
        return low if low == high else f"{low} to {high}"
    return " or ".join(sorted({written(value, style) for value in values}))


def written(value: Actual, style: str = "") -> str:
    """One value as a reader is told it; `style` is `MB`, or a format as Python knows it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    if style == "MB":
        return f"{value / _MEGABYTE:,.0f} MB"
    if style:
        return format(value, style)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _placeholder(found: re.Match[str]) -> Placeholder:
    inner, style = found[1].strip(), found[2] or ""
    if inner.startswith(_CHECK):
        return Placeholder(found[0], check=inner.removeprefix(_CHECK))
    return Placeholder(found[0], measure=expression(inner), style=style)
