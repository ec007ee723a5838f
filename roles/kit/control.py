"""A process's own end of the control channel, and the waiting that all its ports share.

One thread does everything in a role, so whoever waits for data waits for control messages too. In between, a
busy loop learns of them from the bell in its slot: `words[BELL]` counts the messages sent to the process,
`heard` those that it has read, and while the two differ it looks.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import zmq

from roles.kit import messages
from roles.kit.slot import (
    BELL,
    CPU_US,
    FINISHED_NS,
    GO_NS,
    MAX_RSS,
    STATE,
    UNLOGGED,
    WAIT_SINCE_NS,
    WAITED_NS,
    State,
    Words,
)
from roles.kit.streams import Spillway

if TYPE_CHECKING:
    from roles.kit.delivery import Delivery

Pollee = tuple[Any, int]
"""A socket and the events awaited on it."""

_NEVER = -1
_USAGE_EVERY_NS = 250_000_000
_BREATH_S = 0.001
"""A role that is to finish, and still owes something, pauses for no longer, so that it hears and sends meanwhile."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _nothing_to_do() -> None:
    pass


def _nobody_left(port: str) -> int:  # noqa: ARG001 - the signature is that of `on_hold`
    return 0


def _nothing_to_release(port: str) -> None:
    pass


def _nobody_to_miss(gone: messages.Gone) -> None:
    pass


class Finish(BaseException):
    """Nobody needs more from this role. Not an Exception, so that no `except Exception` in a role swallows it."""


class Counting(Protocol):
    """A port that keeps counts."""

    def tally(self) -> None:
        """Write the counts that it keeps to itself for a while."""

    def stir(self) -> None:
        """Something is said: look before anything more is counted."""


class Batching(Protocol):
    """An outlet at which items may wait to be sent together."""

    socket: zmq.Socket[bytes]

    def flush(self) -> bool:
        """Send what waits as far as that goes without waiting; whether nothing is left."""


class Attended(Protocol):
    """A port with news of its own, which are taken in while the role lets time pass, too."""

    socket: zmq.Socket[bytes]

    def attend(self) -> None:
        """Take in the news, without waiting."""


