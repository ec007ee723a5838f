"""The outlet of a source whose tasks are acknowledged, before hand-made workers and sinks."""

from __future__ import annotations

import contextlib
import errno
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from harness import wait_until

from roles.kit import control, parcels
from roles.kit.delivery import Delivery
from roles.kit.dispatch import MOST_IN_PARCEL
from roles.kit.frames import TooLarge, Unsendable
from roles.kit.giving import Give
from roles.kit.journal import Journal
from roles.kit.messages import Finish, Gone
from roles.kit.parcels import Acks, Done, Mark, Parcel
from roles.kit.positions import Runs, in_runs
from roles.kit.spec import Place, ProcessSpec

SOURCE = "source-1"
DEADLINE_S = 60


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
    parcel = received(worker)
    if parcel is None:
        return []
    positions = in_runs(parcel.runs)
    for position in positions:
        tell(worker, Acks(acks(position)))
    tell(worker, Done(parcel.number))
    return positions


def done_by(worker: Any) -> list[int]:
    """The tasks of the parcel that has come, which are acknowledged."""
    parcel = received(worker)
    if parcel is None:
        return []
    tell(worker, Acks(parcel.runs))
    tell(worker, Done(parcel.number))
    return in_runs(parcel.runs)


def received(worker: Any) -> Parcel | None:
    """The parcel that has come; what else comes is answered."""
    _, header, *_ = worker.recv_multipart()
    told = parcels.decode_forth(header) if header else None  # the probe
    if isinstance(told, Mark):
        tell(worker, Acks([], [(worker.get(zmq.ROUTING_ID), told.number)]))
    return told if isinstance(told, Parcel) else None


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
    Journal(tmp_path / "delivery" / f"{SOURCE}.journal").note_turns(3, 0)
    desk, opened = source()
    opened.port.note_peers(2)  # the sink and the worker: nothing is known to be lost before both have come
    assert desk.count(opened).sent == 3
    sink = peer(b"S/sink-1/0")
    tell(sink, Acks([2, 1]))
    wait_until(lambda: opened.port.attend() or desk.count(opened).acked == 1, "the acknowledgement")
    worker = peer(b"W/worker-1/0")
    opened.port._waiting += ["one", "two", "three", "four"]
    assert sorted(all_taken(opened, worker, 3)) == [1, 3, 4]
    wait_until(lambda: opened.port.attend() or desk.count(opened).acked == 4, "the last acknowledgement")
    count = desk.count(opened)
    assert (count.sent, count.acked, count.redelivered) == (4, 4, 2)


@pytest.mark.parametrize("bad", ["x" * 2000, 2**70])
def test_what_is_refused_was_never_given(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path, address: str, bad: Any
) -> None:
    desk, opened = source(max_message_bytes=1024, codec="msgpack")
    worker = peer(b"W/worker-1/0")
    opened.port._waiting += ["one", bad, "three"]
    taken: list[int] = []

    def refused() -> bool:
        try:
            taken.extend(take(opened, worker, lambda position: [position, 1]))
        except Unsendable:
            return True
        return False

    wait_until(refused, "the refusal")
    taken += all_taken(opened, worker, 3)
    assert taken == [1, 3]
    wait_until(lambda: opened.port.attend() or desk.count(opened).acked == 2, "the acknowledgements")
    assert desk.count(opened).sent == 2
    journal = Journal(tmp_path / "delivery" / f"{SOURCE}.journal")
    assert (journal.come_to, journal.refused) == (3, 1)
    again, reopened = source(f"{address}-again", max_message_bytes=1024, codec="msgpack")
    assert again.count(reopened).sent == 2


def test_how_far_it_has_come_is_noted_before_anything_is_sent_and_never_less(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path
) -> None:
    path = tmp_path / "delivery" / f"{SOURCE}.journal"
    path.parent.mkdir()
    Journal(path).note_turns(2, 0)
    _, opened = source()
    noted = []

    def fail(step: str) -> None:
        if step == "source.before_send":
            noted.append(Journal(path).come_to)

    opened.port._fail = fail
    worker = peer(b"W/worker-1/0")
    opened.port._waiting += ["one", "two", "three"]
    assert sorted(all_taken(opened, worker, 2)) == [1, 2, 3]
    assert set(noted) == {3}, "what is new was given first, and what is old after that"


@pytest.mark.parametrize("finished", [False, True])
def test_nothing_is_given_to_whom_was_told_of_before_its_arrival_was_read(
    source: Callable[..., Any], peer: Callable[[bytes], Any], finished: bool
) -> None:
    """Told of again by another coordinator, too: that is nothing new."""
    desk, opened = source()
    early = peer(b"W/worker-1/0")
    assert opened.port.socket.poll(DEADLINE_S * 1000)
    for _ in range(2):
        desk.tell(Gone(process="worker-1", incarnation=0, finished=finished))
    worker = peer(b"W/worker-1/1")
    opened.port._waiting += ["one", "two"]
    assert all_taken(opened, worker, 2) == [1, 2]
    assert take(opened, early, lambda position: [position, 1]) == []


