"""Waiting in tests: until a deadline, of which no time goes by in which nobody looks."""

import itertools
from types import SimpleNamespace

import pytest

from chaos import harness
from chaos.harness import wait_until


def set_clock(monkeypatch, times):
    clock = iter(times)
    monkeypatch.setattr(harness, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))


def test_what_does_not_come_is_told_after_the_deadline(monkeypatch):
    set_clock(monkeypatch, itertools.count(step=0.1))
    looks = iter(range(100))
    with pytest.raises(AssertionError, match="a bell: not within 1 s"):
        wait_until(lambda: next(looks) < 0, "a bell", 1.0)
    assert next(looks) in (10, 11, 12)


def test_a_time_in_which_the_test_stood_still_does_not_count(monkeypatch):
    set_clock(monkeypatch, [0.0, 0.1, 60.0, 60.1])
    looks = iter([None, None, None, "rings"])
    assert wait_until(lambda: next(looks), "a bell", 1.0) == "rings"
