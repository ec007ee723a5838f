"""Histograms of durations: a few hundred counters for any number of values, and nothing lost by adding them up.

Log-linear, as HdrHistogram's: each power of two is cut into `_PARTS` equal buckets, so that none is wider than 1/32 of
what it holds, and a value told by the middle of its bucket is off by 1.6 % at the most. Below `2 * _PARTS` microseconds
a bucket is one microsecond.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

_PART_BITS: Final = 5
_PARTS: Final = 1 << _PART_BITS


def bucket_of(us: int) -> int:
    """The bucket of a duration in whole microseconds; longer durations never have lower buckets."""
    shift = us.bit_length() - _PART_BITS - 1
    return us if shift <= 0 else (shift << _PART_BITS) + (us >> shift)


def middle_us(bucket: int) -> float:
    """The duration for which a bucket stands, in microseconds."""
    if bucket < 2 * _PARTS:
        return bucket
    shift = (bucket >> _PART_BITS) - 1
    return (((bucket - (shift << _PART_BITS)) << shift) * 2 + (1 << shift) - 1) / 2


class Histogram:
    """How many durations fell into each bucket: `counts`, which travel as they are."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def note(self, us: int) -> None:
        """Count one duration in microseconds."""
        shift = us.bit_length() - _PART_BITS - 1
        bucket = us if shift <= 0 else (shift << _PART_BITS) + (us >> shift)  # `bucket_of` without its call
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + 1

    def merge(self, counts: Mapping[int, int]) -> None:
        """Add what another histogram has counted."""
        for bucket, number in counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + number

    @property
    def count(self) -> int:
        """How many durations were noted."""
        return sum(self.counts.values())

    def quantile_ms(self, q: float) -> float | None:
        """The duration that a share `q` of all do not exceed, in milliseconds; None where none was noted."""
        if not self.counts:
            return None
        left = max(1, math.ceil(q * self.count - 1e-9))  # 0.07 * 100 is a little more than 7
        for bucket in sorted(self.counts):
            left -= self.counts[bucket]
            if left <= 0:
                break
        return middle_us(bucket) / 1000

    @property
    def max_ms(self) -> float | None:
        """The longest duration in milliseconds, as exact as its bucket; None where none was noted."""
        return middle_us(max(self.counts)) / 1000 if self.counts else None