def given(opened: Any, worker: Any, items: Iterator[int], ended: list[str], taken: list[int]) -> None:
    """Take all that a source gives of these until it ends, and tell where it was asked to."""

    def run() -> None:
        try:
            opened.port.send_all(items)
        except control.Finish:
            ended.append("asked to")
        opened.port.conclude()

    role = threading.Thread(target=run, daemon=True)
    role.start()

    def is_over() -> bool:
        if worker.poll(10):
            taken.extend(done_by(worker))
        return not role.is_alive()

    wait_until(is_over, "the source's end")


@pytest.mark.parametrize("come_to", [0, 3, 200])
def test_one_that_is_asked_to_finish_gives_first_what_an_earlier_incarnation_gave(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path, come_to: int
) -> None:
    """However slowly it would make its items, it does not pause; and of what nobody has had it begins nothing."""
    (tmp_path / "delivery").mkdir()
    Journal(tmp_path / "delivery" / f"{SOURCE}.journal").note_turns(come_to, 0)
    desk, opened = source()
    desk.tell(Finish())
    worker, ended, taken = peer(b"W/worker-1/0"), [], []

    def items() -> Iterator[int]:
        for number in range(10_000):
            desk.control.pause(60)
            yield number

    given(opened, worker, items(), ended, taken)
    assert ended == ["asked to"]
    assert taken[:come_to] == list(range(1, come_to + 1))
    assert len(taken) <= come_to + MOST_IN_PARCEL
    assert desk.count(opened).sent == desk.count(opened).acked == len(taken)


def test_one_that_waits_for_its_next_items_gives_what_it_owes_meanwhile(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path
) -> None:
    (tmp_path / "delivery").mkdir()
    Journal(tmp_path / "delivery" / f"{SOURCE}.journal").note_turns(3, 0)
    desk, opened = source()
    desk.tell(Finish())
    worker, ended, taken = peer(b"W/worker-1/0"), [], []

    def items() -> Iterator[int]:
        yield from range(3)
        while True:
            desk.control.pause(60)

    given(opened, worker, items(), ended, taken)
    assert (taken, ended) == ([1, 2, 3], ["asked to"])


def test_one_that_never_waits_gives_again_what_was_lost_in_the_middle_of_its_stream(
    source: Callable[..., Any], peer: Callable[[bytes], Any], tmp_path: Path
) -> None:
    (tmp_path / "delivery").mkdir()
    Journal(tmp_path / "delivery" / f"{SOURCE}.journal").note_turns(1, 0)
    desk, opened = source()
    worker, taken = peer(b"W/worker-1/0"), []
    pauses = threading.Event()

    def run() -> None:
        with contextlib.suppress(control.Finish):
            for number in itertools.count():
                opened.port.send(number)
                pauses.wait(0.001)  # as one that reads, or computes

    role = threading.Thread(target=run, daemon=True)
    role.start()

    def has_come() -> bool:
        if worker.poll(10):
            taken.extend(done_by(worker))
        return 1 in taken and len(taken) > 1

    wait_until(has_come, "the first task, and others")
    desk.tell(Finish())
    role.join(DEADLINE_S)
    assert not role.is_alive()


def test_one_that_comes_again_need_not_give_what_it_owes(source: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "delivery").mkdir()
    Journal(tmp_path / "delivery" / f"{SOURCE}.journal").note_turns(3, 0)
    desk, opened = source()
    desk.tell(Finish(returns=True))
    with pytest.raises(control.Finish):
        opened.port.send_all(range(100))


def test_after_a_refusal_all_others_are_given(
    source: Callable[..., Any], peer: Callable[[bytes], Any]
) -> None:
    """Those that were looked at ahead, those of the same iterator, and those of the next one."""
    desk, opened = source(max_message_bytes=1024)
    worker = peer(b"W/worker-1/0")
    items, left = iter([*range(40), "x" * 2000, *range(40, 50)]), [[50, 51], [52]]
    refused = threading.Event()

    def give() -> None:
        opened.port.send(-1)
        with pytest.raises(TooLarge):
            opened.port.send_all(items)
        refused.set()
        opened.port.send_all(items)
        for more in left:
            opened.port.send_all(more)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    taken: list[int] = []

    def is_there() -> bool:
        if worker.poll(10):
            taken.extend(done_by(worker))
        return 55 in taken

    wait_until(is_there, "the last item")
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert refused.is_set()
    assert taken == [position for position in range(1, 56) if position != 42]
    assert desk.count(opened).sent == 54
