"""Pairs of figures, and what they come to. Pure: values in, values out.

A *line* runs ours and its counterpart in turn, in pairs. Machines are noisy, and more so over minutes than over
seconds: so each pair has a ratio of its own, and the median of these counts, told with the smallest and the largest.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

Figures = Mapping[str, float]
"""What one run came to, by names such as `tasks_per_s`."""

Run = Callable[[], Figures]


class SkippedError(Exception):
    """A line cannot be run here; the text says why."""


class FailedError(Exception):
    """A run did not come to its end; the text says how."""


class Compare(Enum):
    """How a ratio is made of ours and theirs."""

    RATE = "ours over theirs, more is better"
    TIME = "theirs over ours, more is better"
    COST = "ours over theirs, less is better"
    ALONE = "ours alone, less is better"

    def ratio(self, ours: float, theirs: float | None) -> float:
        """What one pair comes to; raises FailedError where there is nothing to divide by."""
        if self is Compare.ALONE:
            return ours
        upper, lower = (theirs, ours) if self is Compare.TIME else (ours, theirs)
        if upper is None or not lower:
            raise FailedError("there is no figure to compare with")
        return upper / lower


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of a line: `key` is its name in the figures, `goal` what its median should be.

    The goal is a least value where more is better, and a greatest one where less is.
    """

    key: str
    unit: str
    compare: Compare
    goal: float | None = None
    what: str = ""

    @property
    def wants_more(self) -> bool:
        """Whether more is better."""
        return self.compare in (Compare.RATE, Compare.TIME)

    def holds(self, median: float) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return median >= self.goal if self.wants_more else median <= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something of ours and its counterpart: `theirs` is None where there is nothing to compare with.

    `quick` says whether the quick run has it, too, and `most` is the greatest number of pairs that it is worth.
    `note` makes a sentence of the medians of all figures, ours and theirs.
    """

    name: str
    title: str
    against: str
    measures: tuple[Measure, ...]
    ours: Run
    theirs: Run | None = None
    quick: bool = True
    most: int | None = None
    note: Callable[[Figures, Figures], str] = lambda _ours, _theirs: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What ours and theirs came to, one right after the other."""

    ours: Figures
    theirs: Figures | None
    ours_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median with the smallest and the largest value."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of one or more values."""
    return Spread(median=statistics.median(values), low=min(values), high=max(values))


def run_pair(line: Line, number: int) -> Pair:
    """Run both sides: ours first in pairs 0, 2, 4 and so on, theirs first in the others.

    Raises SkippedError or FailedError as the runs do.
    """
    ours_first = number % 2 == 0
    if line.theirs is None:
        return Pair(ours=line.ours(), theirs=None, ours_first=True)
    if ours_first:
        ours = line.ours()
        return Pair(ours=ours, theirs=line.theirs(), ours_first=True)
    theirs = line.theirs()
    return Pair(ours=line.ours(), theirs=theirs, ours_first=False)


def ratios(measure: Measure, pairs: Sequence[Pair]) -> Spread:
    """The paired ratios of one measure; raises FailedError where a figure is missing."""
    values = []
    for pair in pairs:
        theirs = None if pair.theirs is None else pair.theirs.get(measure.key)
        values.append(measure.compare.ratio(pair.ours[measure.key], theirs))
    return spread(values)


def medians(pairs: Sequence[Pair]) -> tuple[dict[str, float], dict[str, float]]:
    """The medians of all figures of ours, and of theirs."""
    return (
        _medians([pair.ours for pair in pairs]),
        _medians([pair.theirs for pair in pairs if pair.theirs is not None]),
    )


def _medians(figures: Sequence[Figures]) -> dict[str, float]:
    names = dict.fromkeys(name for one in figures for name in one)
    return {name: statistics.median(one[name] for one in figures if name in one) for name in names}
