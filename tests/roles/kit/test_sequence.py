"""Numbers on updates: what was missed, and what came twice, with values and over sockets."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
import zmq

from roles.kit import messages
from roles.kit.ports import Ended
from roles.kit.presence import OpenPort
from roles.kit.pubsub import Pub, Sub
from roles.kit.sequence import KEPT_EPOCHS, MOST_TOPICS, Checker, Numbering, topic_bytes_of
from roles.kit.spec import END_TOPIC

DEADLINE_MS = 60_000
Told = tuple[int, int, int]


def checker(*filters: bytes) -> Checker:
    made = Checker()
    made.subscribed(filters)
    return made


def told(one: Checker) -> Told:
    return one.missed, one.gaps, one.duplicates


class Publisher:
    """A publisher's updates as frames; each `send` is the next of its topic."""

    def __init__(self, name: str = "publisher-1", *, incarnation: int = 0) -> None:
        self.numbering = Numbering(name, incarnation)

    def send(self, topic: bytes) -> tuple[bytes, bytes]:
        stamp = self.numbering.stamp(topic, len(topic))
        self.numbering.passed(topic, len(topic))
        return topic, stamp

    def sent(self, topic: bytes, count: int) -> list[tuple[bytes, bytes]]:
        return [self.send(topic) for _ in range(count)]


def take(one: Checker, updates: Iterable[tuple[bytes, bytes]]) -> int:
    return sum(one.is_new(*update) for update in updates)


@pytest.mark.parametrize(
    ("came", "of_them"),
    [
        ([1, 2, 3], (0, 0, 0)),
        ([3, 4, 5], (2, 1, 0)),
        ([1, 4, 5, 9], (5, 2, 0)),
        ([1, 1, 2], (0, 0, 1)),
        ([1, 3, 2], (1, 1, 1)),
    ],
)
def test_numbers_tell_what_did_not_come(came: list[int], of_them: Told) -> None:
    one, updates = checker(b""), Publisher().sent(b"a", 9)
    assert take(one, [updates[number - 1] for number in came]) == len(came) - of_them[2]
    assert told(one) == of_them


def test_each_topic_and_each_publisher_has_numbers_of_its_own() -> None:
    one, first, second = checker(b""), Publisher("p-1"), Publisher("p-2")
    assert take(one, [first.send(b"a"), second.send(b"a"), first.send(b"b"), second.send(b"a")]) == 4
    assert told(one) == (0, 0, 0)
    first.send(b"a")
    assert take(one, [first.send(b"a")]) == 1
    assert told(one) == (1, 1, 0)


def test_a_publisher_that_starts_anew_begins_anew() -> None:
    one = checker(b"")
    assert take(one, Publisher().sent(b"a", 3)) == 3
    assert take(one, Publisher(incarnation=1).sent(b"a", 3)) == 3
    assert take(one, Publisher(incarnation=1).sent(b"a", 3)) == 3  # of another run
    assert told(one) == (0, 0, 0)


def test_a_filter_longer_than_a_topic_sees_no_gaps_but_what_came_twice() -> None:
    one, updates = checker(b"abc", b"x"), Publisher().sent(b"ab", 5)
    assert take(one, [updates[1], updates[4], updates[4]]) == 2
    assert told(one) == (0, 0, 1)


def test_a_filter_that_comes_later_counts_from_then_on() -> None:
    one, publisher = checker(b"b"), Publisher()
    take(one, [publisher.sent(b"a", 3)[2]])
    assert told(one) == (0, 0, 0)
    one.subscribed([b"a"])
    take(one, [publisher.sent(b"a", 2)[1]])
    assert told(one) == (1, 1, 0)


def test_an_end_mark_tells_a_missed_tail_and_a_missed_topic_once() -> None:
    one, publisher = checker(b"a", b"b"), Publisher()
    take(one, publisher.sent(b"a", 5)[:3])
    publisher.sent(b"b", 4)
    publisher.sent(b"c", 7)
    one.ended(publisher.numbering.tally())
    one.ended(publisher.numbering.tally())
    assert told(one) == (2 + 4, 2, 0)


def test_too_many_topics_are_not_told() -> None:
    one, publisher = checker(b""), Publisher()
    for number in range(MOST_TOPICS):
        publisher.send(b"%d" % number)
    one.ended(publisher.numbering.tally())
    assert told(one) == (MOST_TOPICS, MOST_TOPICS, 0)
    publisher.send(b"one more")
    one.ended(publisher.numbering.tally())
    assert told(one) == (MOST_TOPICS, MOST_TOPICS, 0)
    assert len(publisher.numbering.tally()) < 100


