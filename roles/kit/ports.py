"""Ports: ZeroMQ sockets as a role sees them, named as ZeroMQ names them.

A role declares a port in its class (`tasks = Pull()`); the runtime puts an open one in its place. Iterating
an inlet ends at the end of the stream; `send` blocks at the high-water mark; `port.socket` is the raw socket
for who needs it.

Every port writes two counts into its slot: `sent` before the send, `received` when the item has been
*handled*, that is when the next one is asked for. A process that dies thus leaves exact books: what it held
counts as not received. The loops of `outlets` and `inlets` keep bound methods and counters in locals, and do what
need not be done for each message once in a few: they look whether the bell in the slot has rung, and write numbers
of bytes, when a count is `due`, which is soon where messages take long, and at once where something is said. What is
spent there is spent on every message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import msgspec
import zmq

from roles.kit.codec import Codec
from roles.kit.control import Control, Finish
from roles.kit.slot import BYTES_RECEIVED, BYTES_SENT, FOREIGN, PEERS, RECEIVED, SENT, State, port_base
from roles.kit.spec import PortSpec

NOBLOCK = int(zmq.NOBLOCK)
BRIEF_MS = 10
"""So long a socket blocks by itself at first. A shorter time-out costs more, since the kernel has to set its next timer
anew for each wait. Measured with 16 clients in lockstep, one of 2 ms took 13 % off their rate, and one of 5 ms 4 %."""

LOOK_EVERY = 16
"""A stream looks at the bell once in so many messages, at each of them where they come slowly."""

LARGE_BYTES = 65_536
"""A frame that has so many is not copied on its way into the socket. Below that a copy is cheaper than to keep track of
who holds it: measured, 10 kB cost twice as much without."""

MALFORMED = (ValueError, msgspec.DecodeError, RecursionError)
"""What decoding a frame raises that is none of ours; the last one for values within values, without end."""


def quick_send(socket: zmq.Socket[bytes]) -> Callable[..., object]:
    """What is below pyzmq's own `send`, which adds keywords in Python: its arguments are frame, flags and copy."""
    return super(zmq.Socket, socket).send


class Ended(Exception):  # noqa: N818 - a state of the stream, not an error
    """No more will come at this port; `recv` raises it where iterating would simply end."""


class Port:
    """One port of a role: a declaration in the class, an open socket (or several alike) in the running role.

    Its name in the topology is that of the class attribute, unless `name` says another. Whoever uses the raw `socket`
    must know that its own time-outs are `BRIEF_MS`, and that what goes past the port is not counted.
    """

    kind: ClassVar[str] = ""
    socket_type: ClassVar[int] = 0

    def __init__(self, *, optional: bool = False, name: str = "") -> None:
        self.optional = optional
        self.name = name
        self.attribute = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name
        self.name = self.name or name

    @property
    def connected(self) -> bool:
        """Whether the topology gives this port an endpoint; only an optional port may be without."""
        return hasattr(self, "socket")

    def opened(
        self, spec: PortSpec, index: int, sockets: list[zmq.Socket[bytes]], codec: Codec, control: Control
    ) -> Self:
        """A port like this declaration over these sockets, which are the port's own from now on."""
        port = type(self)(optional=self.optional, name=spec.name)
        port.spec = spec
        port.index = index
        port.sockets = sockets
        port.socket = sockets[0]
        port.codec = codec
        port.control = control
        port.words = control.words
        base = port_base(index)
        port._sent_at = base + SENT
        port._received_at = base + RECEIVED
        port._bytes_sent_at = base + BYTES_SENT
        port._bytes_received_at = base + BYTES_RECEIVED
        port._foreign_at = base + FOREIGN
        # Smaller ones are not looked at twice; whatever is larger than is allowed must be.
        port._large_bytes = min(LARGE_BYTES, spec.max_message_bytes + 1)
        port._recv = port.socket.recv
        port._send = quick_send(port.socket)
        port._awaits = False
        port._in_hand = -1
        port._iterating = port._counted_aside = False
        port._send_due = port._receive_due = 0
        port._item = None
        port._tallies = {}
        control.ports.append(port)
        port._prepare()
        return port

    def _prepare(self) -> None:
        """What a kind of port adds when it is opened."""

    acks: zmq.Socket[bytes] | None = None
    """A socket beside the role's, by which what has come is acknowledged."""

    spec: PortSpec
    index: int
    sockets: list[zmq.Socket[bytes]]
    socket: zmq.Socket[bytes]
    codec: Codec
    control: Control
    words: memoryview
    _sent_at: int
    _received_at: int
    _bytes_sent_at: int
    _bytes_received_at: int
    _foreign_at: int
    _recv: Callable[[int], bytes]
    _send: Callable[..., object]
    _awaits: bool
    _in_hand: int
    _iterating: bool
    _counted_aside: bool
    _send_due: int
    _receive_due: int
    _item: Any
    _large_bytes: int
    _tallies: dict[str, Callable[[], None]]

    @property
    def all_sockets(self) -> list[zmq.Socket[bytes]]:
        """The role's sockets, and the one that acknowledges."""
        return self.sockets if self.acks is None else [*self.sockets, self.acks]

    def note_peers(self, count: int) -> None:
        """Write into the slot how many connections of this port are in place."""
        self.words[port_base(self.index) + PEERS] = max(0, count)

    def settle(self) -> None:
        """Count the item in hand as handled: the next one is asked for, or the role has finished."""
        if self._in_hand >= 0:
            self.words[self._received_at] += 1
            self.words[self._bytes_received_at] += self._in_hand
            self._in_hand = -1

    def tally(self) -> None:
        """Write what a stream's loop has kept to itself: numbers of bytes are written now and then only."""
        for tally in self._tallies.values():
            tally()

    def stir(self) -> None:
        """Something is said: the next message of each stream is one that looks."""
        self._send_due = self._receive_due = 0

    def _no_more(self, stream: str, tally: Callable[[], None]) -> None:
        """A stream's loop is over; another one may have begun meanwhile."""
        tally()
        if self._tallies.get(stream) is tally:
            del self._tallies[stream]

    def item_in_hand(self) -> Any:
        """The item that has been given and not been handled, for the report of a role that raised."""
        return self._item if self._in_hand >= 0 else None

    def _leave(self, item: Any, size_bytes: int) -> None:
        """The iteration is left with an item in hand, by `break` or by an exception."""
        self._item = item
        self._in_hand = size_bytes

    def _note_foreign(self) -> None:
        self.words[self._foreign_at] += 1

    def _await(self, state: State, event: int) -> None:
        """Wait for `event` on the socket; raises Finish or Ended where nothing is left to wait for."""
        control = self.control
        if control.finishing:
            raise Finish
        if self.name in control.ended and state is State.RECEIVING:
            raise Ended
        control.wait([(self.socket, event), (control.socket, zmq.POLLIN)], state, self.index)


class Raw(Port):
    """A port of a proxy: its socket's kind comes from the proxy's own, and it counts nothing."""
