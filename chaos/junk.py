"""Messages that nobody of ours sends, made by chance: for the ports of roles."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

LIMIT_BYTES = 65_536
"""The largest message that the roles of these gates take."""

_DEEP = 5_000


def junk(chance: random.Random) -> list[bytes]:
    """A message of one frame or of several: empty, malformed, endless, too large for a counter, or someone else's."""
    frames = [_frame(chance)]
    while chance.random() < 0.25 and len(frames) < 20:
        frames.append(_frame(chance))
    return frames


def _frame(chance: random.Random) -> bytes:
    return chance.choice(_FRAMES)(chance)


def number_like(chance: random.Random) -> bytes:
    """What looks like an update's number or a publisher's tally, of somebody else's or beyond all reason."""
    most = 2**64 - 1
    number = chance.choice((0, 1, 2**31, 2**63, most))
    publisher = chance.choice(("somebody-1", "", "x" * 200, f"publisher-{chance.getrandbits(40)}"))
    epoch = chance.getrandbits(63)
    if chance.random() < 0.3:
        return msgspec.msgpack.encode([publisher, epoch, chance.choice(({b"a": number}, {}, None, number))])
    return msgspec.msgpack.encode([publisher, epoch, chance.choice((0, 0, 1, most)), number])


_FRAMES: tuple[Callable[[random.Random], bytes], ...] = (
    lambda _: b"",
    lambda chance: chance.randbytes(chance.choice((1, 2, 7, 40, 300))),
    lambda chance: chance.choice((b"[", b'{"a":', b"\x91", b"\x81\xa1a")) * chance.choice((3, _DEEP)),
    lambda chance: chance.choice((b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80", b"\xf8\x88")) + chance.randbytes(5),
    lambda chance: (
        b"\0end/" + chance.choice((b"somebody-1", b"\xff\xff", b"", chance.randbytes(12).hex().encode()))
    ),
    lambda chance: b"\0ready/" + chance.randbytes(6),
    lambda chance: chance.choice((b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9")) + chance.randbytes(4),
    lambda chance: chance.choice(
        (b"1e999", b"-", b"nul", b'"\\ud800"', b"[1,]", b"{1:2}", b"9" * 400, b'"', b"NaN")
    ),
    number_like,
    lambda chance: chance.choice((b"\x01", b"\x00")) + chance.randbytes(chance.choice((0, 4, 30))),
    lambda chance: b"\x1b[31m\x07\r\n" + chance.randbytes(4) + b"\x9b2J",
    lambda chance: msgspec.msgpack.encode([chance.getrandbits(64), {"is": "Stop"}, None])[
        : chance.randint(0, 20)
    ],
)
