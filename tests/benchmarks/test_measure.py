"""Pairs and what they come to, by value."""

import pytest

from benchmarks.measure import (
    Compare,
    FailedError,
    Line,
    Measure,
    Pair,
    Spread,
    medians,
    ratios,
    run_pair,
    spread,
)

RATE = Measure(key="rate", unit="tasks/s", compare=Compare.RATE, goal=0.9)


def pair(ours, theirs):
    return Pair(ours={"rate": ours}, theirs=None if theirs is None else {"rate": theirs}, ours_first=True)


@pytest.mark.parametrize(
    ("compare", "ratio"),
    [(Compare.RATE, 0.5), (Compare.TIME, 2.0), (Compare.COST, 0.5), (Compare.ALONE, 2.0)],
)
def test_a_ratio_is_made_as_the_line_says(compare, ratio):
    assert compare.ratio(2.0, 4.0) == ratio


def test_nothing_is_divided_by_nothing():
    with pytest.raises(FailedError):
        Compare.RATE.ratio(1.0, 0.0)
    with pytest.raises(FailedError):
        Compare.TIME.ratio(0.0, 1.0)
    with pytest.raises(FailedError):
        Compare.COST.ratio(1.0, None)


def test_the_median_is_that_of_the_ratios_and_not_the_ratio_of_the_medians():
    pairs = [pair(10, 10), pair(100, 50), pair(30, 60)]
    assert ratios(RATE, pairs) == Spread(median=1.0, low=0.5, high=2.0)
    assert medians(pairs) == ({"rate": 30}, {"rate": 50})


def test_a_line_without_a_counterpart_counts_alone():
    measure = Measure(key="rate", unit="s", compare=Compare.ALONE)
    assert ratios(measure, [pair(3, None), pair(1, None), pair(2, None)]) == Spread(median=2, low=1, high=3)


def test_a_figure_that_only_some_runs_have_is_the_median_of_those():
    pairs = [
        Pair(ours={"a": 1.0}, theirs={"b": 4.0}, ours_first=True),
        Pair(ours={"a": 3.0, "c": 7.0}, theirs={}, ours_first=False),
    ]
    assert medians(pairs) == ({"a": 2.0, "c": 7.0}, {"b": 4.0})


def test_the_spread_of_one_value_is_that_value():
    assert spread([4.0]) == Spread(median=4.0, low=4.0, high=4.0)


@pytest.mark.parametrize(
    ("compare", "goal", "median", "held"),
    [
        (Compare.RATE, 0.9, 0.9, True),
        (Compare.RATE, 0.9, 0.89, False),
        (Compare.TIME, 6.0, 6.1, True),
        (Compare.COST, 0.25, 0.26, False),
        (Compare.COST, 0.25, 0.25, True),
        (Compare.ALONE, 0.6, 0.7, False),
        (Compare.RATE, None, 0.1, None),
    ],
)
def test_a_goal_is_a_least_or_a_greatest_value(compare, goal, median, held):
    assert Measure(key="x", unit="", compare=compare, goal=goal).holds(median) is held


def test_the_two_sides_take_turns_in_going_first():
    ran = []

    def side(name):
        return lambda: ran.append(name) or {"rate": 1.0}

    line = Line(name="x", title="", against="", measures=(RATE,), ours=side("ours"), theirs=side("theirs"))
    firsts = [run_pair(line, number).ours_first for number in range(3)]
    assert ran == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert firsts == [True, False, True]
