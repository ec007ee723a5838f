"""Ports that are held while a peer leaves, and processes that say all again to another coordinator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from harness import wait_until
from role_process import Process, await_all

from roles.kit import messages
from roles.kit.control import Finish
from roles.kit.pipeline import Pull, Push
from roles.kit.ports import LOOK_EVERY
from roles.kit.reqrep import Rep, Req
from roles.kit.slot import State

DEADLINE_S = 60


def held(desk: Any) -> messages.Held:
    """What a process says to a Hold."""
    assert desk.socket.poll(DEADLINE_S * 1000), "it says nothing"
    message = messages.decode_up(desk.socket.recv())
    assert isinstance(message, messages.Held)
    return message


def holds(desk: Any, opened: Any) -> None:
    """Let the process's control know of the ports, as the runtime does."""
    desk.control.on_hold = lambda name: opened.hold() if name == opened.spec.name else 0
    desk.control.on_release = lambda name: opened.release() if name == opened.spec.name else None


def in_a_thread(do: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def join(thread: threading.Thread) -> None:
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def go_round(context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
    """Once through libzmq's thread: what it was about to tell the sockets of this context it has told by then."""
    with context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as push:
        pull.bind(address)
        push.connect(address)
        push.send(b"")
        assert pull.poll(DEADLINE_S * 1000)


def test_a_held_port_sends_nothing_and_what_it_has_said_is_true(
    desk: Callable[[], Any], address: str
) -> None:
    sender, receiver = desk(), desk()
    push = sender.open(Push(), address, mode="bind")
    pull = receiver.open(Pull(), address)
    await_all(push, pull)
    holds(sender, push)
    push.port.send(1)
    sender.tell(messages.Hold(port="port0", number=7))
    thread = in_a_thread(lambda: [push.port.send(number) for number in range(2, 101)])
    assert held(sender) == messages.Held(port="port0", number=7, gone=0)
    sent = sender.count(push).sent
    assert sent <= 1 + LOOK_EVERY
    wait_until(lambda: sender.state is State.SENDING, "it waits")
    assert sender.count(push).sent == sent
    assert [pull.port.recv() for _ in range(sent)] == list(range(1, sent + 1))
    assert not pull.port.socket.poll(50)
    sender.tell(messages.Release(port="port0"))
    join(thread)
    assert [pull.port.recv() for _ in range(100 - sent)] == list(range(sent + 1, 101))
    assert sender.count(push).sent == 100


def test_who_leaves_meanwhile_is_counted_and_gets_nothing_more(desk: Callable[[], Any], address: str) -> None:
    """Strangers that come and go are not: they have come later."""
    sender, first, second = desk(), desk(), desk()
    push = sender.open(Push(), address, mode="bind")
    stays, leaves = first.open(Pull(), address), second.open(Pull(), address)
    await_all(push, stays, leaves)
    holds(sender, push)
    sender.tell(messages.Hold(port="port0", number=1))
    sender.control.hear()
    assert held(sender).gone == 0
    with sender.context.socket(zmq.PULL) as stranger:
        stranger.connect(address)
        stranger.poll(50)
    leaves.port.socket.close(linger=0)

    def told() -> int:
        sender.tell(messages.Hold(port="port0", number=1))
        sender.control.hear()
        return held(sender).gone

    assert wait_until(told, "it sees somebody leave") == 1
    go_round(sender.context, f"{address}-round")
    sender.tell(messages.Release(port="port0"))
    sender.control.hear()
    for number in range(10):
        push.port.send(number)
    assert [stays.port.recv() for _ in range(10)] == list(range(10))


def test_a_port_is_held_again_and_again(desk: Callable[[], Any], address: str) -> None:
    sender, receiver = desk(), desk()
    push = sender.open(Push(), address, mode="bind")
    pull = receiver.open(Pull(), address)
    await_all(push, pull)
    holds(sender, push)
    for number in range(200):
        sender.tell(messages.Hold(port="port0", number=number))
        sender.control.hear()
        assert held(sender) == messages.Held(port="port0", number=number, gone=0)
        sender.tell(messages.Release(port="port0"))
        push.port.send(number)
        assert pull.port.recv() == number


def test_who_is_held_can_be_told_to_finish(desk: Callable[[], Any], address: str) -> None:
    sender = desk()
    push = sender.open(Push(), address, mode="bind")
    holds(sender, push)
    sender.tell(messages.Hold(port="port0"))
    raised: list[type[BaseException]] = []

    def send() -> None:
        with pytest.raises(Finish) as finish:
            push.port.send(1)
        raised.append(finish.type)

    thread = in_a_thread(send)
    held(sender)
    sender.tell(messages.Finish())
    join(thread)
    assert raised == [Finish]
    assert sender.count(push).sent == 0


@pytest.mark.parametrize("copies", [1, 4])
@pytest.mark.parametrize("retry", [None, {"timeout_s": 60.0, "attempts": 2}])
def test_a_held_client_takes_its_answers_and_asks_nothing_more(
    desk: Callable[[], Any], address: str, copies: int, retry: Any
) -> None:
    client, server = desk(), desk()
    rep = server.open(Rep(), address, mode="bind", codec="json")
    req = client.open(Req(), address, codec="json", copies=copies)
    await_all(rep, req)
    holds(client, req)
    answers: list[int] = []
    asked, told = 300, threading.Event()

    def answer() -> None:
        for number, request in enumerate(rep.port):
            assert number < 100 or told.wait(DEADLINE_S)
            rep.port.send(request)

    def ask() -> None:
        answers.extend(req.port.exchange(lambda: iter(range(asked)), retry=retry))

    answering, asking = in_a_thread(answer), in_a_thread(ask)
    wait_until(lambda: client.count(req).received > 10, "some answers")
    client.tell(messages.Hold(port="port0"))
    told.set()
    held(client)
    sent = client.count(req).sent
    wait_until(lambda: client.count(req).received == sent, "the answers to all that was asked")
    assert not client.socket.poll(50)
    assert client.count(req).sent == sent < asked * copies
    client.tell(messages.Release(port="port0"))
    join(asking)
    assert sorted(answers) == sorted([*range(asked)] * copies)
    server.tell(messages.End(port="port0"))
    join(answering)


def test_all_is_said_again_to_another_coordinator(start: Callable[..., Process], address: str) -> None:
    sink = start("sink", {"results": "PULL"})
    sink.says(messages.Bound)
    sink.tell(messages.Connect(addresses={"here": [address]}, late=[address]), messages.Go())
    sink.reaches(lambda reading: reading.state is State.RECEIVING)
    sink._heard.clear()
    # The bell stands somewhere else than the process has counted to: messages were lost with the last coordinator.
    sink.slots.ring(0)
    sink.slots.ring(0)
    sink.tell(messages.Repeat(bell=sink.slots.bell(0) + 1))
    for kind in (messages.Hello, messages.Bound, messages.Ready):
        if kind is not messages.Ready:
            assert isinstance(sink.says(kind), kind)
    sink.tell(messages.Go())  # once more: it has begun long ago
    sink.tell(messages.End(port="results"))
    sink.says(messages.Finished)
    sink._heard.clear()
    sink.tell(messages.Repeat(bell=sink.slots.bell(0) + 1))
    sink.says(messages.Finished)
    assert sink.end() == 0
