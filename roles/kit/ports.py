"""Ports: ZeroMQ sockets as a role sees them, named as ZeroMQ names them.

A role declares a port in its class (`tasks = Pull()`); the runtime puts an open one in its place. Iterating
an inlet ends at the end of the stream; `send` blocks at the high-water mark; `port.socket` is the raw socket
for who needs it.

Every port writes two counts into its slot: `sent` before the send, `received` when the item has been
*handled*, that is when the next one is asked for. A process that dies thus leaves exact books: what it held
counts as not received. The loops below keep bound methods and counters in locals, and do what need not be done for
each message once in a few: they look whether the bell in the slot has rung, and write numbers of bytes, when a count
is `due`, which is soon where messages take long, and at once where something is said. What is spent here is spent on
every message.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial
from time import monotonic_ns
from typing import Any, ClassVar, Self

import msgspec
import zmq

from roles.kit.codec import Codec
from roles.kit.control import Control, Finish
from roles.kit.frames import drain, refuse_larger
from roles.kit.pace import Pace
from roles.kit.slot import (
    BELL,
    BYTES_RECEIVED,
    BYTES_SENT,
    FOREIGN,
    PEERS,
    RECEIVED,
    SENT,
    WAITED_NS,
    State,
    port_base,
)
from roles.kit.spec import PortSpec

NOBLOCK = int(zmq.NOBLOCK)
BRIEF_MS = 10
"""So long a socket blocks by itself at first. A shorter time-out costs more, since the kernel has to set its next timer
anew for each wait. Measured with 16 clients in lockstep, one of 2 ms took 13 % off their rate, and one of 5 ms 4 %."""

LOOK_EVERY = 16
"""A stream looks at the bell once in so many messages, at each of them where they come slowly."""

SELDOM = 4096
"""The same for what need not be looked at more often."""

AT_HAND_NS = 5_000
"""What took no longer to receive was there already."""

LARGE_BYTES = 65_536
"""A frame that has so many is not copied on its way into the socket. Below that a copy is cheaper than to keep track of
who holds it: measured, 10 kB cost twice as much without."""

FIRST_UNMARKED = b"\1"
"""Marks begin with a zero byte, so that one comparison tells what cannot be one."""

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


class Outlet(Port):
    """A port that sends."""

    def send(self, item: Any) -> None:
        """Send one item; blocks at the high-water mark, raises `Finish` once nobody needs more."""
        self._send_frame(self.codec.encode(item), item)

    def _senders(  # noqa: PLR0915 - what is written twice would else be a call for each message
        self, encode: Callable[[Any], bytes]
    ) -> tuple[Callable[[Any], None], Callable[[Iterable[Any]], None]]:
        """A `send` for streams, and one for many items, with all that they need at hand.

        They keep the counts, and must be a port's only ones. The second is the first, written into a loop once more:
        to call it would cost a tenth of what it does.
        """
        words, control = self.words, self.control
        send, raw, sent_at, bytes_at = self._send, self.codec.raw, self._sent_at, self._bytes_sent_at
        spec, large_bytes = self.spec, self._large_bytes
        sent = sent_bytes = 0
        seldom_due = SELDOM
        pace = Pace(LOOK_EVERY)

        def send_item(item: Any) -> None:
            nonlocal sent, sent_bytes
            if sent >= self._send_due:
                look()
            frame: Any = item if type(item) is raw else encode(item)
            size_bytes = len(frame)
            is_small = size_bytes < large_bytes
            if not is_small:
                refuse_larger(spec, size_bytes, item)
            sent += 1
            words[sent_at] = sent
            sent_bytes += size_bytes
            try:
                send(frame, NOBLOCK, is_small)
            except zmq.ZMQError:
                send_late(frame, size_bytes)

        def send_items(items: Iterable[Any]) -> None:
            nonlocal sent, sent_bytes
            for item in items:
                if sent >= self._send_due:
                    look()
                frame: Any = item if type(item) is raw else encode(item)
                size_bytes = len(frame)
                is_small = size_bytes < large_bytes
                if not is_small:
                    refuse_larger(spec, size_bytes, item)
                sent += 1
                words[sent_at] = sent
                sent_bytes += size_bytes
                try:
                    send(frame, NOBLOCK, is_small)
                except zmq.ZMQError:
                    send_late(frame, size_bytes)

        def look() -> None:
            nonlocal seldom_due
            tally()
            if sent >= seldom_due:
                seldom_due = sent + SELDOM
                self._seldom()
            pace.passed()
            self._send_due = sent + pace.size
            if words[BELL] != control.heard:
                self._look_before_sending()

        def send_late(frame: bytes, size_bytes: int) -> None:
            nonlocal sent, sent_bytes
            tally()
            try:
                self._send_late(partial(send, frame, 0, size_bytes < LARGE_BYTES), size_bytes)
            except Finish:
                sent, sent_bytes = sent - 1, sent_bytes - size_bytes
                raise

        def tally() -> None:
            words[bytes_at] = sent_bytes

        self._tallies["sent"] = tally
        return send_item, send_items

    def _send_frame(self, frame: bytes, item: Any) -> None:
        if self.words[BELL] != self.control.heard:
            self._look_before_sending()
        size_bytes = len(frame)
        is_small = size_bytes < self._large_bytes
        if not is_small:
            refuse_larger(self.spec, size_bytes, item)
        self._count_sent(1, size_bytes)
        try:
            self._send(frame, NOBLOCK, is_small)
        except zmq.ZMQError:
            self._send_late(partial(self._send, frame, 0, is_small), size_bytes)

    def _send_frames(self, frames: list[bytes], item: Any) -> None:
        if self.words[BELL] != self.control.heard:
            self._look_before_sending()
        size_bytes = sum(map(len, frames))
        is_small = size_bytes < self._large_bytes
        if not is_small:
            refuse_larger(self.spec, size_bytes, item)
        self._count_sent(1, size_bytes)
        try:
            self.socket.send_multipart(frames, NOBLOCK, is_small)
        except zmq.ZMQError:
            self._send_late(lambda: self.socket.send_multipart(frames, copy=is_small), size_bytes)

    def _seldom(self) -> None:
        """Called once in some thousand messages of a stream."""

    def _look_before_sending(self) -> None:
        """Hear what has been said; raises Finish once the role is to leave, and waits as long as the port is held."""
        self.control.look()
        self.control.await_release(self.name, self.index)

    def _send_late(self, send: Callable[[], object], size_bytes: int) -> None:
        """Send what could not go at once; where the role is to finish first, it is taken back from the counts.

        A queue is full, or a socket in lockstep is not ready to send: that is raised again, if nothing can be done.
        """
        try:
            while True:
                since_ns = monotonic_ns()
                try:
                    send()
                except zmq.Again:
                    self.words[WAITED_NS] += monotonic_ns() - since_ns
                    self._await(State.SENDING, zmq.POLLOUT)
                else:
                    self.words[WAITED_NS] += monotonic_ns() - since_ns
                    return
        except Finish:
            self._count_sent(-1, -size_bytes)
            raise

    def _count_sent(self, messages: int, size_bytes: int) -> None:
        self.words[self._sent_at] += messages
        self.words[self._bytes_sent_at] += size_bytes


class Inlet(Port):
    """A port that receives: iterate over it, or `recv` one by one.

    It takes frames one by one. That another one of the same message follows costs as much to ask as to receive it, so
    whoever sends several frames where one is meant has sent so many items; after one that is none, the others go, too.
    """

    _marked: bool = False
    """Whether a frame that begins with a zero byte may be a mark, which is no item."""

    def __iter__(self) -> Generator[Any]:
        return self._iterate()

    def shut(self) -> None:
        """The role takes no more: senders are to pass it over."""
        for socket in self.sockets:
            socket.close(linger=0)

    def _is_mark(self, frame: bytes) -> bool:  # noqa: ARG002 - the signature is that of a SUB's
        """Whether a frame is a mark, which is taken in; raises Ended where it was the end of the stream."""
        return False

    def _check_ended(self) -> None:
        """Raise Ended for one who is to leave and may never find the stream empty."""

    def _note_foreign(self) -> None:
        super()._note_foreign()
        drain(self.socket)

    def recv(self) -> Any:
        """The next item; raises `Ended` at the end of the stream, `Finish` once the role is to leave."""
        self._count_the_iterations_item()
        while True:
            self.settle()
            self._check_stop()
            taken, item = self._take(self._recv_late())
            if taken:
                return item

    def _count_the_iterations_item(self) -> None:
        """A `recv` in the body of an iteration asks for the next item: the one that the iteration gave is handled."""
        self.tally()
        if self._iterating and not self._counted_aside:
            self.words[self._received_at] += 1
            self._counted_aside = True

    def _take(self, frame: bytes) -> tuple[bool, Any]:
        try:
            item = self.codec.decode(frame)
        except MALFORMED:
            self._note_foreign()
            return False, None
        self._leave(item, len(frame))
        return True, item

    def _recv_late(self) -> bytes:
        """The next frame, where none was there; raises Finish or Ended where none will come.

        The socket itself blocks first, for `BRIEF_MS` at the most: under load that is long enough, and cheaper than a
        poll of two sockets.
        """
        recv, words = self._recv, self.words
        while True:
            since_ns = monotonic_ns()
            try:
                frame = recv(0)
            except zmq.Again:
                words[WAITED_NS] += monotonic_ns() - since_ns
                self._await(State.RECEIVING, zmq.POLLIN)
                continue
            except Ended:
                words[WAITED_NS] += monotonic_ns() - since_ns
                raise
            waited_ns = monotonic_ns() - since_ns
            words[WAITED_NS] += waited_ns
            self._awaits = waited_ns > AT_HAND_NS
            return frame

    def _check_stop(self) -> None:
        if self.words[BELL] != self.control.heard:
            self.control.hear()
        if self.control.stopping:
            raise Finish

    def _iterate(self) -> Generator[Any]:  # noqa: PLR0912, PLR0915 - a call more would be one for each message
        self.settle()
        self._iterating, self._counted_aside = True, False
        recv, late, words, control = self._recv, self._recv_late, self.words, self.control
        marked = self._marked
        decode = self.codec.decode if self.codec.raw is None else None
        received_at, bytes_at = self._received_at, self._bytes_received_at
        received, received_bytes = words[received_at], words[bytes_at]
        pace = Pace(LOOK_EVERY)

        def tally() -> None:
            words[bytes_at] = received_bytes

        self._tallies["received"] = tally
        self._receive_due = received
        while True:
            try:
                if received >= self._receive_due:
                    tally()
                    pace.passed()
                    self._receive_due = received + pace.size
                    if words[BELL] != control.heard:
                        self._check_stop()
                    self._check_ended()
                try:
                    # Who has waited for the last one most likely has to for this one, and need not ask first.
                    frame = late() if self._awaits else recv(NOBLOCK)
                except zmq.Again:
                    frame = late()
                if marked and frame < FIRST_UNMARKED and self._is_mark(frame):
                    continue
            except Ended:
                self._iterating = False
                self._no_more("received", tally)
                return
            item: Any = frame
            if decode is not None:
                try:
                    item = decode(frame)
                except MALFORMED:
                    self._note_foreign()
                    continue
            try:
                yield item
            except GeneratorExit:
                self._iterating = False
                if self._counted_aside:
                    received_bytes = words[bytes_at]
                else:
                    self._leave(item, len(frame))
                self._no_more("received", tally)
                raise
            if self._counted_aside:
                self._counted_aside = False
                self.settle()
                received, received_bytes = words[received_at], words[bytes_at]
            else:
                received += 1
                words[received_at] = received
            received_bytes += len(frame)


class Raw(Port):
    """A port of a proxy: its socket's kind comes from the proxy's own, and it counts nothing."""
