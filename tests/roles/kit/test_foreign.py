"""What is none of ours, at each kind of port: it is counted and dropped, and the next item is taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import zmq
from harness import wait_until
from hypothesis import given
from hypothesis import strategies as st

from roles.kit import messages
from roles.kit.batches import packing
from roles.kit.codec import codec
from roles.kit.frames import TooLarge
from roles.kit.pipeline import Pull, Push
from roles.kit.ports import LARGE_BYTES, MALFORMED
from roles.kit.pubsub import Pub, Sub
from roles.kit.reqrep import Dealer, ForeignReply, Rep, Req, Router
from roles.kit.sequence import Checker

DEADLINE_MS = 60_000
DEEP = 100_000
NONE_OF_OURS = {
    "json": [b"", b"{", b"[" * DEEP, b'{"a":' * DEEP, b"nul", b'"\\ud800"', b"\xff", b"9" * 5000],
    "msgpack": [
        b"",
        b"\x91" * DEEP,
        b"\xdd\xff\xff\xff\xff",
        b"\xc1",
        b"\x81\x81\x01\x01\x02",
        b"\xc6\xff\xff\xff\xff",
    ],
    "text": [b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80"],
}


@pytest.fixture
def stranger(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Callable[..., zmq.Socket[bytes]]]:
    """Connects or binds any socket to an address."""
    made: list[zmq.Socket[bytes]] = []

    def make(kind: int, address: str, *, binds: bool = False) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        socket.set(zmq.RCVTIMEO, DEADLINE_MS)
        socket.set(zmq.SNDTIMEO, DEADLINE_MS)
        (socket.bind if binds else socket.connect)(address)
        made.append(socket)
        return socket

    yield make
    for socket in made:
        socket.close(linger=0)


def await_subscription(sub: Any, pub: zmq.Socket[bytes]) -> None:
    """A socket that binds looks at who has come when it is asked for its events."""
    wait_until(lambda: sub.take_in() or pub.poll(0), "a subscription", DEADLINE_MS / 1000)
    pub.recv()


def each(port: Any, count: int) -> list[Any]:
    """So many items, by iterating."""
    items = iter(port)
    return [next(items) for _ in range(count)]


def one_by_one(port: Any, count: int) -> list[Any]:
    return [port.recv() for _ in range(count)]


@pytest.mark.parametrize("name", NONE_OF_OURS)
@pytest.mark.parametrize("take", [each, one_by_one])
def test_pull(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any], name: str, take: Any
) -> None:
    here = desk()
    pull = here.open(Pull(), address, mode="bind", codec=name)
    push = stranger(zmq.PUSH, address)
    for frame in NONE_OF_OURS[name]:
        push.send(frame)
        push.send_multipart([frame, codec(name).encode("what follows is dropped with it")])
    push.send(codec(name).encode("good"))
    assert take(pull.port, 1) == ["good"]
    assert here.count(pull).foreign == 2 * len(NONE_OF_OURS[name])


@pytest.mark.parametrize("name", NONE_OF_OURS)
def test_pull_of_batches(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any], name: str
) -> None:
    here = desk()
    pull = here.open(Pull(), address, mode="bind", codec=name, batch=10)
    push = stranger(zmq.PUSH, address)
    no_arrays = [b"", b"1", b"{}", b"\x91" * DEEP, b"[" * DEEP, b"\xdc\xff\xff", b'["a"', b"\x91\xc4\x01"]
    for frame in no_arrays:
        push.send(frame)
    pack = packing(name)
    push.send(pack.join(["good" if str in pack.plain else pack.admit("good")]))
    assert pull.port.recv() == "good"
    assert here.count(pull).foreign == len(no_arrays)


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_sub(desk: Callable[[], Any], address: str, stranger: Callable[..., Any], name: str) -> None:
    here = desk()
    sub = here.open(Sub(), address, mode="bind", codec=name, partners=("ours-1",))
    pub = stranger(zmq.XPUB, address)
    sub.port.subscribe([""])
    await_subscription(sub, pub)
    none_of_ours = [[b"", frame] for frame in NONE_OF_OURS[name]]
    none_of_ours += [[b"", codec(name).encode(1), b"and more"], [b"\xff", *[b""] * 30]]
    for frames in none_of_ours:
        pub.send_multipart(frames)
    pub.send_multipart([b"\0end/nobody-1", b""])
    pub.send_multipart([b"\0end/\xff"])
    pub.send_multipart([b"topic", codec(name).encode("good")])
    assert sub.port.recv() == "good"
    assert here.count(sub).foreign == len(none_of_ours)


@pytest.mark.parametrize("name", NONE_OF_OURS)
@pytest.mark.parametrize("take", [each, one_by_one])
def test_rep(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any], name: str, take: Any
) -> None:
    """Each is answered with an empty frame, since a REP must; a request of several frames is taken for its first."""
    here = desk()
    rep = here.open(Rep(), address, mode="bind", codec=name)
    asks = stranger(zmq.DEALER, address)
    good = codec(name).encode("good")
    for frame in NONE_OF_OURS[name]:
        asks.send_multipart([b"", frame])
        asks.send_multipart([b"", frame, good, good])
    asks.send_multipart([b"", good, b"and", b"more"])
    asks.send_multipart([good])  # without the empty frame no REP ever sees it
    asks.send_multipart([b"", good])
    for _ in range(2):
        assert take(rep.port, 1) == ["good"]
        rep.port.send("reply")
    replies = [asks.recv_multipart()[-1] for _ in range(2 * len(NONE_OF_OURS[name]) + 2)]
    assert replies[-2:] == [codec(name).encode("reply")] * 2
    assert set(replies[:-2]) == {b""}
    assert here.count(rep).foreign == len(replies) - 2


def test_req_by_itself(desk: Callable[[], Any], address: str, stranger: Callable[..., Any]) -> None:
    """A foreign reply is an error, after which it can ask again; of several frames the first is the reply."""
    here = desk()
    server = stranger(zmq.ROUTER, address, binds=True)
    req = here.open(Req(), address)
    replies = [[b"{"], [b"[" * DEEP, b"1"], [b"1", b"2", b"3"], [b"4"]]

    def serve() -> None:
        for reply in replies:
            *envelope, _ = server.recv_multipart()
            server.send_multipart([*envelope, *reply])

    thread = threading.Thread(target=serve)
    thread.start()
    for _ in range(2):
        with pytest.raises(ForeignReply, match="json"):
            req.port.request("x")
    assert (req.port.request("x"), req.port.request("x")) == (1, 4)
    thread.join(DEADLINE_MS / 1000)
    assert not thread.is_alive()
    req.port.settle()
    assert (here.count(req).foreign, here.count(req).received) == (2, 2)


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("retry", [None, {"timeout_s": 60.0, "attempts": 2}])
def test_req_in_an_exchange(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any], copies: int, retry: Any
) -> None:
    here = desk()
    server = stranger(zmq.ROUTER, address, binds=True)
    req = here.open(Req(), address, copies=copies)
    replies = [[b"{"], [b"1", b"2", b"3"], [b"{", b"5"], [b"4"]]

    def serve() -> None:
        asked: dict[bytes, int] = {}
        for _ in range(len(replies) * copies):
            *envelope, _ = server.recv_multipart()
            number = asked[envelope[0]] = asked.get(envelope[0], -1) + 1
            server.send_multipart([*envelope, *replies[number]])

    thread = threading.Thread(target=serve)
    thread.start()
    got = list(req.port.exchange(lambda: ["x"] * len(replies), retry=retry))
    thread.join(DEADLINE_MS / 1000)
    assert not thread.is_alive()
    assert sorted(got) == [1] * copies + [4] * copies
    assert here.count(req).foreign == 2 * copies


@pytest.mark.parametrize("port", [Router, Dealer])
def test_router_and_dealer(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any], port: Any
) -> None:
    here = desk()
    opened = here.open(port(), address, mode="bind", codec="json")
    asks = stranger(zmq.DEALER, address)
    for frame in NONE_OF_OURS["json"]:
        asks.send_multipart([frame])
        asks.send_multipart([b"", b"x", frame])
    asks.send_multipart([b"", b'"good"'])
    item = opened.port.recv()
    assert (item[1] if port is Router else item) == "good"
    assert here.count(opened).foreign == 2 * len(NONE_OF_OURS["json"])


@pytest.mark.parametrize("sent", [LARGE_BYTES, 1000])
def test_a_message_too_large_is_refused_where_it_is_sent(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any], sent: int
) -> None:
    """Nothing of it is counted, and what was sent before it arrives."""
    here = desk()
    push = here.open(Push(), address, mode="bind", codec="bytes", max_message_bytes=sent)
    pull = stranger(zmq.PULL, address)
    push.port.send(b"a" * sent)
    with pytest.raises(
        TooLarge, match=rf"cannot send b'bbb.*{sent + 1:,} bytes, and 'here' allows {sent:,} \("
    ):
        push.port.send(b"b" * (sent + 1))
    push.port.send(b"c")
    assert [pull.recv()[:1], pull.recv()] == [b"a", b"c"]
    push.port.tally()
    assert (here.count(push).sent, here.count(push).bytes_sent) == (2, sent + 1)


@pytest.mark.parametrize(
    ("port", "send"),
    [
        (Pub, lambda port, item: port.send(item)),
        (Pub, lambda port, item: port.send(item, topic="t")),
        (Rep, lambda port, item: port.send(item)),
        (Req, lambda port, item: port.send(item)),
        (Dealer, lambda port, item: port.send(item)),
        (Router, lambda port, item: port.send(item, to=(b"x",))),
        (Push, lambda port, item: port.send(item)),
        (Req, lambda port, item: list(port.exchange(lambda: [item]))),
        (Req, lambda port, item: list(port.exchange(lambda: [item], retry={"timeout_s": 1, "attempts": 1}))),
    ],
)
@pytest.mark.parametrize("name", ["json", "text"])
def test_every_way_of_sending_refuses_it(
    desk: Callable[[], Any], address: str, port: Any, send: Any, name: str
) -> None:
    here = desk()
    opened = here.open(port(), address, codec=name, max_message_bytes=100)
    with pytest.raises(TooLarge):
        send(opened.port, "x" * 200)
    assert here.count(opened).sent == 0


def test_several_sockets_refuse_it(desk: Callable[[], Any], address: str) -> None:
    here = desk()
    req = here.open(Req(), address, copies=3, max_message_bytes=100)
    with pytest.raises(TooLarge):
        list(req.port.exchange(lambda: ["x" * 200]))


def test_whoever_sends_one_all_the_same_is_disconnected(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any]
) -> None:
    here = desk()
    pull = here.open(Pull(), address, mode="bind", codec="bytes", max_message_bytes=1000)
    rude, good = stranger(zmq.PUSH, address), stranger(zmq.PUSH, address)
    monitor = rude.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    rude.send(b"x" * 1001)
    assert monitor.poll(DEADLINE_MS), "it is still connected"
    good.send(b"y" * 1000)
    assert pull.port.recv() == b"y" * 1000
    rude.disable_monitor()
    monitor.close()


BYTES = st.one_of(
    st.binary(max_size=80),
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**63), 2**64 - 1),
            st.binary(max_size=9),
            st.text(max_size=9),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(msgspec.msgpack.encode),
)


@given(BYTES, BYTES)
def test_no_bytes_raise_anything_else(first: bytes, second: bytes) -> None:
    """Whatever comes, a decoder gives a value or one of the errors that the ports take for a foreign frame."""
    decoders: list[Callable[[bytes], object]] = [
        codec(name).decode for name in ("bytes", "text", "json", "msgpack")
    ]
    decoders += [packing(name).split for name in ("bytes", "text", "json", "msgpack")]
    decoders += [messages.decode_up, messages.decode_down, Checker(["a"]).ended]
    decoders += [
        lambda frame: Checker().is_new(first, frame),
        lambda frame: messages.decode_up(b"\x01" + frame),
    ]
    for decode in decoders:
        for frame in (first, second, first + second, second[: len(second) // 2]):
            try:
                decode(frame)
            except MALFORMED:
                continue


def test_numbers_of_who_does_not_publish_here_are_none() -> None:
    checker = Checker(["ours"])
    stamp = msgspec.msgpack.encode
    with pytest.raises(ValueError, match="somebody-1"):
        checker.is_new(b"x", stamp(["somebody-1", 1, 0, 2**64 - 1]))
    assert checker.is_new(b"x", stamp(["ours-2", 1, 0, 1]))
    assert (checker.missed, checker.gaps) == (0, 0)


def test_a_count_that_no_word_can_hold_ends_no_role(
    desk: Callable[[], Any], address: str, stranger: Callable[..., Any]
) -> None:
    here = desk()
    sub = here.open(Sub(), address, mode="bind", codec="text", sequence=True, partners=("ours-1",))
    pub = stranger(zmq.XPUB, address)
    sub.port.subscribe([""])
    await_subscription(sub, pub)
    for topic in (b"a", b"b", b"c"):
        pub.send_multipart([topic, msgspec.msgpack.encode(["ours-1", 1, 1, 2**64 - 1])])
    assert [sub.port.recv() for _ in range(3)] == ["a", "b", "c"]
    assert here.count(sub).missed == 2**64 - 1
