"""Requests: how long they take, and asking again, against a plain ROUTER that answers when the test says so."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import zmq
from harness import wait_until

from roles.kit import messages
from roles.kit.calls import SetupError
from roles.kit.control import Finish
from roles.kit.presence import OpenPort
from roles.kit.reqrep import Req
from roles.kit.retry import NoReply
from roles.kit.slot import Count, State

DEADLINE_S = 60.0
AT_ONCE = {"timeout_s": 0.05, "attempts": 100}
UNHURRIED = {"timeout_s": 0.7, "attempts": 30}
PATIENT = {"timeout_s": DEADLINE_S, "attempts": 2}
Envelope = list[bytes]


class Server:
    """Any ROUTER: sees each request with its envelope, and answers whom it wants."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        self.address = address
        self.socket = context.socket(zmq.ROUTER)
        self.socket.set(zmq.ROUTER_MANDATORY, 1)
        self.socket.bind(address)

    def asked(self) -> tuple[Envelope, bytes]:
        assert self.socket.poll(int(DEADLINE_S * 1000)), "no request"
        *envelope, request = self.socket.recv_multipart()
        return envelope, request

    def answer(self, envelope: Envelope, reply: bytes) -> None:
        self.socket.send_multipart([*envelope, reply])

    def can_answer(self, envelope: Envelope) -> bool:
        """Answer who asked, where it is still there."""
        try:
            self.answer(envelope, b"x")
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def attempts(self, count: int) -> list[Envelope]:
        """So many requests, not answered yet."""
        return [self.asked()[0] for _ in range(count)]


@dataclass
class Asking:
    """A client's exchange in a thread of its own: what it got, and how it ended."""

    port: OpenPort
    tell: Callable[[messages.Down], None]
    count: Callable[[], Count]
    state: Callable[[], State]
    got: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    thread: threading.Thread | None = None

    def start(self, requests: list[str], retry: Any = None) -> Asking:
        def run() -> None:
            try:
                for reply in self.port.port.exchange(lambda: requests, retry=retry):
                    self.got.append(reply)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()
        return self

    def end(self) -> Asking:
        assert self.thread is not None
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        return self

    def ended(self) -> list[Any]:
        """The replies; fails where the exchange was cut short."""
        self.end()
        assert self.error is None, self.error
        return self.got

    def counted(self, **wanted: int) -> None:
        """The slot says so, sooner or later."""
        wait_until(
            lambda: all(getattr(self.count(), name) == number for name, number in wanted.items()), str(wanted)
        )


