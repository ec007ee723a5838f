"""How often a loop looks, with a clock of the test's own."""

import pytest

from roles.kit.pace import MOMENT_NS, Pace


@pytest.fixture
def clock(monkeypatch):
    now = [0]
    monkeypatch.setattr("roles.kit.pace.monotonic_ns", lambda: now[0])
    return now


def test_the_pace_grows_while_items_are_quick_and_falls_when_they_are_not(clock):
    pace = Pace(100)
    seen = []
    for _ in range(9):
        pace.passed()
        seen.append(pace.size)
    assert seen == [2, 4, 8, 16, 32, 64, 100, 100, 100]
    for wanted in (25, 6, 1, 1):
        clock[0] += MOMENT_NS
        pace.passed()
        assert pace.size == wanted
    clock[0] += MOMENT_NS
    pace.begin()
    pace.passed()
    assert pace.size == 2
