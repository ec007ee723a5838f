"""Who is let in: the answers as values, and everybody who is not, at sockets of every kind that binds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from harness import wait_until

from chaos.curves import (
    DEADLINE_MS,
    INTRUDERS,
    LOOPBACK,
    PARTNERS,
    TOLD,
    as_node,
    is_shown_out,
    make_keys,
    plain,
    recorded_handshake,
    replay,
    visiting,
)
from chaos.doors import Bound
from roles.kit import curve
from roles.kit.curve import AdmissionError, Doors
from roles.kit.guard import MOST_TOLD, Question, Refusals, place_of, reply, whose
from roles.kit.pipeline import Pull
from roles.kit.presence import OpenPort
from roles.kit.sockets import open_port
from roles.kit.spec import Attachment, PortSpec

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
LISTS = {"tasks": {KEY: "worker"}, "results": {}}
KINDS = [kind for kind in PARTNERS if kind != "ROUTER"]


def question(*, domain: bytes = b"tasks", mechanism: bytes = b"CURVE", key: bytes = KEY) -> Question:
    credentials = [key] if mechanism == b"CURVE" else []
    return Question([b"1.0", b"7", domain, b"10.0.0.7", b"identity", mechanism, *credentials])


@pytest.mark.parametrize(
    ("asked", "node"),
    [
        (question(), "worker"),
        (question(key=KEY[::-1]), None),
        (question(domain=b"results"), None),
        (question(domain=b"unheard of"), None),
        (question(domain=b""), None),
        (question(key=KEY[:31]), None),
        (question(domain=b"plain", mechanism=b"NULL"), ""),
        (question(domain=b"tasks", mechanism=b"NULL"), None),
        (question(domain=b"plain"), None),
        (question(domain=b"plain", mechanism=b"PLAIN"), None),
    ],
)
def test_only_who_is_on_the_list_of_the_endpoint_is_let_in(asked: Question, node: str | None) -> None:
    assert whose(asked, LISTS, plain="plain") == node


def test_the_answer_names_the_node_and_refuses_all_others() -> None:
    assert reply(question(), "worker") == [b"1.0", b"7", b"200", b"OK", b"worker", b""]
    assert reply(question(), "")[2:5] == [b"200", b"OK", b""]
    assert reply(question(), None)[2] == b"400"


@pytest.mark.parametrize("frames", [[], [b"1.0"] * 5, [b"2.0", *[b""] * 6]])
def test_what_is_no_question_has_no_answer(frames: list[bytes]) -> None:
    with pytest.raises(ValueError, match="no question"):
        Question(frames)


def test_of_many_refusals_each_kind_is_told_once_and_not_without_end() -> None:
    told: list[str] = []
    refusals = Refusals(told.append, lambda key: f"key {key[0]}")
    for number in range(2 * MOST_TOLD):
        for _ in range(3):
            refusals.unlisted(question(key=bytes([number])))
    assert told[0] == "refused a peer of 10.0.0.7 at 'tasks': key 0"
    assert len(told) == MOST_TOLD + 1
    assert told[-1] == "more peers are refused, and no longer told of"


@pytest.mark.parametrize(
    ("event", "value", "why"),
    [
        (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, 0x11000002, ["it came without CURVE"]),
        (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, 0x10000013, ["its handshake breaks the protocol (0x10000013)"]),
        (
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
            errno.EPIPE,
            ["it left at once, as who comes without CURVE may do"],
        ),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, errno.EAGAIN, ["it said too little in too long"]),
        (zmq.EVENT_HANDSHAKE_FAILED_AUTH, 400, []),
    ],
)
def test_why_a_handshake_failed_is_told(event: int, value: int, why: list[str]) -> None:
    told: list[str] = []
    Refusals(told.append, lambda key: "").failed(event, value, "tasks")  # noqa: ARG005
    assert told == [f"refused a peer at 'tasks': {one}" for one in why]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("tcp://10.0.0.1:5", "tcp://10.0.0.1:5"),
        ("tcp://10.0.0.2:5", "tcp://0.0.0.0:5"),
        ("tcp://127.0.0.1:6", "tcp://localhost:6"),
        ("tcp://127.0.0.1:7", None),
        ("ipc:///a:5", None),
        ("ipc:///b", "ipc:///b"),
    ],
)
def test_a_monitor_names_an_address_in_its_own_way(address: str, place: str | None) -> None:
    known = ["tcp://0.0.0.0:5", "tcp://localhost:6", "ipc:///b"]
    assert place_of(address, [*known, "tcp://10.0.0.1:5"] if place == "tcp://10.0.0.1:5" else known) == place


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Door, visitor and authenticator are threads of this process, which may stand still in a handshake."""
    monkeypatch.setattr(curve, "HANDSHAKE_IVL_MS", 30_000)


