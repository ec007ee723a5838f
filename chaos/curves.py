"""Keys, and everybody who should not be let in: what they come with, and how to see that they were shown out."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq
from zmq.utils import z85

from orchestrator.run.keys import make_missing
from roles.kit import curve
from roles.kit.guard import Guard, Refusals
from roles.kit.keys import KeyPair, read_pair, read_public

DEADLINE_MS = 20_000
LOOPBACK = "tcp://127.0.0.1:*"
PARTNERS = {"PULL": "PUSH", "PUSH": "PULL", "REP": "REQ", "PUB": "SUB", "ROUTER": "DEALER"}
"""Who comes to a socket that binds."""

FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)

_GREETING_BYTES, _WELCOME_BYTES, _LONG_HEAD_BYTES = 64, 170, 10
"""ZMTP 3's greeting; CURVE's WELCOME as a command; what stands before the name of a command over 255 bytes."""

Context = zmq.Context[zmq.Socket[bytes]]
Prepare = Callable[[zmq.Socket[bytes]], object]
"""Gives a socket what it comes with."""


def make_keys(folder: Path, *nodes: str) -> Path:
    """Keys of these nodes, in a folder of their own."""
    make_missing(folder, nodes)
    return folder


def as_node(keys: Path, node: str, server: str) -> Prepare:
    """Comes as a node, to another one."""
    return lambda one: curve.go_in(one, read_pair(keys, node), read_public(keys, server))


def no_key(keys: Path, server: str) -> Prepare:
    """Knows whom it comes to, and has no key itself."""
    nothing = z85.encode(bytes(32))
    return lambda one: curve.go_in(one, KeyPair(nothing, nothing), read_public(keys, server))


def a_key_of_its_own(keys: Path, server: str) -> Prepare:
    """Has made itself a key."""
    return lambda one: curve.go_in(one, KeyPair(*zmq.curve_keypair()), read_public(keys, server))


def wrong_server_key(keys: Path, node: str) -> Prepare:
    """Is who it should be, and takes the other side for somebody else."""
    return lambda one: curve.go_in(one, read_pair(keys, node), zmq.curve_keypair()[0])


def plain(one: zmq.Socket[bytes]) -> None:
    """Comes without CURVE."""


INTRUDERS: dict[str, Callable[[Path, str, str, str], Prepare]] = {
    "no key": lambda keys, server, node, other: no_key(keys, server),  # noqa: ARG005
    "wrong key": lambda keys, server, node, other: a_key_of_its_own(keys, server),  # noqa: ARG005
    "another node's key": lambda keys, server, node, other: as_node(keys, other, server),  # noqa: ARG005
    "plaintext": lambda keys, server, node, other: plain,  # noqa: ARG005
    "wrong server key": lambda keys, server, node, other: wrong_server_key(keys, node),  # noqa: ARG005
}
"""By name, made of the folder of the keys, who binds, who may come in, and who has a key and may not."""

TOLD = {
    "no key": "its handshake does not fit the key of this server",
    "wrong key": "its key is nobody's in this topology",
    "another node's key": "its key is that of 'other', which the file does not connect to it",
    "plaintext": "without CURVE",  # which side has seen it first is chance
    "wrong server key": "its handshake does not fit the key of this server",
    "replayed handshake": "its handshake does not fit the key of this server",
}
"""What is said of each of them."""


@contextlib.contextmanager
def visiting(
    address: str, kind: str, prepare: Prepare
) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """A socket that comes to an address, and its monitor."""
    context: Context = zmq.Context()
    try:
        one = context.socket(getattr(zmq, kind))
        prepare(one)
        monitor = one.get_monitor_socket(FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        if kind == "SUB":
            one.subscribe(b"")
        one.connect(address)
        if kind in ("PUSH", "REQ", "DEALER"):
            with contextlib.suppress(zmq.Again):  # who has been shown out by now has nobody to send to
                one.send(b"let me in", zmq.NOBLOCK)
        yield one, monitor
        one.disable_monitor()
        monitor.close()
    finally:
        context.destroy(linger=0)


def is_shown_out(address: str, kind: str, prepare: Prepare) -> None:
    """Somebody comes, has something to say, and is refused."""
    with visiting(address, kind, prepare) as (one, monitor):
        assert monitor.poll(DEADLINE_MS), "nothing became of the handshake"
        event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
        assert event & FAILED, f"let in: {event}"
        if kind != "PUSH":
            assert not one.poll(0)


def recorded_handshake(keys: Path, node: str, server: str) -> bytes:
    """All that a node says until it is let in, to a socket of ours that has the server's own key."""
    context: Context = zmq.Context()
    guard = Guard(
        context,
        {"door": {z85.decode(read_public(keys, node)): node}},
        plain="",
        refusals=Refusals(print, lambda key: "nobody"),  # noqa: ARG005
        on_death=print,
    )
    door = context.socket(zmq.PULL)
    curve.let_in(door, read_pair(keys, server).secret, "door")
    door.bind(LOOPBACK)
    said: list[bytes] = []
    try:
        with relay(port_of(door), said) as port:
            address = f"tcp://127.0.0.1:{port}"
            with visiting(address, "PUSH", as_node(keys, node, server)):
                assert door.poll(DEADLINE_MS)
                assert door.recv() == b"let me in"
    finally:
        guard.close()
        context.destroy(linger=0)
    return b"".join(said)


@contextlib.contextmanager
def relay(port: int, said: list[bytes]) -> Iterator[int]:
    """The port of somebody in the middle, who passes on all and keeps what the first caller says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            caller, _ = listener.accept()
            with caller, socket.create_connection(("127.0.0.1", port)) as called:
                back = threading.Thread(target=_pass_on, args=(called, caller, []))
                back.start()
                _pass_on(caller, called, said)
                back.join()

        serving = threading.Thread(target=serve)
        serving.start()
        yield listener.getsockname()[1]
        serving.join(DEADLINE_MS / 1000)
        assert not serving.is_alive()


def _pass_on(source: socket.socket, target: socket.socket, keep: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            keep.append(data)
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def replay(port: int, said: bytes) -> None:
    """Say it all once more, each part when the other side has answered the last one, and be shown out."""
    initiate = said.index(b"INITIATE") - _LONG_HEAD_BYTES
    parts = [said[:_GREETING_BYTES], said[_GREETING_BYTES:initiate], said[initiate:]]
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_MS / 1000) as visitor:
        for part, answer_bytes in zip(parts, (_GREETING_BYTES, _WELCOME_BYTES, 0), strict=True):
            visitor.sendall(part)
            answer = b""
            while len(answer) < answer_bytes:
                more = visitor.recv(answer_bytes - len(answer))
                assert more, "shown out too early to tell anything"
                answer += more
        with contextlib.suppress(ConnectionError):
            assert visitor.recv(65536) == b"", "let in"


def port_of(one: zmq.Socket[bytes]) -> int:
    """The tcp port to which a socket is bound."""
    return int(one.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