class Clock:
    """The time of whoever asks again: it stands still but for what a test lets pass."""

    now_ns = 10**15

    def monotonic_ns(self) -> int:
        return self.now_ns

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def passes(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """However slow the machine is, no attempt is made that the test did not ask for."""
    made = Clock()
    monkeypatch.setattr("roles.kit.retry.time", made)
    return made


@pytest.fixture
def server(context: zmq.Context[zmq.Socket[bytes]], address: str) -> Iterator[Server]:
    made = Server(context, address)
    yield made
    made.socket.close(linger=0)


@pytest.fixture
def client(desk: Callable[[], Any], address: str) -> Iterator[Callable[..., Asking]]:
    """Makes clients, told to go."""
    made = []

    def make(addresses: list[str] | None = None, **options: Any) -> Asking:
        process = desk()
        opened = process.open(Req(), *(addresses or [address]), **{"codec": "text"} | options)
        process.tell(messages.Go())
        made.append(Asking(opened, process.tell, lambda: process.count(opened), lambda: process.state))
        return made[-1]

    yield make
    for one in made:
        one.tell(messages.Stop())
        if one.thread is not None:
            one.end()


@pytest.mark.parametrize("sockets", [1, 3])
@pytest.mark.parametrize("retry", [None, PATIENT])
def test_every_request_is_answered_and_its_time_noted(
    client: Callable[..., Asking], server: Server, sockets: int, retry: Any
) -> None:
    asking = client(copies=sockets).start(["a", "b"], retry)
    for _ in range(2 * sockets):
        envelope, request = server.asked()
        server.answer(envelope, request * 2)
    assert sorted(asking.ended()) == sorted(["aa", "bb"] * sockets)
    asking.port.port.settle()
    asking.counted(sent=2 * sockets, received=2 * sockets, retried=0, late=0, duplicates=0, foreign=0)
    assert asking.port.port.latencies.count == 2 * sockets


@pytest.mark.parametrize("retry", [None, PATIENT])
@pytest.mark.parametrize("sockets", [1, 2])
def test_a_round_trip_is_as_long_as_the_server_takes(
    client: Callable[..., Asking], server: Server, sockets: int, retry: Any
) -> None:
    asking = client(copies=sockets).start(["a"], retry)
    for envelope in server.attempts(sockets):
        assert not server.socket.poll(50)  # nobody asks meanwhile
        server.answer(envelope, b"x")
    asking.ended()
    assert (
        49
        < asking.port.port.latencies.quantile_ms(0.01)
        <= asking.port.port.latencies.max_ms
        < DEADLINE_S * 1000
    )
    assert asking.port.port.latencies.max_ms > 49 * sockets


def test_who_is_not_answered_asks_again_over_another_socket(
    client: Callable[..., Asking], server: Server, clock: Clock
) -> None:
    asking = client().start(["a", "b"], UNHURRIED)
    (first,) = server.attempts(1)
    clock.passes(0.7)
    (second,) = server.attempts(1)
    assert first != second
    server.answer(second, b"to the second")
    following, request = server.asked()
    assert request == b"b"
    server.answer(first, b"to the first")
    asking.counted(duplicates=1)
    server.answer(following, b"done")
    assert asking.ended() == ["to the second", "done"]
    asking.port.port.settle()
    asking.counted(sent=3, received=3, retried=1, late=0, duplicates=1)


def test_a_late_reply_is_an_answer_and_what_follows_a_duplicate(
    client: Callable[..., Asking], server: Server, clock: Clock
) -> None:
    asking = client().start(["a", "b"], UNHURRIED)
    (first,) = server.attempts(1)
    clock.passes(0.7)
    (second,) = server.attempts(1)
    server.answer(first, b"late")
    asking.counted(late=1)
    again, request = server.asked()
    assert (again, request) == (first, b"b"), "the socket that has its reply is free to ask"
    server.answer(second, b"twice")
    asking.counted(duplicates=1)
    server.answer(again, b"done")
    assert asking.ended() == ["late", "done"]
    asking.port.port.settle()
    asking.counted(sent=3, received=3, retried=1, late=1, duplicates=1)
    assert asking.port.port.latencies.count == 2
    assert asking.port.port.latencies.max_ms > 690, "the time counts from the first attempt"


@pytest.mark.parametrize("attempts", [3, 1])
@pytest.mark.parametrize("sockets", [1, 2])
def test_who_is_never_answered_gives_up(
    client: Callable[..., Asking], server: Server, clock: Clock, attempts: int, sockets: int
) -> None:
    asking = client(copies=sockets).start(["a", "b"], {"timeout_s": 0.05, "attempts": attempts})
    for envelope in server.attempts(sockets):
        server.answer(envelope, b"x")
    wait_until(lambda: len(asking.got) == sockets, "the first answers")

    def has_given_up() -> bool:
        clock.passes(0.05)
        return not asking.thread.is_alive()

    wait_until(has_given_up, "it gives up")
    assert isinstance(asking.error, NoReply)
    told = "3 attempts of 0.05 s each" if attempts == 3 else "1 attempt of 0.05 s"
    assert str(asking.error) == f"no reply from here ({server.address}) to request 2 within {told}"
    assert all(socket.closed for socket in asking.port.port.sockets) or sockets > 1
    count = asking.count()
    assert count.retried == count.sent - sockets - len(asking.got)


def test_a_connection_that_broke_off_for_good_is_not_waited_for(
    client: Callable[..., Asking], server: Server, clock: Clock
) -> None:
    """What is no reply ends a REQ's connection; while none is awaited it shows only when the next request cannot go."""
    envelopes: list[Envelope] = []

    def answer(reply: bytes, after_s: float) -> None:
        wait_until(lambda: asking.state() is State.SLEEPING, "it waits for the reply")
        clock.passes(after_s)
        envelope, _ = server.asked()
        envelopes.append(envelope)
        server.answer(envelope, reply)

    asking = client(copies=1)
    replies = asking.port.port.exchange(lambda: ["a", "b"], retry=AT_ONCE)
    thread = threading.Thread(target=answer, args=(b"one", 0.0))
    thread.start()
    assert next(replies) == "one"
    thread.join()
    server.socket.send_multipart([envelopes[0][0], b"no empty frame", b"x"])
    wait_until(lambda: not server.can_answer(envelopes[0]), "the end of the connection")
    thread = threading.Thread(target=answer, args=(b"two", 0.05))
    thread.start()
    assert next(replies) == "two"
    thread.join()


def test_few_old_sockets_are_kept(client: Callable[..., Asking], server: Server) -> None:
    asking = client().start(["a"], {"timeout_s": 0.03, "attempts": 1000})
    envelopes = server.attempts(20)

    wait_until(lambda: not server.can_answer(envelopes[0]), "the first socket closed")
    assert not asking.got
    answer_the_newest(asking, server)


def answer_the_newest(asking: Asking, server: Server) -> None:
    while asking.thread.is_alive():
        if server.socket.poll(10):
            server.can_answer(server.asked()[0])
    assert asking.ended() == ["x"]


def test_a_name_is_never_there_twice(client: Callable[..., Asking], server: Server) -> None:
    asking = client(options={"ROUTING_ID": "me"}).start(["a"], {"timeout_s": 0.2, "attempts": 100})
    assert [envelope[0] for envelope in server.attempts(2)] == [b"me", b"me"]
    answer_the_newest(asking, server)


def test_the_second_attempt_goes_to_another_server(
    client: Callable[..., Asking], server: Server, context: zmq.Context[zmq.Socket[bytes]], address: str
) -> None:
    other = Server(context, f"{address}-2")
    asking = client([address, f"{address}-2"]).start(["a", "b"], {"timeout_s": 1.0, "attempts": 50})
    for request in (b"a", b"b"):
        envelope, asked = other.asked()
        while asked != request:
            envelope, asked = other.asked()
        other.answer(envelope, b"x")
    assert asking.ended() == ["x", "x"]
    other.socket.close(linger=0)


@pytest.mark.parametrize("sockets", [1, 2])
def test_who_is_to_finish_completes_its_request(
    client: Callable[..., Asking], server: Server, clock: Clock, sockets: int
) -> None:
    asking = client(copies=sockets).start(["a", "b"], AT_ONCE)
    first = server.attempts(sockets)
    asking.tell(messages.Finish())
    wait_until(lambda: asking.port.port.control.finishing, "heard")
    clock.passes(0.05)
    server.attempts(sockets)
    for envelope in first:
        server.answer(envelope, b"x")
    assert asking.ended() == ["x"] * sockets


@pytest.mark.parametrize(("told", "raises"), [(messages.Stop(), Finish), (messages.End(port="port0"), None)])
def test_who_is_called_off_leaves_at_once(
    client: Callable[..., Asking], server: Server, told: messages.Down, raises: type[BaseException] | None
) -> None:
    asking = client().start(["a", "b"], PATIENT)
    server.attempts(1)
    asking.tell(told)
    asking.end()
    assert (type(asking.error) if asking.error else None) is raises
    assert asking.got == []
    assert all(socket.closed for socket in asking.port.port.sockets)


def test_who_will_ask_again_is_not_at_rest(client: Callable[..., Asking], server: Server) -> None:
    asking = client().start(["a"], PATIENT)
    (envelope,) = server.attempts(1)
    wait_until(lambda: asking.state() is State.SLEEPING, "sleeping")
    server.answer(envelope, b"x")
    asking.ended()
    assert asking.state() is State.RUNNING


def test_a_reply_of_another_kind_is_foreign(client: Callable[..., Asking], server: Server) -> None:
    asking = client(codec="json").start(["a", "b"], PATIENT)
    for reply in (b"{", b"1"):
        (envelope,) = server.attempts(1)
        server.answer(envelope, reply)
    assert asking.ended() == [1]
    asking.port.port.settle()
    asking.counted(sent=2, received=1, foreign=1)


def test_nothing_is_sent_or_given_up_where_nobody_listens(
    client: Callable[..., Asking], context: zmq.Context[zmq.Socket[bytes]], clock: Clock, address: str
) -> None:
    """With IMMEDIATE a request waits for its server, and none is on its way twice."""
    asking = client(options={"IMMEDIATE": 1}).start(["a"], AT_ONCE)
    wait_until(lambda: asking.state() is State.SLEEPING, "sleeping")
    first = asking.port.port.socket
    clock.passes(0.05)
    wait_until(lambda: asking.port.port.socket is not first, "another attempt")
    asking.counted(sent=0)
    late = Server(context, address)
    envelope, _ = late.asked()
    late.answer(envelope, b"x")
    assert asking.ended() == ["x"]
    assert (asking.count().sent, asking.count().retried) == (1, 0)
    late.socket.close(linger=0)


def test_who_binds_cannot_ask_again(desk: Callable[[], Any], address: str) -> None:
    port = desk().open(Req(), address, mode="bind").port
    with pytest.raises(SetupError, match="cannot ask again at port0: it binds") as told:
        next(port.exchange(lambda: ["a"], retry=PATIENT))
    assert told.value.where == "params.retry"


def test_what_a_handler_takes_makes_nobody_overdue(
    client: Callable[..., Asking], server: Server, clock: Clock
) -> None:
    """While one reply is handled the others lie ready: they have come in time."""
    asking = client(copies=2)
    handled = threading.Event()

    def run() -> None:
        for reply in asking.port.port.exchange(lambda: ["a"], retry={"timeout_s": 1.0, "attempts": 2}):
            asking.got.append(reply)
            if len(asking.got) == 1:
                assert handled.wait(DEADLINE_S)

    asking.thread = threading.Thread(target=run)
    asking.thread.start()
    first, second = server.attempts(2)
    server.answer(first, b"x")
    wait_until(lambda: len(asking.got) == 1, "the first reply is handled")
    server.answer(second, b"x")
    wait_until(lambda: any(one.poll(0) for one in asking.port.port.sockets), "the other one lies ready")
    clock.passes(1.2)
    handled.set()
    asking.end()
    assert asking.got == ["x", "x"]
    assert asking.count().retried == 0


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_where_there_are_too_many_sockets_it_waits_for_room(
    client: Callable[..., Asking], server: Server, number: int
) -> None:
    asking = client()
    port = asking.port.port
    another_socket, failures = port.another_socket, [1, 2]

    def refused_twice() -> Any:
        if failures:
            failures.pop()
            raise zmq.ZMQError(number)
        return another_socket()

    port.another_socket = refused_twice
    asking.start(["a"], UNHURRIED)
    first = server.attempts(1)
    if number == errno.ENOMEM:
        assert asking.end().error.errno == number
        return
    (second,) = server.attempts(1)
    assert [second] != first
    server.answer(second, b"x")
    assert asking.ended() == ["x"]
    assert failures == []
