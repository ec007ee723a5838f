"""Seeds for tests that go through many orders of events: a few with every version of Python, the rest with one."""

import os

import pytest

TIMES = int(os.environ.get("SEED_TIMES", "1"))
"""So many times as many: `SEED_TIMES=10 .venv/bin/python -m pytest tests/run` after a change to what they go through."""


def seeds(count: int, *, few: int) -> list:
    """The numbers below `count` times so many, those from `few` on as slow tests."""
    slow = range(few, count * TIMES)
    return [*range(few), *(pytest.param(seed, marks=pytest.mark.slow) for seed in slow)]