@pytest.fixture
def bound(tmp_path: Path, kind: str) -> Iterator[Bound]:
    made = Bound(tmp_path, kind)
    yield made
    made.close()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("intruder", INTRUDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_intruder_is_shown_out_and_told_of(
    bound: Bound, intruder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare = INTRUDERS[intruder](bound.keys, "server", "node", "other")
    is_shown_out(bound.address, bound.partner, prepare)
    bound.serves_the_good()
    said = ""

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return TOLD[intruder] in said

    wait_until(told, f"{TOLD[intruder]} (said: {said})")
    assert "at 'tasks'" in said


@pytest.mark.usefixtures("unhurried")
def test_at_all_interfaces_it_is_no_different(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bound = Bound(tmp_path, "PULL", "tcp://*:*")
    is_shown_out(bound.address, "PUSH", plain)
    bound.serves_the_good()
    wait_until(lambda: "refused a peer at 'tasks'" in capsys.readouterr().err, "the line")
    bound.close()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("kind", KINDS)
def test_a_handshake_that_is_said_again_is_no_handshake(
    bound: Bound, capsys: pytest.CaptureFixture[str]
) -> None:
    said = recorded_handshake(bound.keys, "node", "server")
    assert b"HELLO" in said
    assert b"INITIATE" in said
    replay(bound.port, said)
    bound.serves_the_good()
    wait_until(lambda: TOLD["replayed handshake"] in capsys.readouterr().err, "the line")


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_authenticator_has_ended_nobody_is_let_in(
    bound: Bound, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even who is on the list; and the process ends, so that who is in does not stay."""
    bound.end_authenticator()
    is_shown_out(bound.address, bound.partner, as_node(bound.keys, "node", "server"))
    assert bound.kind in ("PUSH", "PUB") or not bound.socket.poll(0)
    assert "cannot go on: the authenticator of 'tasks' has ended" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["PULL"])
def test_the_end_of_the_context_is_no_death(bound: Bound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail(f"left with {code}"))
    guard: Any = bound.doors._guard
    bound.close()
    guard.thread.join(DEADLINE_MS / 1000)
    assert not guard.thread.is_alive()


def test_one_socket_has_doors_of_both_kinds(tmp_path: Path) -> None:
    """What one endpoint asks for, another one of the same socket does not."""
    keys = make_keys(tmp_path / "keys", "server", "node")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    attachments = [
        Attachment(endpoint="guarded", mode="bind", curve=("node",)),
        Attachment(endpoint="open", mode="bind"),
    ]
    doors = Doors(context, keys, "server", attachments, plain="topology")
    pull = context.socket(zmq.PULL)
    addresses = {}
    for one in attachments:
        if one.curve is None:
            doors.stay_plain(pull)
        else:
            doors.let_in(pull, one.endpoint)
        pull.bind(LOOPBACK)
        addresses[one.endpoint] = pull.getsockopt_string(zmq.LAST_ENDPOINT)
    try:
        is_shown_out(addresses["guarded"], "PUSH", plain)
        for endpoint, prepare in (("open", plain), ("guarded", as_node(keys, "node", "server"))):
            with visiting(addresses[endpoint], "PUSH", prepare):
                assert pull.poll(DEADLINE_MS), endpoint
                pull.recv()
    finally:
        doors.close()
        context.destroy(linger=0)


def connecting(folder: Path) -> tuple[zmq.Context[zmq.Socket[bytes]], Doors]:
    keys = make_keys(folder, "server", "node")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    attachment = Attachment(endpoint="tasks", mode="connect", curve=("server",))
    doors = Doors(context, keys, "node", [attachment], plain="topology")
    port = PortSpec(name="tasks", kind="PULL", attachments=(attachment,))
    doors.expect(port, {"tasks": ["tcp://127.0.0.1:5"]}, {"tcp://127.0.0.1:5": "server"})
    return context, doors


@pytest.mark.parametrize(
    ("event", "value", "times", "why"),
    [
        (zmq.EVENT_HANDSHAKE_FAILED_AUTH, 400, 1, "'server' does not let in the key of 'node'"),
        (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, 0x11000002, 1, "who listens there speaks no CURVE"),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, 32, 5, "who listens there does not have the key of 'server'"),
    ],
)
def test_who_cannot_come_in_does_not_try_for_ever(
    tmp_path: Path, event: int, value: int, times: int, why: str
) -> None:
    context, doors = connecting(tmp_path / "keys")
    for _ in range(times - 1):
        doors.failed(event, value, "tcp://127.0.0.1:5")
    doors.failed(event, value, "tcp://127.0.0.1:6")  # of somebody else
    with pytest.raises(AdmissionError, match=why) as caught:
        doors.failed(event, value, "tcp://127.0.0.1:5")
    assert str(caught.value).startswith("cannot connect to 'tasks' at tcp://127.0.0.1:5: ")
    assert doors._guard is None, "who only connects needs no thread"
    context.term()


def test_who_is_slow_to_answer_is_waited_for(tmp_path: Path) -> None:
    context, doors = connecting(tmp_path / "keys")
    for _ in range(20):
        doors.failed(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, errno.EAGAIN, "tcp://127.0.0.1:5")
    context.term()


def test_where_many_are_awaited_each_may_take_longer(tmp_path: Path) -> None:
    context, doors = connecting(tmp_path / "keys")
    with context.socket(zmq.PULL) as socket:
        for mode, peers, expected_ms in (("connect", 0, 30_000), ("bind", 0, 2000), ("bind", 1000, 12_000)):
            attachment = Attachment(endpoint="tasks", mode=mode, peers=peers, curve=("server",))
            doors.prepare(socket, PortSpec(name="tasks", kind="PULL", attachments=(attachment,)))
            assert socket.get(zmq.HANDSHAKE_IVL) == expected_ms
    context.term()


def test_nobody_connects_to_somebody_unknown(tmp_path: Path) -> None:
    context, doors = connecting(tmp_path / "keys")
    attachment = Attachment(endpoint="tasks", mode="connect", curve=("server",))
    port = PortSpec(name="tasks", kind="PULL", attachments=(attachment,))
    for nodes in (
        {},
        {"tcp://127.0.0.1:5": ""},
        {"tcp://127.0.0.1:5": "node"},
        {"tcp://127.0.0.1:6": "server"},
    ):
        with pytest.raises(AdmissionError, match="nobody knows who is there"):
            doors.expect(port, {"tasks": ["tcp://127.0.0.1:5"]}, nodes)
    context.term()


@pytest.mark.usefixtures("unhurried")
def test_who_is_refused_is_told_after_a_port_was_held_too(
    desk: Callable[[], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a port is held its monitor is somebody else's."""
    keys = make_keys(tmp_path / "keys", "server", "node")
    here = desk()
    attachment = Attachment(endpoint="tasks", mode="bind", address=LOOPBACK, curve=("node",))
    doors = Doors(here.context, keys, "server", [attachment], plain="topology")
    spec = PortSpec(name="tasks", kind="PULL", attachments=(attachment,))
    port = open_port(Pull(), spec, 0, here.context, here.control, doors=doors)
    opened = OpenPort(port=port, process="server-1", doors=doors)
    (address,) = opened.bind("").values()
    is_shown_out(address, "PUSH", as_node(keys, "node", "node"))
    wait_until(
        lambda: opened.count_peers() or TOLD["wrong server key"] in capsys.readouterr().err, "the first"
    )
    opened.go()
    opened.hold()
    opened.release()
    is_shown_out(address, "PUSH", plain)
    wait_until(lambda: TOLD["plaintext"] in capsys.readouterr().err, "the second")
    doors.close()
    here.context.destroy(linger=0)
