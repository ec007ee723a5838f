import pytest
from scenes import PIPELINE, retrying, scaled

from orchestrator.observers.board import Board
from orchestrator.run.events import Progress
from roles.kit.slot import Count, Reading


def row(board, name):
    return next(row for row in board.rows() if row.name == name)


def test_who_joins_has_a_row_beside_its_like():
    board = Board(PIPELINE, {})
    for event in scaled():
        board.take(event)
    assert [row.name for row in board.rows()][1:5] == [f"worker-{n}" for n in (1, 2, 3, 4)]
    assert row(board, "worker-4").share == pytest.approx(0.1)


def test_what_earlier_incarnations_counted_stays():
    events = retrying()
    board = Board(events[0], {"client-1": 10})
    reading = Reading(ports={"clients": Count(received=4, sent=3)})
    seen = []
    for event in [*events[:6], Progress(at_s=0.25, readings={"server-1": reading}), *events[6:]]:
        board.take(event)
        seen.append(row(board, "server-1").received)
    assert seen == sorted(seen)
    assert set(seen) == {0, 4, 6, 11}


def test_the_end_of_a_process_tells_the_last_of_its_counts():
    board = Board(PIPELINE, {})
    for event in scaled():
        board.take(event)
    assert row(board, "sink-1").done == 100