def test_an_update_that_was_not_sent_has_no_number() -> None:
    numbering = Numbering("p-1")
    assert numbering.stamp(b"a", 1) == numbering.stamp(b"a", 1)
    assert msgspec.msgpack.decode(numbering.tally())[2] == {}


@pytest.mark.parametrize(
    ("payload", "length"), [(b"10001 72 40", 6), (b"10001", 5), (b"", 0), (b" x", 1), (b"a  b", 2)]
)
def test_a_topic_is_the_first_word_with_its_space(payload: bytes, length: int) -> None:
    assert topic_bytes_of(payload) == length


@pytest.mark.parametrize(
    "stamp",
    [
        b"",
        b"\xc1",
        b"World",
        msgspec.msgpack.encode(["p", 1, 2]),
        msgspec.msgpack.encode(["p", 1, 0, 0]),
        msgspec.msgpack.encode(["p", 1, 3, 1]),
        msgspec.msgpack.encode(["p", 1, -1, 1]),
        msgspec.msgpack.encode(["p", 1, 1, 1, 1]),
    ],
)
def test_what_is_no_stamp_is_a_value_error(stamp: bytes) -> None:
    one = checker(b"")
    with pytest.raises((ValueError, msgspec.DecodeError)):
        one.is_new(b"ab", stamp)
    assert told(one) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_what_came_and_what_was_missed_is_what_was_sent(seed: int) -> None:
    """Whatever is dropped, and wherever: at the start, in between, at the end, or a topic whole."""
    draw = random.Random(seed)
    one, publisher = checker(b"a", b"bb"), Publisher()
    topics = [b"a", b"ab", b"b", b"bb", b"bbc"]
    updates = [publisher.send(draw.choice(topics)) for _ in range(500)]
    matched = [update for update in updates if update[0].startswith((b"a", b"bb"))]
    kept = [update for update in matched if draw.random() < 0.8]
    assert take(one, kept) == len(kept), f"seed {seed}"
    one.ended(publisher.numbering.tally())
    assert one.missed == len(matched) - len(kept), f"seed {seed}"
    assert 0 < one.gaps <= one.missed


# Over sockets.

Pair = tuple[OpenPort, OpenPort]


@pytest.fixture
def pair(desk: Callable[[], Any], address: str) -> Callable[..., Any]:
    """A publisher and a subscriber of one endpoint, connected and subscribed."""

    def make(codec: str, topics: list[str], **options: Any) -> Any:
        sends, takes = desk(), desk()
        pub = sends.open(
            Pub(), address, mode="bind", codec=codec, sequence=True, partners=("process-1",), **options
        )
        sub = takes.open(Sub(), address, codec=codec, sequence=True, partners=("process-0",), **options)
        sub.port.subscribe(topics)
        waiting = [pub, sub]
        while waiting:
            waiting = [one for one in waiting if not one.in_place()]
            sockets = [(socket, zmq.POLLIN) for one in waiting for socket in one.pollees]
            assert not waiting or zmq.zmq_poll(sockets, DEADLINE_MS)
        for one in (pub, sub):
            one.go()
        takes.tell(messages.Go())
        return pub.port, sub.port, lambda: takes.count(sub)

    return make


@pytest.mark.parametrize("codec", ["bytes", "text", "json", "msgpack"])
def test_all_comes_numbered_and_nothing_is_missed(pair: Callable[..., Any], codec: str) -> None:
    pub, sub, count = pair(codec, ["a", "b "])
    for number in range(3):
        pub.send(f"a {number}", topic="" if pub.codec.prefixed else "a")
        pub.send(f"b {number}", topic="" if pub.codec.prefixed else "b ")
        pub.send(f"c {number}", topic="" if pub.codec.prefixed else "c")
    pub.send_end("process-0")
    wanted = [f"{topic} {number}" for number in range(3) for topic in "ab"]
    assert list(sub) == ([one.encode() for one in wanted] if codec == "bytes" else wanted)
    assert (count().received, count().missed, count().gaps, count().duplicates, count().foreign) == (
        6,
        0,
        0,
        0,
        0,
    )
    with pytest.raises(Ended):
        sub.recv()


@pytest.mark.parametrize("codec", ["text", "json"])
def test_a_given_topic_is_the_topic(pair: Callable[..., Any], codec: str) -> None:
    pub, sub, count = pair(codec, ["zip"])
    pub.send("x y", topic="zip")
    pub.send("z", topic="zip")
    pub.send_end("process-0")
    assert list(sub) == (["zipx y", "zipz"] if codec == "text" else ["x y", "z"])
    assert (count().received, count().missed) == (2, 0)


