"""How much of a run's time somebody has looked after its processes."""

import random
from itertools import pairwise

import pytest
from seeds import seeds

from orchestrator.run.attention import _MOST_POINTS, LONGEST_STEP_S, Attention


def test_short_steps_are_all_attended() -> None:
    attention = Attention()
    for tenth in range(1000):
        attention.step(tenth / 10, tenth / 10 + 0.1)
    assert [attention.attended_s(at_s) for at_s in (0.0, 7.5, 100.0)] == [0.0, 7.5, 100.0]


def test_of_a_long_step_a_little_counts() -> None:
    attention = Attention()
    attention.step(1.0, 21.0)
    attention.step(21.0, 21.1)
    attention.step(21.1, 22.1)
    attended = [attention.attended_s(at_s) for at_s in (0.5, 1.0, 11.0, 21.0, 21.1, 22.1, 22.2)]
    assert attended == pytest.approx([0.5, 1.0, 1.1, 1.2, 1.3, 1.5, 1.6])


@pytest.mark.parametrize("seed", seeds(8, few=4))
def test_attended_time_goes_on_never_back_and_never_faster_than_the_clock(seed: int) -> None:
    """Also where no step is short enough, and so many that the oldest are no longer told apart."""
    chance = random.Random(seed)
    attention, times, looked = Attention(), [0.0], [0.0]
    for _ in range(3 * _MOST_POINTS):
        step_s = chance.choice((0.01, LONGEST_STEP_S / 2, 0.5, 30.0))
        times.append(times[-1] + step_s)
        looked.append(looked[-1] + min(step_s, LONGEST_STEP_S))
        attention.step(*times[-2:])
    found = [attention.attended_s(at_s) for at_s in times]
    assert (found[0], found[-1]) == (0.0, pytest.approx(looked[-1])), seed
    slopes = [
        (attended - before) / (at_s - before_s)
        for (before_s, at_s), (before, attended) in zip(pairwise(times), pairwise(found), strict=True)
    ]
    assert min(slopes) > 0, seed
    assert max(slopes) < 1 + 1e-6, seed
    latest = _MOST_POINTS // 4
    assert found[-latest:] == pytest.approx(looked[-latest:]), seed
    assert len(attention._points) <= _MOST_POINTS
