"""A peer that speaks ZMTP 3.0 by hand, and need not keep to it (rfc.zeromq.org/spec/23)."""

from __future__ import annotations

import contextlib
import random
import socket
import struct

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
GREETING_1_0 = b"\x01\x00"
"""How ZMTP 1.0 begins: a frame that holds an identity, here none."""

Peer = socket.socket
MORE, LONG, COMMAND = 1, 2, 4
_GREETING_BYTES = 64


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame as it is on the wire."""
    if len(body) > 255:
        return struct.pack(">BQ", flags | LONG, len(body)) + body
    return struct.pack(">BB", flags, len(body)) + body


def ready(kind: str) -> bytes:
    """The handshake's second half: what kind of socket this is."""
    properties = b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind.encode()
    properties += b"\x08Identity" + struct.pack(">I", 0)
    return frame(b"\x05READY" + properties, COMMAND)


def open_peer(address: str, kind: str) -> socket.socket:
    """A connection whose handshake is done, as a socket of that kind would do it."""
    with contextlib.ExitStack() as unless_done:
        peer = unless_done.enter_context(plain(address))
        peer.sendall(GREETING + ready(kind))
        left = _GREETING_BYTES
        while left:
            got = peer.recv(left)
            if not got:
                raise ConnectionResetError("no greeting")
            left -= len(got)
        peer.recv(4096)  # its own READY
        unless_done.pop_all()
    return peer


def plain(address: str) -> socket.socket:
    """A TCP connection to a ZeroMQ address, of somebody who has not said anything yet."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def speak(peer: socket.socket, words: bytes) -> bool:
    """Say something; False where the other side has hung up."""
    with contextlib.suppress(OSError):
        peer.sendall(words)
        return True
    return False


def hangs_up(peer: Peer) -> bool:
    """Whether the other side closes the connection, within the socket's time-out."""
    try:
        while peer.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def nonsense(chance: random.Random) -> bytes:
    """What may come from whoever speaks something else, breaks off in the middle, or means harm."""
    return chance.choice(
        (
            b"",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            chance.randbytes(chance.randint(1, 300)),
            GREETING[: chance.randint(1, 63)],
            GREETING_1_0 + frame(b"hello"),
            GREETING.replace(b"\x03\x00NULL", b"\x02\x00NULL"),
            GREETING.replace(b"NULL", chance.choice((b"CURVE", b"PLAIN", b"GSSAPI", b"\xff\xff\xff\xff"))),
            GREETING + frame(chance.randbytes(40), COMMAND),
            GREETING + b"\x06" + struct.pack(">Q", 2**63 - 1),
            GREETING + frame(b"\x05READY" + b"\xff" * chance.randint(0, 200), COMMAND),
            GREETING + ready("PAIR"),
            GREETING + ready("X" * 200),
        )
    )


def bad_traffic(chance: random.Random, *, enveloped: bool = False) -> bytes:
    """What may come after a handshake that was in order; some of these break the connection off.

    With `enveloped` messages have the empty frame that a REQ puts before them.
    """
    body = chance.randbytes(chance.choice((0, 1, 5, 60, 300)))
    envelope = frame(b"", MORE) if enveloped else b""
    messages = (
        frame(body),
        frame(body, MORE) + frame(b""),
        frame(b"\x01" + body),
        frame(b"\x00" + body),
    )
    ignored = (
        frame(b"\x04PING\x00\x00" + body[:16], COMMAND),
        frame(b"\x04PONG" + body, COMMAND),
        frame(b"\x05ERROR\x03bad", COMMAND),
        frame(b"\x05OTHER" + body, COMMAND),
    )
    too_large = b"\x02" + struct.pack(">Q", chance.choice((2**63 - 1, 2**64 - 1, 2**40)))
    # To libzmq these are messages at any socket, and they have no envelope.
    as_messages = (
        frame(b"\x09SUBSCRIBE" + body, COMMAND),
        frame(b"\x06CANCEL" + body, COMMAND),
        frame(body, chance.choice((0x08, 0x80, 0xF8))),
    )
    if chance.random() < 0.5:
        return envelope + chance.choice(messages)
    return chance.choice((*ignored, too_large) if enveloped else (*ignored, too_large, *as_messages))
