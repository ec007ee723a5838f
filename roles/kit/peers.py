"""How many real peers a socket has, told from its monitor's events.

A monitor does not say whose handshake succeeded, and strangers (port scans, HTTP, junk, sockets of a kind that cannot
talk to ours) come and go in the same stream of events. What tells them apart: a failed handshake is followed at once by
its own DISCONNECTED; what is no ZMTP 3 at all is disconnected without a word, mostly before anybody else succeeds;
and there cannot be more peers than connections. Counting successes less disconnects instead goes negative
(measured: three strangers, one peer: -2).
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable

import zmq

WATCHED = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_FAILED = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
}
_EVENT = struct.Struct("=Hi")
_numbers = itertools.count(1)


class Peers:
    """Counts the peers whose handshake has succeeded and that are still there."""

    def __init__(self) -> None:
        self.count = 0
        self._open: set[int] = set()
        self._just_failed = False

    def take(self, event: int, value: int) -> None:
        """Take in one event; `value` is the file descriptor for ACCEPTED, CONNECTED and DISCONNECTED."""
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.count += 1
        elif event in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
            self._open.add(value)
        elif event == zmq.EVENT_DISCONNECTED:
            self._open.discard(value)
            if not self._just_failed:
                self.count = min(self.count, len(self._open))
        self._just_failed = event in _FAILED


class Watcher:
    """A socket's monitor and the count that it gives. Made before the first bind or connect, or it misses peers.

    `on_failure` is called with the event, the value and the address of each handshake that fails.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], on_failure: Callable[[int, int, str], None] | None = None
    ) -> None:
        self._socket = socket
        self._on_failure = on_failure
        self.monitor: zmq.Socket[bytes] = socket.get_monitor_socket(WATCHED)
        self._peers = Peers()

    def count(self) -> int:
        """Take in the news and tell how many peers there are."""
        while True:
            try:
                head, address = self.monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return self._peers.count
            event, value = _EVENT.unpack(head)
            self._peers.take(event, value)
            if self._on_failure is not None and event in _FAILED:
                self._on_failure(event, value, address.decode(errors="replace"))

    def close(self) -> None:
        """Stop watching, so that nobody's events pile up unread."""
        self._socket.disable_monitor()
        self.monitor.close(linger=0)


class Partings:
    """How many of a socket's peers have left since this began to watch; who came later does not count.

    The count is right as soon as libzmq's thread has told of it. That the socket itself knows, and gives nobody who has
    left a message any more, is certain after one round trip over any socket of the same context: its only thread turns
    to that afterwards.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        # The address of a monitor that was closed just now may still be taken.
        self._monitor: zmq.Socket[bytes] = socket.get_monitor_socket(
            zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED,
            addr=f"inproc://partings-{next(_numbers)}",
        )
        self._fresh: set[int] = set()
        self._gone = 0

    def count(self) -> int:
        """Take in the news and tell how many have left."""
        while True:
            try:
                event, fd = _EVENT.unpack(self._monitor.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                return self._gone
            if event != zmq.EVENT_DISCONNECTED:
                self._fresh.add(fd)
            elif fd in self._fresh:
                self._fresh.discard(fd)
            else:
                self._gone += 1

    def close(self) -> None:
        """Watch no more."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
