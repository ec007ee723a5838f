"""What a worker has sent last: what is kept, and what is found of it."""

from __future__ import annotations

import random

import pytest
from seeds import seeds

from roles.kit.positions import as_runs
from roles.kit.sent import KEPT_BYTES, Sent, SentBySource


def found(sent: Sent, *positions: int) -> list[bytes]:
    return [frames[-1] for frames, _ in sent.with_any_of(as_runs(positions))]


def test_messages_are_found_by_any_of_their_tasks_in_the_order_in_which_they_were_sent() -> None:
    sent = Sent(10)
    sent.add([4, 5], [b"", b"four and five"], 2)
    sent.add([1], [b"", b"one"], 3)
    sent.add([2], [b"", b"two"], 1)
    assert found(sent, 1, 5) == [b"four and five", b"one"]
    assert list(sent.with_any_of([2, 2])) == [([b"", b"two"], 1)]
    assert found(sent, 1, 5) == [b"four and five", b"one"], "they may be lost again"


@pytest.mark.parametrize("seed", seeds(50, few=20))
def test_the_last_tasks_are_there_as_many_as_a_source_may_wait_for(seed: int) -> None:
    chance = random.Random(seed)
    window = chance.randrange(1, 40)
    sent, position = Sent(window), 0
    for _ in range(100):
        tasks = [position + 1 + number for number in range(chance.randrange(1, window + 1))]
        sent.add(tasks, [b"", b"%d" % tasks[-1]], len(tasks))
        position = tasks[-1]
        last = range(max(1, position - window + 1), position + 1)
        assert all(found(sent, task) for task in last)
        assert not found(sent, *range(1, position - 2 * window + 1))


def test_no_more_is_kept_than_there_is_room_for() -> None:
    sent = Sent(1000)
    for position in range(1, 9):
        sent.add([position], [b"", bytes(KEPT_BYTES // 4)], 1)
    assert [bool(found(sent, position)) for position in range(1, 9)] == [False] * 4 + [True] * 4
    sent.add([9], [b"", bytes(KEPT_BYTES + 1)], 1)
    assert not found(sent, *range(1, 10))
    sent.add([10], [b"", b"x"], 1)
    assert found(sent, *range(1, 11)) == [b"x"]


def test_what_is_no_runs_is_refused_before_anything_is_sent() -> None:
    sent = Sent(10)
    sent.add([1], [b"", b"one"], 1)
    with pytest.raises(ValueError, match="cannot read runs"):
        next(sent.with_any_of([1, 1, 2]))


def test_each_source_has_its_own() -> None:
    sent = SentBySource(1)
    sent.add(b"one", [1], [b"", b"of one"], 1)
    sent.add(b"two", [1], [b"", b"of two"], 1)
    assert [list(sent.with_any_of(source, [1, 1])) for source in (b"one", b"two", b"nobody")] == [
        [([b"", b"of one"], 1)],
        [([b"", b"of two"], 1)],
        [],
    ]
