"""Connecting the sockets of a port: who is awaited, and who is let in later."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from harness import wait_until
from role_process import DEADLINE_MS, await_all, await_peers

from roles.kit import presence
from roles.kit.pipeline import Pull, Push
from roles.kit.ports import Raw
from roles.kit.pubsub import Pub, Sub
from roles.kit.spec import END_TOPIC, READY_TOPIC


def test_nobody_is_awaited_where_nobody_listens_yet(desk: Callable[[], Any], address: str) -> None:
    sender, receiver, late = desk(), desk(), desk()
    pull = receiver.open(Pull(), address, mode="bind")
    push = sender.open(Push(), address, f"{address}-late", late=[f"{address}-late"])
    await_all(push, pull)
    push.go()
    for number in range(2):
        push.port.send(number)
    assert pull.port.recv() == 0
    assert late.open(Pull(), f"{address}-late", mode="bind").port.recv() == 1


def test_who_came_later_is_taken_in_at_once(desk: Callable[[], Any], address: str) -> None:
    """A busy sender gives the newcomer its share from the next message on."""
    sender = desk().open(Push(), address, mode="bind")
    first = desk().open(Pull(), address)
    await_peers(sender, 1)
    for _ in range(100):
        sender.port.send("to the first")
    second = desk().open(Pull(), address)
    await_peers(sender, 2, meanwhile=lambda: sender.port.send("still to the first"))
    sender.take_in()
    for number in range(2):
        sender.port.send(number)
    assert second.port.socket.poll(DEADLINE_MS)
    assert second.port.recv() in (0, 1)
    assert first.port.recv() == "to the first"


class _NotToBeTouched:
    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"{name} of a socket that another thread uses")


def test_a_closed_socket_and_a_proxys_are_left_alone(desk: Callable[[], Any], address: str) -> None:
    pull = desk().open(Pull(), address, mode="bind")
    pull.port.socket.close()
    pull.take_in()
    raw = desk().open(Raw(), address, kind="PUSH")
    with contextlib.closing(raw.port.socket):
        raw.port.sockets = [_NotToBeTouched()]
        raw.go()
        raw.take_in()


def test_a_subscriber_without_a_barrier_asks_for_the_marks_all_the_same(
    desk: Callable[[], Any], address: str
) -> None:
    pub = desk().open(Pub(), address, mode="bind")
    sub = desk().open(Sub(), address)
    sub.port.subscribe(["a"])
    sub.go()
    asked = set()
    while len(asked) < 3:
        assert pub.port.socket.poll(DEADLINE_MS)
        asked |= set(pub.port.subscriptions())
    assert asked == {b"a", END_TOPIC, READY_TOPIC + b"process-1"}


def test_a_stranger_is_a_subscriber_once_it_has_asked_for_something(
    desk: Callable[[], Any], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handshake comes first, and what is sent before the rest would be missed."""
    monkeypatch.setattr(presence, "UNASKED_S", 3600)
    one = desk()
    pub = one.open(Pub(), address, mode="bind", peers=2)
    with one.context.socket(zmq.SUB) as first, one.context.socket(zmq.SUB) as second:
        first.subscribe(b"")
        for stranger in (first, second):
            stranger.connect(address)
        wait_until(lambda: pub.count_peers() == 2, "both are there", DEADLINE_MS / 1000)
        assert not pub.in_place()
        assert pub.patience_ms > 0
        second.subscribe(b"")
        wait_until(pub.in_place, "both have asked", DEADLINE_MS / 1000)


def test_who_asks_for_nothing_is_not_waited_for_for_ever(desk: Callable[[], Any], address: str) -> None:
    one = desk()
    pub = one.open(Pub(), address, mode="bind", peers=1)
    with one.context.socket(zmq.SUB) as stranger:
        stranger.connect(address)
        wait_until(pub.in_place, "it is waited for no more", DEADLINE_MS / 1000)