class Control:
    """The control channel as a role's ports see it: what has been said, and how to wait without missing more."""

    def __init__(self, socket: zmq.Socket[bytes], words: Words) -> None:
        self.socket = socket
        self.words = words
        self.heard = 0
        """Differs from the bell as long as there is something to look at.

        Once the role is to finish it never equals the bell again, so that each later `send` looks, and raises; nor does
        it as long as a port is `held`, so that each looks, and waits.
        """

        self.going = False
        self.stopping = False
        self.hurried = False
        self.finishing = self.finish_is_due = False
        self.returns = False
        self.ended: set[str] = set()
        self.addresses: dict[str, list[str]] | None = None
        self.late: frozenset[str] = frozenset()
        self.nodes: dict[str, str] = {}
        self.held: set[str] = set()
        self.outlets: list[Batching] = []
        """All that waits at these is sent before the role waits."""

        self.attended: list[Attended] = []
        self.ports: list[Counting] = []
        self.delivery: Delivery | None = None
        """What ports share where delivery is acknowledged.

        As long as it owes something, to be asked to finish is put off, and nothing pauses for long.
        """

        self.on_joined: Callable[[], None] = _nothing_to_do
        """Called when somebody has connected in the middle of the run."""

        self.on_hold: Callable[[str], int] = _nobody_left
        """Called with the name of a port; gives how many of its peers have left."""

        self.on_release: Callable[[str], None] = _nothing_to_release
        """Called with the name of a port."""

        self.on_gone: Callable[[messages.Gone], None] = _nobody_to_miss
        """Told of workers that take no more."""

        self._said: list[messages.Message] = []
        self._count = 0
        self._usage_ns = 0

    def say(self, message: messages.Message) -> None:
        """Send a message to the coordinator, and keep it for the next one, should this one die."""
        self._said.append(message)
        self.socket.send(messages.encode(message))

    def look(self) -> None:
        """Read what has been said; raises `Finish` once the role is to leave."""
        self.hear()
        if self.finishing:
            raise Finish

    def hear(self) -> None:
        """Read what has been said, and raise nothing."""
        while True:
            try:
                frame = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._count += 1
            self._take(messages.decode_down(frame))
        self.heard = _NEVER if self.finishing or self.held else self._count
        for port in self.ports:
            port.stir()

    def _take(self, message: messages.Down) -> None:
        match message:
            case messages.Connect(addresses=addresses, late=late, nodes=nodes):
                self.addresses = addresses
                self.late = frozenset(late)
                self.nodes = nodes
            case messages.Joined():
                self.on_joined()
            case messages.Go():
                self._go()
            case messages.Hold(port=port, number=number):
                self.held.add(port)
                for other in self.ports:
                    other.stir()
                told = messages.Held(port=port, number=number, gone=self.on_hold(port))
                self.socket.send(messages.encode(told))
            case messages.Release(port=port):
                self._release(port)
            case messages.Gone():
                self.on_gone(message)
            case messages.Repeat(bell=bell):
                self._repeat(bell)
            case messages.End(port=port):
                self.ended.add(port)
                self.finish_if_due()
            case messages.Finish(returns=returns):
                self.finish_is_due, self.returns = True, returns
                self.finish_if_due()
            case messages.Stop(hurried=hurried):
                self.finishing = self.stopping = True
                self.hurried = hurried

    def finish_if_due(self) -> None:
        """Once a port no longer owes anything: the role is to leave, if it was asked to.

        One that comes again need not wait: its next incarnation owes the same.
        """
        owes = self.delivery is not None and self.delivery.owes and not self.returns
        if self.finish_is_due and not owes:
            self.finishing = True
            self.heard = _NEVER

    def _go(self) -> None:
        if self.going:
            return  # another coordinator says so once more
        self.going = True
        self.words[GO_NS] = time.monotonic_ns()
        self.words[STATE] = State.RUNNING

    def _release(self, port: str) -> None:
        if port in self.held:
            self.held.discard(port)
            self.on_release(port)

    def _repeat(self, bell: int) -> None:
        """What the last coordinator has told may be lost, and what it has heard may be forgotten.

        What is held stays so: somebody may just be leaving.
        """
        self._count = bell
        for message in self._said:
            self.socket.send(messages.encode(message))

    def await_release(self, port: str, port_index: int) -> None:
        """Wait while a port is held; raises `Finish` once the role is to leave."""
        while port in self.held and not self.finishing:
            self.wait([(self.socket, zmq.POLLIN)], State.SENDING, port_index)
        if self.finishing:
            raise Finish

    def wait(self, pollees: Sequence[Pollee], state: State, port_index: int, timeout_ms: int = -1) -> None:
        """Wait until one of `pollees`, the control channel or an outlet has news, the slot telling for what meanwhile.

        `pollees` end with the control socket. Control messages are taken in, nothing is raised.
        """
        words = self.words
        for port in self.ports:
            port.tally()
        if self.outlets:
            pollees = [*self._not_flushed(), *pollees]
        since_ns = time.monotonic_ns()
        if since_ns - self._usage_ns > _USAGE_EVERY_NS:
            self.note_usage(since_ns)
        words[WAIT_SINCE_NS] = since_ns
        words[STATE] = state | port_index << 8
        ready = zmq.zmq_poll(pollees, timeout_ms)
        words[STATE] = State.RUNNING
        words[WAITED_NS] += time.monotonic_ns() - since_ns
        words[WAIT_SINCE_NS] = 0
        # Who rings the bell may be held up before it does so, and whoever came back for the message would spin.
        if words[BELL] != self.heard or any(socket is self.socket for socket, _ in ready):
            self.hear()

    def _not_flushed(self) -> list[Pollee]:
        """Outlets that could not send all that waits there, to be polled for room: whoever waits comes back then."""
        return [(outlet.socket, zmq.POLLOUT) for outlet in self.outlets if not outlet.flush()]

    def pause(self, seconds: float) -> None:
        """Let time pass; raises `Finish` as soon as the role is to leave. The role counts as busy meanwhile."""
        words = self.words
        until = time.monotonic() + seconds
        while True:
            self.look()
            for port in self.ports:
                port.tally()
            if self.finish_is_due:
                until = min(until, time.monotonic() + _BREATH_S)
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            state = words[STATE]
            if self.going:
                words[STATE] = State.SLEEPING
            news = [(port.socket, zmq.POLLIN) for port in self.attended]
            zmq.zmq_poll([*self._not_flushed(), *news, (self.socket, zmq.POLLIN)], int(left_s * 1000) + 1)
            words[STATE] = state
            for attended in self.attended:
                attended.attend()

    def note_usage(self, now_ns: int) -> None:
        """Write processor time, peak memory and what its log could not take into the slot."""
        self._usage_ns = now_ns
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.words[CPU_US] = int((usage.ru_utime + usage.ru_stime) * 1e6)
        self.words[MAX_RSS] = usage.ru_maxrss * _RSS_UNIT
        self.words[UNLOGGED] = Spillway.dropped_bytes

    def note_finished(self) -> None:
        """Write into the slot that the role has done its part."""
        for port in self.ports:
            port.tally()
        now_ns = time.monotonic_ns()
        self.note_usage(now_ns)
        self.words[FINISHED_NS] = now_ns
        self.words[STATE] = State.FINISHED
