"""Who counts as a peer, by the events that a monitor gives."""

from __future__ import annotations

import pytest
import zmq

from roles.kit.peers import Peers

ACCEPTED, CONNECTED, GONE = zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED, zmq.EVENT_DISCONNECTED
GOOD, BAD, WORSE = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
)


@pytest.mark.parametrize(
    ("told", "count"),
    [
        ([], 0),
        ([(ACCEPTED, 7), (GOOD, 0)], 1),
        ([(CONNECTED, 7), (GOOD, 0), (GONE, 7)], 0),
        ([(ACCEPTED, 7), (BAD, 32), (GONE, 7)], 0),
        ([(ACCEPTED, 7), (WORSE, 9), (GONE, 7), (ACCEPTED, 7), (GOOD, 0)], 1),
        ([(ACCEPTED, 7), (GONE, 7)], 0),
        ([(ACCEPTED, 5), (GOOD, 0), (ACCEPTED, 7), (GONE, 7)], 1),
        (
            [
                (ACCEPTED, 5),
                (GOOD, 0),
                (ACCEPTED, 7),
                (BAD, 1),
                (GONE, 7),
                (ACCEPTED, 7),
                (BAD, 1),
                (GONE, 7),
            ],
            1,
        ),
        ([(ACCEPTED, 5), (ACCEPTED, 7), (GOOD, 0), (BAD, 1), (GONE, 5)], 1),
        ([(ACCEPTED, 5), (GOOD, 0), (ACCEPTED, 7), (GOOD, 0), (GONE, 5)], 1),
        ([(ACCEPTED, 5), (ACCEPTED, 7), (GOOD, 0), (GONE, 5)], 1),
    ],
)
def test_only_real_peers_count(told: list[tuple[int, int]], count: int) -> None:
    peers = Peers()
    for event, value in told:
        peers.take(event, value)
    assert peers.count == count
