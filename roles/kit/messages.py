"""The control channel's messages: what a process and the coordinator say to each other, and their encoding.

Upwards: Hello, Bound, Ready, Held, SetAside, Finished, Failed. Downwards: Connect, Joined, Go, Hold, Release, Gone,
End, Finish, Stop, Repeat. Each is one frame: a version byte, then msgpack with the message's name as its tag.
"""

from __future__ import annotations

from typing import Any

import msgspec

VERSION = 1


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="is", kw_only=True):
    """Base of all control messages."""


class Hello(Message, frozen=True, kw_only=True):
    """The process is alive and about to load its role."""

    pid: int


class Bound(Message, frozen=True, kw_only=True):
    """All that the process binds is bound: the resolved addresses by endpoint."""

    addresses: dict[str, str] = {}


class Ready(Message, frozen=True, kw_only=True):
    """Every connection of the process is in place, seen from its side."""


class Held(Message, frozen=True, kw_only=True):
    """At this port nothing more is sent until Release; so many of its peers have left since the first Hold.

    `number` is that of the Hold which this answers.
    """

    port: str
    number: int = 0
    gone: int = 0


class SetAside(Message, frozen=True, kw_only=True):
    """A task is given up: so many workers have died with it in hand. `item` is the task as text."""

    port: str
    position: int
    deaths: int
    item: str = ""


class Finished(Message, frozen=True, kw_only=True):
    """The role's `run` has returned; the process holds its sockets until Stop. `result` is what it reports.

    `latencies` is the histogram of a client's round trips: how many fell into each bucket (`roles.kit.histogram`).
    """

    result: dict[str, Any] | None = None
    latencies: dict[int, int] = {}


class Failed(Message, frozen=True, kw_only=True):
    """The role cannot go on. `kind` tells setup faults of the topology from faults of the machine and of the role.

    `kind` is one of `setup` (a function, file or class that is not there), `bind` (an address that cannot be
    bound), `exit` (the role called `sys.exit`) and `raised`. `where` is the key in the topology that is at
    fault, below the node: `params.call`, say.
    """

    kind: str
    text: str
    exit_code: int = 1
    where: str = ""
    endpoint: str = ""
    traceback: str = ""
    item: str = ""


class Connect(Message, frozen=True, kw_only=True):
    """Where to connect: the addresses of each endpoint that the process connects to.

    At the addresses in `late` nobody listens yet, and nobody is awaited there. Under CURVE, `nodes` tells by address
    whose key is to be asked for.
    """

    addresses: dict[str, list[str]] = {}
    late: list[str] = []
    nodes: dict[str, str] = {}


class Joined(Message, frozen=True, kw_only=True):
    """Somebody has connected in the middle of the run: a busy sender looks for new peers now and then only."""


class Go(Message, frozen=True, kw_only=True):
    """Every socket of the run is in place: start."""


class Hold(Message, frozen=True, kw_only=True):
    """Send nothing at this port until Release, and say that it is so: Held. Each further one asks for that again."""

    port: str
    number: int = 0


class Release(Message, frozen=True, kw_only=True):
    """This port may send again; who has left is gone from its socket."""

    port: str


class Gone(Message, frozen=True, kw_only=True):
    """That incarnation of a worker takes no more; if it died, `hand` is its slot's word for the task in its hands.

    One that has merely `finished` is still there, and what it has done is on its way.
    """

    process: str
    incarnation: int
    hand: int = 0
    finished: bool = False


class End(Message, frozen=True, kw_only=True):
    """No more will come at this port."""

    port: str


class Finish(Message, frozen=True, kw_only=True):
    """Nobody needs more from this process: its next send or wait raises `Finish`.

    One that `returns` is started again: what it has sent was not the end of its stream.
    """

    returns: bool = False


class Stop(Message, frozen=True, kw_only=True):
    """Leave now; an item in work may be completed within the grace period.

    `hurried` says that the run has failed or was cut short: what is still in the sockets need not be delivered.
    """

    hurried: bool = False


class Repeat(Message, frozen=True, kw_only=True):
    """Another coordinator has taken over: say all again. With this message the bell stands at `bell`."""

    bell: int = 0


Up = Hello | Bound | Ready | Held | SetAside | Finished | Failed
Down = Connect | Joined | Go | Hold | Release | Gone | End | Finish | Stop | Repeat

_encoder = msgspec.msgpack.Encoder()
_up = msgspec.msgpack.Decoder(Up)
_down = msgspec.msgpack.Decoder(Down)
_HEAD = bytes([VERSION])


def encode(message: Message) -> bytes:
    """One frame: the version byte and the message."""
    return _HEAD + _encoder.encode(message)


def decode_up(frame: bytes) -> Up:
    """The message that a process sent; raises ValueError naming what is wrong with the frame."""
    message: Up = _up.decode(_body(frame))
    return message


def decode_down(frame: bytes) -> Down:
    """The message that the coordinator sent; raises ValueError naming what is wrong with the frame."""
    message: Down = _down.decode(_body(frame))
    return message


def _body(frame: bytes) -> memoryview:
    if frame[:1] != _HEAD:
        theirs = frame[0] if frame else "none"
        raise ValueError(f"cannot read a control message: its version is {theirs}, this is version {VERSION}")
    return memoryview(frame)[1:]
