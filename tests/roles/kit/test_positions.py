"""Sets of positions: a watermark and what lies above it."""

import random

import pytest
from seeds import seeds

from roles.kit.positions import Positions, as_runs, in_runs


@pytest.mark.parametrize(
    ("positions", "runs"),
    [
        ([], []),
        ([1], [1, 1]),
        ([1, 2, 3], [1, 3]),
        ([5, 6, 2, 9, 10], [5, 2, 2, 1, 9, 2]),
        ([3, 2, 1], [3, 1, 2, 1, 1, 1]),
    ],
)
def test_runs_and_back(positions, runs):
    assert as_runs(positions) == runs
    assert in_runs(runs) == positions


@pytest.mark.parametrize("runs", [[1], [0, 1], [1, 0], [-3, 5], [1, 2, 3]])
def test_what_are_no_runs(runs):
    with pytest.raises(ValueError, match="cannot read runs"):
        in_runs(runs)


@pytest.mark.parametrize("seed", seeds(200, few=20))
def test_it_is_a_set(seed):
    chance = random.Random(seed)
    ours, plain = Positions(), set()
    for _ in range(chance.randrange(60)):
        first = chance.randrange(1, 80)
        row = range(first, first + chance.choice((1, 1, 2, 7)))
        assert ours.has_none_of(row) == plain.isdisjoint(row)
        assert ours.add_row(row) == len(set(row) - plain)
        plain |= set(row)
        assert len(ours) == len(plain)
        assert ours.last == max(plain)
        assert [position in ours for position in range(1, 100)] == [
            position in plain for position in range(1, 100)
        ]
        assert set(range(1, ours.watermark + 1)) <= plain
        assert ours.watermark + 1 not in plain
    assert in_runs(ours.runs()) == sorted(plain)
    assert in_runs(Positions(ours.runs()).runs()) == sorted(plain)


@pytest.mark.parametrize(("position", "count"), [(0, 5), (2, 3), (3, 2), (5, 1), (6, 1), (7, 0), (100, 0)])
def test_how_many_are_above(position, count):
    assert Positions([1, 3, 5, 1, 7, 1]).count_above(position) == count
