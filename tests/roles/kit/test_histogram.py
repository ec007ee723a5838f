"""Histograms: close to what the sorted values say, cheap to add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.kit.histogram import Histogram, bucket_of, middle_us

DURATIONS = st.lists(st.integers(0, 10**10), min_size=1, max_size=200)


def histogram(values: list[int]) -> Histogram:
    made = Histogram()
    for us in values:
        made.note(us)
    return made


@pytest.mark.parametrize(
    ("us", "bucket", "middle"),
    [(0, 0, 0), (1, 1, 1), (63, 63, 63), (64, 64, 64.5), (65, 64, 64.5), (66, 65, 66.5), (128, 96, 129.5)],
)
def test_a_bucket_is_where_it_has_always_been(us: int, bucket: int, middle: float) -> None:
    assert bucket_of(us) == bucket
    assert middle_us(bucket) == middle


@given(st.integers(0, 10**12))
def test_a_bucket_is_close_to_what_it_holds(us: int) -> None:
    assert middle_us(bucket_of(us)) == pytest.approx(us, rel=1 / 64, abs=0)
    assert bucket_of(us + 1) - bucket_of(us) in (0, 1)
    assert histogram([us]).counts == {bucket_of(us): 1}


@given(DURATIONS, st.sampled_from([0.0, 0.07, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_close_to_the_sorted_values(values: list[int], q: float) -> None:
    exact_us = sorted(values)[max(1, math.ceil(round(q * len(values), 6))) - 1]
    assert histogram(values).quantile_ms(q) == pytest.approx(exact_us / 1000, rel=1 / 64)
    assert histogram(values).max_ms == pytest.approx(max(values) / 1000, rel=1 / 64)


@given(DURATIONS, DURATIONS)
def test_merged_is_as_noted_together(one: list[int], other: list[int]) -> None:
    merged = histogram(one)
    merged.merge(histogram(other).counts)
    assert merged.counts == histogram(one + other).counts
    assert merged.count == len(one) + len(other)


def test_the_percentiles_of_a_known_series() -> None:
    """A millisecond to a hundred of them, so that the median is the fiftieth."""
    told = Histogram(histogram([ms * 1000 for ms in range(1, 101)]).counts)
    assert told.quantile_ms(0.5) == pytest.approx(50, rel=1 / 64)
    assert told.quantile_ms(0.99) == pytest.approx(99, rel=1 / 64)
    assert told.quantile_ms(0.07) == pytest.approx(7, rel=1 / 64)


def test_nothing_noted_tells_nothing() -> None:
    assert (Histogram().quantile_ms(0.5), Histogram().max_ms, Histogram().count) == (None, None, 0)
