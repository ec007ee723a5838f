"""How acknowledged tasks and their results are shared out over messages, none of which is too large."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from seeds import seeds

from roles.kit import parcels
from roles.kit.batches import packing
from roles.kit.dispatch import Dispatch
from roles.kit.frames import TooLarge, Unsendable, as_many_as_fit, joined
from roles.kit.parcels import Acks, Parcel, Results
from roles.kit.pipeline import Push
from roles.kit.positions import as_runs, in_runs
from roles.kit.spec import LEAST_MESSAGE_BYTES

JSON = packing("json")
DEADLINE_MS = 60_000


def shares(sizes: list[int], most_bytes: int) -> Iterator[list[int]]:
    """The sizes, message by message, with frames that are as large as what is in them."""
    while sizes:
        rest = sizes
        count, (frame,) = as_many_as_fit(len(rest), lambda some: [b"x" * sum(rest[:some])], most_bytes)  # noqa: B023
        assert len(frame) == sum(sizes[:count])
        yield sizes[:count]
        sizes = sizes[count:]


@pytest.mark.parametrize(
    ("sizes", "shared"),
    [
        ([1, 2, 3], [[1, 2, 3]]),
        ([100], [[100]]),
        ([60, 40], [[60, 40]]),
        ([60, 41], [[60], [41]]),
        ([500, 1, 1], [[500], [1, 1]]),
        ([1, 500, 1], [[1], [500], [1]]),
        ([40] * 6, [[40, 40]] * 3),
    ],
)
def test_shares(sizes: list[int], shared: list[list[int]]) -> None:
    assert list(shares(sizes, 100)) == shared


@pytest.mark.parametrize("seed", seeds(100, few=30))
def test_nothing_is_left_out_and_only_what_is_alone_is_too_large(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.choice((1, 10, 90, 150)) for _ in range(chance.randrange(1, 200))]
    shared = list(shares(sizes, 100))
    assert [size for share in shared for size in share] == sizes
    assert all(sum(share) <= 100 or len(share) == 1 for share in shared)


def test_a_large_one_among_many_takes_few_tries() -> None:
    tries = []

    def make(some: int) -> list[bytes]:
        tries.append(some)
        return [b"x" * (1000 * some)]

    assert as_many_as_fit(128, make, 1000)[0] == 1
    assert tries == [128, 1]


@pytest.mark.parametrize("bad", range(8))
def test_those_before_one_that_cannot_be_sent_go_without_it(bad: int) -> None:
    def join(items: list[int]) -> bytes:
        if bad in items:
            raise OverflowError("no")
        return bytes(items)

    sent: list[int] = []
    while True:
        rest = list(range(len(sent), 8))
        try:
            count, (frame,) = as_many_as_fit(len(rest), lambda some: [joined(join, rest[:some])], 100)  # noqa: B023
        except Unsendable as error:
            assert str(error) == f"cannot send {rest[0]}: OverflowError: no"  # noqa: PT017 - it ends the loop
            break
        assert list(frame) == rest[:count]
        sent += frame
    assert sent == list(range(bad))


def test_the_larger_frame_counts() -> None:
    assert as_many_as_fit(8, lambda some: [b"h" * (30 * some), b"p" * some], 100)[0] == 3


@pytest.mark.parametrize("most_bytes", [LEAST_MESSAGE_BYTES, 4096])
def test_a_header_of_scattered_tasks_fits(most_bytes: int) -> None:
    count = parcels.most_named(most_bytes)
    positions = range(2**40 - 2 * count, 2**40, 2)
    header = parcels.encode(Parcel(2**40, 20_000, as_runs(positions)))
    assert most_bytes // 2 < len(header) <= most_bytes


def test_acknowledgements_are_small_and_marks_come_last() -> None:
    positions = list(range(2**40, 2**40 + 4000, 2))
    marks = [(b"W/some-worker-with-quite-a-long-name-%d/1000" % one, 1 << 62) for one in range(50)]
    frames = list(parcels.acks(as_runs(positions), marks))
    assert max(map(len, frames)) <= LEAST_MESSAGE_BYTES
    told = [parcels.decode_up(frame) for frame in frames]
    assert all(isinstance(one, Acks) for one in told)
    assert in_runs([number for one in told for number in one.runs]) == positions  # type: ignore[union-attr]
    assert [mark for one in told for mark in one.marks] == marks  # type: ignore[union-attr]
    first_mark = next(index for index, one in enumerate(told) if one.marks)  # type: ignore[union-attr]
    assert not any(one.runs for one in told[first_mark:])  # type: ignore[union-attr]


def test_a_few_acknowledgements_are_one_message() -> None:
    assert list(parcels.acks([1, 100, 201, 3])) == [parcels.encode(Acks([1, 100, 201, 3]))]
    assert list(parcels.acks([])) == []


def test_who_looks_at_what_is_given_again_changes_nothing() -> None:
    dispatch = Dispatch(10)
    for name in (b"dead", b"other"):
        dispatch.arrived(name, 0)
    dispatch.give(b"dead", [1, 2, 3], ["a", "b", "c"], 0)
    dispatch.gone(b"dead")
    dispatch.acknowledge([2, 1], 0)
    assert dispatch.next_again(1) == ["a"]
    assert dispatch.next_again(5) == ["a", "c"]
    assert dispatch.again == 0
    assert dispatch.give_again(b"other", 1, 0).items == ["a"]  # type: ignore[union-attr]
    assert dispatch.give_again(b"other", 1, 0).items == ["c"]  # type: ignore[union-attr]
    assert dispatch.next_again(5) == []


def test_no_more_are_given_than_are_meant_to_be() -> None:
    dispatch = Dispatch(100)
    dispatch.arrived(b"w", 0)
    given = dispatch.give(b"w", [1], ["a"], 0)
    for now_ns in (1000, 2000, 3000):
        dispatch.worked_through(b"w", given.number, now_ns)
        first = dispatch.given + 1
        given = dispatch.give(b"w", range(first, first + 4), ["x"] * 4, now_ns)
    dispatch.worked_through(b"w", given.number, 4000)
    assert dispatch.room()[1] > 3  # type: ignore[index]
    dispatch.most = 3
    assert dispatch.room()[1] == 3  # type: ignore[index]


class Worker:
    """A worker's two ports, without a source, and the sink's end of its results."""

    def __init__(self, desk: Any, address: str, **spec: Any) -> None:
        self.delivery = SimpleNamespace(
            passer=None,
            taker=None,
            hand_at=0,
            slot=0,
            fail=lambda _: None,
            identity=lambda prefix: prefix + b"w/0",
        )
        desk.control.delivery = self.delivery
        self.sink = desk.context.socket(zmq.PULL)
        self.sink.bind(address)
        self.passed = desk.open(Push(), address, delivery="pass", **spec)
        self.desk = desk

    def send(self, *items: Any) -> None:
        """Results of a task in hand."""
        words = self.desk.control.words
        words[self.delivery.hand_at] = 1
        for item in items:
            self.passed.port.send(item)

    def received(self) -> list[tuple[list[int], list[int] | None, list[Any]]]:
        """Tasks, counts and results of what has come, to the mark at the end."""
        self.passed.port.pass_mark(parcels.Mark(7))
        messages = []
        while True:
            assert self.sink.poll(DEADLINE_MS), "no mark came"
            header, payload = self.sink.recv_multipart()
            assert max(len(header), len(payload)) <= self.passed.spec.max_message_bytes
            told = parcels.decode_result(header)
            if not isinstance(told, Results):
                return messages
            messages.append((in_runs(told.runs), told.counts, JSON.split(payload) if payload else []))


@pytest.fixture
def worker(desk: Callable[[], Any]) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make(**spec: Any) -> Worker:
        made.append(Worker(desk(), "inproc://results", **spec))
        return made[-1]

    yield make
    for one in made:
        one.sink.close(linger=0)


def pass_all(worker: Worker, tasks: list[int], counts: list[int] | None) -> None:
    while tasks:
        count = worker.passed.port.pass_results(b"source", tasks, counts)
        tasks = tasks[count:]
        counts = None if counts is None else counts[count:]


def test_results_of_several_tasks_are_split_between_tasks(worker: Callable[..., Worker]) -> None:
    one = worker(max_message_bytes=1024)
    one.send("a" * 600, "b" * 600, "c" * 100)
    pass_all(one, [4, 5, 9], None)
    assert one.received() == [([4], None, ["a" * 600]), ([5, 9], None, ["b" * 600, "c" * 100])]
    assert one.desk.count(one.passed).sent == 3


def test_results_stay_with_their_task(worker: Callable[..., Worker]) -> None:
    one = worker(max_message_bytes=1024)
    one.send("a" * 400, "b" * 400, "c" * 400, "d")
    pass_all(one, [1, 2, 3, 4], [0, 2, 0, 2])
    assert one.received() == [
        ([1, 2], [0, 2], ["a" * 400, "b" * 400]),
        ([3, 4], [0, 2], ["c" * 400, "d"]),
    ]


def test_many_tasks_without_results_are_split_by_their_names(worker: Callable[..., Worker]) -> None:
    one = worker(max_message_bytes=1024)
    tasks = list(range(2**40, 2**40 + 1000, 2))
    pass_all(one, tasks, [0] * len(tasks))
    assert [task for its, _, _ in one.received() for task in its] == tasks


def test_results_of_one_task_that_are_too_large_are_refused(worker: Callable[..., Worker]) -> None:
    one = worker(max_message_bytes=1024)
    one.send("a", "b" * 600, "c" * 600)
    assert one.passed.port.pass_results(b"source", [1, 2], [1, 2]) == 1
    with pytest.raises(
        TooLarge, match=r"cannot send .*bbb.*: it makes a message of 1,2\d\d bytes, and 'here'"
    ):
        one.passed.port.pass_results(b"source", [2], [2])
    assert one.received() == [([1], [1], ["a"])]
    assert one.desk.count(one.passed).sent == 1
