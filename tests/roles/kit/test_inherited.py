"""What an earlier incarnation of a source had given: who is asked for it, and when it is known what was lost."""

from __future__ import annotations

import pytest

from roles.kit.inherited import NOBODY_COMES_NS, PATIENCE_NS, Inherited
from roles.kit.positions import Positions

NOW = 10**15
LATER = NOW + NOBODY_COMES_NS


def inherited(*, before: int = 5) -> tuple[Inherited, Positions]:
    done = Positions([1, 2])
    made = Inherited(before, done)
    assert made.lost(NOW, 0) == []
    return made, done


def come(made: Inherited, worker: bytes, mark: int = 1) -> None:
    made.come(worker, NOW)
    made.ask(worker, mark)


def test_what_is_not_over_when_all_have_answered_was_lost() -> None:
    made, done = inherited()
    made.add([3, 4, 5])
    come(made, b"one")
    assert made.lost(LATER, 2) == [], "another one is still to come"
    come(made, b"two")
    made.answered(b"one", 1)
    assert made.lost(LATER, 2) == []
    done.add_row(range(4, 5))
    made.answered(b"two", 1)
    assert made.lost(LATER, 2) == [3, 5]
    assert made.lost(LATER, 2) == []
    assert not made.has(3)


def test_each_is_asked_once_and_again_where_its_answer_may_be_lost() -> None:
    made, _ = inherited()
    come(made, b"one", 7)
    assert [made.asked_of(b"one", mark) for mark in (7, 8, 9)] == [[3, 3], [], []]
    made.ask_anew(b"one", 10)
    assert [made.asked_of(b"one", mark) for mark in (9, 10, 11)] == [[], [3, 3], []]
    made.answered(b"one", 9)
    assert made.is_asked(b"one"), "that was sent before it was asked anew"
    made.answered(b"one", 11)
    assert not made.is_asked(b"one")
    made.ask_anew(b"one", 12)
    assert made.asked_of(b"one", 12) == []


def test_who_is_gone_is_not_waited_for_whether_it_came_or_not() -> None:
    made, _ = inherited()
    made.add([3])
    come(made, b"one")
    made.forget(b"one")
    made.forget(b"never seen")
    assert made.lost(LATER, 2) == [3]


def test_nobody_is_waited_for_for_ever() -> None:
    made, _ = inherited()
    made.add([3])
    come(made, b"one")
    assert made.lost(NOW + PATIENCE_NS - 1, 9) == []
    assert made.lost(NOW + PATIENCE_NS, 9) == [3]


@pytest.mark.parametrize("before", [0, 2])
def test_where_all_is_over_nothing_is_asked(before: int) -> None:
    made, _ = inherited(before=before)
    come(made, b"one")
    assert (made.has(1), made.has(2), made.is_asked(b"one"), made.asked_of(b"one", 1)) == (False,) * 3 + ([],)