def test_what_a_full_queue_dropped_is_counted(pair: Callable[..., Any]) -> None:
    """Nobody takes while the publisher sends: some is queued, the rest dropped, and the tail is known by the mark."""
    pub, sub, count = pair("text", [""], hwm=10)
    payload = "x" * 10_000
    for number in range(2000):
        pub.send(f"{'ab'[number % 2]} {payload}")
    pub.send("b the last", topic="")
    heard = threading.Event()

    def say_the_end() -> None:
        while not heard.wait(0.01):  # it may meet a full queue, so it is said again, as the runtime does
            pub.send_end("process-0")

    saying = threading.Thread(target=say_the_end)
    saying.start()
    try:
        got = len(list(sub))
    finally:
        heard.set()
        saying.join()
    assert 0 < got < 2001
    assert count().received == got
    assert count().missed == 2001 - got
    assert count().gaps >= 1
    assert count().duplicates == 0


def test_what_comes_twice_is_counted_and_not_handed_on(pair: Callable[..., Any]) -> None:
    pub, sub, count = pair("json", [""])
    pub.send(1, topic="a")
    frames = [b"a", b"1", pub._numbering.stamp(b"a", 1)]
    for _ in range(3):
        pub.socket.send_multipart(frames)
    pub.send_end("process-0")
    assert list(sub) == [1, 1]
    assert (count().duplicates, count().received, count().missed) == (2, 2, 0)


@pytest.mark.parametrize(
    "frames",
    [[b"1"], [b"a", b"1"], [b"a", b"1", b"2"], [b"a", b"1", b"2", b"3"], [END_TOPIC + b"x", b"", b"?"]],
)
def test_what_has_no_number_is_foreign(pair: Callable[..., Any], frames: list[bytes]) -> None:
    pub, sub, count = pair("json", [""])
    pub.socket.send_multipart(frames)
    pub.send(1, topic="a")
    pub.send_end("process-0")
    assert list(sub) == [1]
    assert (count().foreign, count().received, count().missed) == (1, 1, 0)


def test_without_sequence_the_wire_is_as_it_was(desk: Callable[[], Any], address: str) -> None:
    pub = desk().open(Pub(), address, mode="bind", codec="text").port
    with pub.socket.context.socket(zmq.SUB) as plain:
        plain.subscribe(b"")
        plain.connect(address)
        assert pub.socket.poll(DEADLINE_MS)
        pub.socket.recv()
        pub.send("a 1")
        pub.send_end("p-1")
        got = []
        for _ in range(2):
            assert plain.poll(DEADLINE_MS)
            got.append(plain.recv_multipart())
    assert got == [[b"a 1"], [END_TOPIC + b"p-1"]]


def test_who_began_again_cannot_tell_what_came_before_its_first_update():
    numbering, checker = Numbering("p-1"), Checker()
    checker.began_again = True
    checker.subscribed([b""])
    for _ in range(5):
        numbering.passed(b"a", 1)
    assert checker.is_new(b"a", numbering.stamp(b"a", 1))
    assert (checker.missed, checker.gaps) == (0, 0)
    numbering.passed(b"a", 1)
    numbering.passed(b"a", 1)
    assert checker.is_new(b"a", numbering.stamp(b"a", 1))
    assert (checker.missed, checker.gaps) == (1, 1)


def test_who_began_again_can_tell_of_a_publisher_that_began_after_it():
    one = checker(b"")
    one.began_again = True
    take(one, Publisher().sent(b"a", 5)[3:])
    later = Publisher(incarnation=1)
    take(one, later.sent(b"a", 5)[3:])
    assert told(one) == (3, 1, 0)
    later.sent(b"b", 2)
    one.ended(later.numbering.tally())
    assert told(one) == (5, 2, 0)


def test_a_publisher_has_finished_when_its_latest_incarnation_has():
    one, first = checker(b""), Publisher()
    take(one, first.sent(b"a", 1))
    assert one.finished() == set()
    one.ended(first.numbering.tally())
    assert one.finished() == {"publisher-1"}
    second = Publisher(incarnation=1)
    take(one, second.sent(b"a", 1))
    assert one.finished() == set()
    one.ended(first.numbering.tally())  # said before it died, and read only now
    assert one.finished() == set()
    one.ended(second.numbering.tally())
    assert one.finished() == {"publisher-1"}
    assert told(one) == (0, 0, 0)


def test_old_incarnations_are_forgotten_and_make_no_gaps():
    one, publishers = checker(b""), [Publisher(incarnation=n) for n in range(3 * KEPT_EPOCHS)]
    for publisher in publishers:
        take(one, publisher.sent(b"a", 2))
    assert len(one._last) == KEPT_EPOCHS
    assert take(one, publishers[0].sent(b"a", 1)) == 1
    assert told(one) == (0, 0, 0)
    assert len(one._last) == KEPT_EPOCHS
