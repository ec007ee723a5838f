"""Sets of positions in a stream, which are almost without gaps. Pure.

A position counts from 1 for each source, and is the name of a task. Runs are how they travel: the first of a row and
how many there are, then the next row, all in one flat list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Runs = list[int]
"""Rows of positions: first, count, first, count, ..."""


def as_runs(positions: Iterable[int]) -> Runs:
    """These positions as runs, in the order given."""
    runs: Runs = []
    following = -1
    for position in positions:
        if position == following:
            runs[-1] += 1
        else:
            runs += (position, 1)
        following = position + 1
    return runs


def rows(runs: Sequence[int]) -> Iterator[range]:
    """The rows of positions that runs stand for; raises ValueError where they are none."""
    if len(runs) % 2:
        raise ValueError("cannot read runs of positions: there is a first without a count")
    for index in range(0, len(runs), 2):
        first, count = runs[index], runs[index + 1]
        if first < 1 or count < 1:
            raise ValueError(f"cannot read runs of positions: {count} from {first} on")
        yield range(first, first + count)


def in_runs(runs: Sequence[int]) -> list[int]:
    """The positions that runs stand for; raises ValueError where they are none."""
    return [position for row in rows(runs) for position in row]


class Positions:
    """A set of positions: all up to `watermark`, and some above it. It never loses one."""

    __slots__ = ("_above", "watermark")

    def __init__(self, runs: Sequence[int] = ()) -> None:
        self.watermark = 0
        self._above: set[int] = set()
        for row in rows(runs):
            self.add_row(row)

    def __contains__(self, position: int) -> bool:
        return position <= self.watermark or position in self._above

    def __len__(self) -> int:
        return self.watermark + len(self._above)

    @property
    def last(self) -> int:
        """The highest position in it; 0 where there is none."""
        return max(self._above, default=self.watermark)

    def count_above(self, position: int) -> int:
        """How many in it are higher than this one."""
        return max(0, self.watermark - position) + sum(one > position for one in self._above)

    def add(self, position: int) -> bool:
        """Take one in; whether it is new."""
        return bool(self.add_row(range(position, position + 1)))

    def add_row(self, row: range) -> int:
        """Take a row in; how many of it are new."""
        before = len(self)
        if row.start <= self.watermark + 1:
            self.watermark = max(self.watermark, row.stop - 1)
            if self._above:
                self._close_up(row)
        else:
            self._above.update(row)
        return len(self) - before

    def has_none_of(self, row: range) -> bool:
        """Whether all of a row would be new."""
        return row.start > self.watermark and self._above.isdisjoint(row)

    def runs(self) -> Runs:
        """The whole set."""
        head = [1, self.watermark] if self.watermark else []
        return head + as_runs(sorted(self._above))

    def _close_up(self, row: range) -> None:
        """What lies above has no place below the watermark, which the row has lifted, nor right above it."""
        above, following = self._above, self.watermark + 1
        above.difference_update(row)
        while following in above:
            above.remove(following)
            following += 1
        self.watermark = following - 1
