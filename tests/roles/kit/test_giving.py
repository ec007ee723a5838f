"""The outlet of a source whose tasks are acknowledged, before hand-made workers and sinks."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from harness import wait_until

from roles.kit import parcels
from roles.kit.delivery import Delivery
from roles.kit.frames import TooLarge
from roles.kit.giving import Give
from roles.kit.journal import Journal
from roles.kit.parcels import Acks, Done, Parcel
from roles.kit.positions import Runs, in_runs
from roles.kit.spec import Place, ProcessSpec

SOURCE = "source-1"


@pytest.fixture
def source(desk: Callable[[], Any], tmp_path: Path, address: str) -> Callable[..., tuple[Any, Any]]:
    """Opens a source's outlet; the desk, and the port."""

    def make(at: str = address, **spec: Any) -> tuple[Any, Any]:
        made = desk()
        place = Place(
            run_id="",
            pattern="p",
            folder="",
            control="",
            slots="",
            sockets="",
            logs=str(tmp_path / "logs"),
            seed=1,
        )
        made.control.delivery = Delivery(ProcessSpec(name=SOURCE, node="source"), place, 0, {})
        return made, made.open(Give(), at, mode="bind", kind="ROUTER", delivery="give", window=8, **spec)

    return make


@pytest.fixture
def peer(context: zmq.Context[zmq.Socket[bytes]], address: str) -> Iterator[Callable[[bytes], Any]]:
    """Connects as a worker or a sink does."""
    sockets = []

    def connect(name: bytes) -> Any:
        socket = context.socket(zmq.ROUTER)
        socket.set(zmq.ROUTING_ID, name)
        socket.set(zmq.PROBE_ROUTER, 1)
        socket.set(zmq.ROUTER_MANDATORY, 1)
        socket.connect(address)
        sockets.append(socket)
        return socket

    yield connect
    for socket in sockets:
        socket.close(linger=0)


def tell(peer: Any, told: parcels.Up) -> None:
    """Tell the source something, once it is there."""

    def is_told() -> bool:
        try:
            peer.send_multipart([SOURCE.encode(), parcels.encode(told)])
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            return False
        return True

    wait_until(is_told, "the connection")


def take(opened: Any, worker: Any, acks: Callable[[int], Runs]) -> list[int]:
    """Take a parcel, if there is one, and tell that it is done, and of each task what `acks` says; its positions."""
    opened.port.attend()
    if not worker.poll(10):
        return []
    _, header, *_ = worker.recv_multipart()
    if not header:
        return []  # the probe
    parcel = parcels.decode_forth(header)
    assert isinstance(parcel, Parcel)
    positions = in_runs(parcel.runs)
    for position in positions:
        tell(worker, Acks(acks(position)))
    tell(worker, Done(parcel.number))
    return positions


def all_taken(opened: Any, worker: Any, until: int) -> list[int]:
    """The positions of all that is given, until that task was."""
    taken: list[int] = []

    def is_there() -> bool:
        taken.extend(take(opened, worker, lambda position: [position, 1]))
        return until in taken

    wait_until(is_there, f"task {until}")
    opened.port.attend()
    return taken


def test_what_was_acknowledged_before_its_turn_came_is_not_given_again(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path
) -> None:
    (tmp_path / "delivery").mkdir()
    Journal(tmp_path / "delivery" / f"{SOURCE}.journal").note_given(3, 3)
    desk, opened = source()
    assert desk.count(opened).sent == 3
    sink = peer(b"S/sink-1/0")
    tell(sink, Acks([2, 1]))
    wait_until(lambda: opened.port.attend() or desk.count(opened).acked == 1, "the acknowledgement")
    worker = peer(b"W/worker-1/0")
    opened.port._waiting += ["one", "two", "three", "four"]
    assert all_taken(opened, worker, 4) == [1, 3, 4]
    wait_until(lambda: opened.port.attend() or desk.count(opened).acked == 4, "the last acknowledgement")
    count = desk.count(opened)
    assert (count.sent, count.acked, count.redelivered) == (4, 4, 2)


def test_what_is_refused_was_never_given(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path
) -> None:
    desk, opened = source(max_message_bytes=1024)
    worker = peer(b"W/worker-1/0")
    opened.port._waiting += ["one", "x" * 2000, "three"]
    taken: list[int] = []

    def refused() -> bool:
        try:
            taken.extend(take(opened, worker, lambda position: [position, 1]))
        except TooLarge:
            return True
        return False

    wait_until(refused, "the refusal")
    taken += all_taken(opened, worker, 3)
    assert taken == [1, 3]
    wait_until(lambda: opened.port.attend() or desk.count(opened).acked == 2, "the acknowledgements")
    assert desk.count(opened).sent == 2
    journal = Journal(tmp_path / "delivery" / f"{SOURCE}.journal")
    assert (journal.come_to, journal.given) == (3, 2)
    again, reopened = source(f"{opened.port.socket.last_endpoint.decode()}-again", max_message_bytes=1024)
    assert again.count(reopened).sent == 2
