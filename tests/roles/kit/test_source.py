"""The rate of a source, by a clock of the test's own."""

import pytest

from roles.kit.source import Source


@pytest.mark.parametrize(("held_up_s", "at_once"), [(0.05, 5), (10.0, 10)])
def test_who_was_held_up_does_not_make_up_for_it(monkeypatch, held_up_s, at_once):
    """At 100 a second a tenth of a second is caught up with, and no more."""
    now_s, pauses = [0.0], []
    monkeypatch.setattr("roles.kit.source.time.monotonic", lambda: now_s[0])

    class Paced(Source):
        def __init__(self) -> None:
            pass

        def pause(self, seconds: float) -> None:
            pauses.append(seconds)
            now_s[0] += seconds

    items = iter(Paced().paced(range(100), 100.0))
    next(items)
    now_s[0] += held_up_s
    without_a_pause = 0
    while not pauses:
        next(items)
        without_a_pause += not pauses
    assert without_a_pause == pytest.approx(at_once, abs=1)
