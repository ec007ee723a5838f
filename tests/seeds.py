"""Seeds for tests that go through many orders of events: a few with every version of Python, the rest with one."""

import pytest


def seeds(count: int, *, few: int) -> list:
    """The numbers below `count`, those from `few` on as slow tests."""
    return [*range(few), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(few, count))]
