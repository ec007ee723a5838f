"""Asking again: what a REQ does when no reply comes in time (the guide, chapter 4, "Lazy Pirate").

A REQ that has asked must have its reply before it can ask anything else, so each further attempt has a socket of its
own. The old one is kept for a while: what comes there answers the one request that went out there, so it is known to be
`late` (the first answer, taken) or a `duplicate` (dropped). REQ_RELAXED with REQ_CORRELATE would need no second socket,
but would drop late replies unseen and put a frame of its own on the wire. Here the wire is that of a plain REQ.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypedDict

import zmq

from roles.kit.calls import SetupError
from roles.kit.control import Finish
from roles.kit.frames import drain, refuse_larger
from roles.kit.histogram import Histogram
from roles.kit.inlets import Inlet
from roles.kit.outlets import Outlet
from roles.kit.ports import NOBLOCK, quick_send
from roles.kit.slot import BELL, DUPLICATES, LATE, RETRIED, State, port_base

MOST_OLD: Final = 1024
"""Old sockets that one port keeps for late replies."""

_MOST_OLD_A_CLIENT: Final = 8

# Libzmq closes sockets in a thread of its own, thousands of them in a second or two.
_CLOSING_MS: Final = 10
_LONGEST_CLOSE_S: Final = 10.0

Socket = zmq.Socket[bytes]


class Patience(TypedDict):
    """How long to wait for a reply, and how often to ask at all."""

    timeout_s: float
    attempts: int


class NoReply(Exception):  # noqa: N818 - what is missing, not what went wrong
    """A request was sent as often as allowed, and nobody has answered."""


def send_request(socket: Socket, frame: bytes) -> None:
    """Send a request without waiting; raises zmq.Again where there is no room.

    The last reply may have had several frames, of which one was taken for it: then a REQ is not ready to send.
    """
    try:
        socket.send(frame, NOBLOCK)
    except zmq.ZMQError as error:
        if error.errno != zmq.EFSM:
            raise
        drain(socket)
        socket.send(frame, NOBLOCK)


class Asker(Inlet, Outlet):
    """What a port needs to ask again: more sockets like its own. `servers` names who is asked."""

    latencies: Histogram
    another_socket: Callable[[], Socket]
    servers: str = ""

    def _prepare(self) -> None:
        self.latencies = Histogram()

    def use_socket(self, place: int, socket: Socket) -> None:
        """Let another socket take this place."""
        self.sockets[place] = socket
        if place == 0:
            self.socket = socket
            self._recv, self._send = socket.recv, quick_send(socket)

    def exchange_patiently(self, requests: Callable[[], Iterable[Any]], patience: Patience) -> Iterator[Any]:
        """Send what `requests()` gives, one series a socket; yields replies as they come, raises NoReply."""
        if any(one.mode == "bind" for one in self.spec.attachments):
            text = f"cannot ask again at {self.name}: it binds (let it connect, or leave out 'retry')"
            raise SetupError("params.retry", text)
        self.settle()
        return _Exchange(self, patience).replies(requests)


class _Client:
    """One of a port's places: what it asks, and its old sockets that owe a reply. `attempts` is 0 while it is idle."""

    def __init__(self, place: int, items: Iterator[Any]) -> None:
        self.place = place
        self.items = items
        self.number = self.asked_ns = self.attempts = self.sent = 0
        self.frame = b""
        self.waits_to_send = False
        self.old: deque[tuple[Socket, int]] = deque()


class _Exchange:
    """All clients of one port, in one loop."""

    def __init__(self, port: Asker, patience: Patience) -> None:
        self._port = port
        self._control = port.control
        self._patience = patience
        self._timeout_ns = int(patience["timeout_s"] * 1e9)
        # A server takes the second of two clients with one name for a stranger.
        named = "ROUTING_ID" in port.spec.options
        self._most_old = 0 if named else min(_MOST_OLD_A_CLIENT, MOST_OLD // len(port.sockets))
        self._owners: dict[Socket, _Client] = {}
        self._under_way = 0
        self._put_off: list[_Client] = []
        # The time is the same for all, so the first to be sent is the first to be overdue.
        self._due: deque[tuple[int, _Client, int, int]] = deque()
        self._poller = zmq.Poller()
        self._poller.register(port.control.socket, zmq.POLLIN)
        self._base = port_base(port.index)

    def replies(self, requests: Callable[[], Iterable[Any]]) -> Iterator[Any]:
        """The replies as they come."""
        port, control = self._port, self._control
        try:
            for place, socket in enumerate(port.sockets):
                self._owners[socket] = client = _Client(place, iter(requests()))
                self._ask_next(client)
            while self._under_way or (self._put_off and not control.finishing):
                if control.stopping:
                    raise Finish
                if port.name in control.ended:
                    return
                self._wait()
                self._ask_those_put_off()
                # Read before the replies are: while one is handled the others lie ready, and are not overdue.
                now_ns = time.monotonic_ns()
                for socket, events in self._poller.poll(0):
                    if socket not in self._owners:
                        continue  # it is the control channel, or an old one given up meanwhile
                    client = self._owners[socket]
                    if events & zmq.POLLOUT:
                        self._transmit(client)
                        continue
                    try:
                        frame = socket.recv(NOBLOCK)
                    except zmq.Again:
                        continue  # what came there is no reply to a REQ
                    if self._is_answer(client, socket, len(frame)):
                        taken, reply = port._take(frame)
                        if taken:
                            yield reply
                            port.settle()
                        self._ask_next(client)
                self._ask_again(now_ns)
        finally:
            self._leave()

    def _wait(self) -> None:
        due = self._due
        while due and not self._is_due(due[0]):
            due.popleft()
        left_ns = max(0, due[0][0] - time.monotonic_ns()) if due else 0
        timeout_ms = -(-left_ns // 1_000_000) if due else -1
        self._control.wait(self._poller.sockets, State.SLEEPING, self._port.index, timeout_ms)

    @staticmethod
    def _is_due(entry: tuple[int, _Client, int, int]) -> bool:
        """Whether the attempt is still the client's last and unanswered."""
        _, client, number, attempt = entry
        return (client.number, client.attempts) == (number, attempt)

    def _ask_next(self, client: _Client) -> None:
        """Send the client's next request, if there is one and more are wanted; not while the port is held."""
        control = self._control
        if control.words[BELL] != control.heard:
            control.hear()
        held = self._port.name in control.held and not control.finishing
        if held:
            self._put_off.append(client)
        for item in () if held else client.items:
            if control.finishing:
                break
            client.number += 1
            client.frame = self._port.codec.encode(item)
            refuse_larger(self._port.spec, len(client.frame), item)
            client.sent = 0
            client.asked_ns = time.monotonic_ns()
            self._under_way += 1
            self._attempt(client)
            return
        socket = self._port.sockets[client.place]
        if socket in self._poller:
            self._poller.unregister(socket)

    def _ask_those_put_off(self) -> None:
        if self._put_off and self._port.name not in self._control.held:
            clients, self._put_off = self._put_off, []
            for client in clients:
                self._ask_next(client)

    def _attempt(self, client: _Client) -> None:
        client.attempts += 1
        due_ns = time.monotonic_ns() + self._timeout_ns
        self._due.append((due_ns, client, client.number, client.attempts))
        self._transmit(client)

    def _transmit(self, client: _Client) -> None:
        """Send the request, or wait until it can be sent: with IMMEDIATE, until there is a server."""
        port, socket, size_bytes = self._port, self._port.sockets[client.place], len(client.frame)
        port._count_sent(1, size_bytes)
        try:
            send_request(socket, client.frame)
        except zmq.Again:
            port._count_sent(-1, -size_bytes)
            client.waits_to_send = True
            self._poller.register(socket, zmq.POLLOUT)
            return
        port.words[self._base + RETRIED] += client.sent > 0
        client.sent += 1
        client.waits_to_send = False
        self._poller.register(socket, zmq.POLLIN)

    def _is_answer(self, client: _Client, socket: Socket, size_bytes: int) -> bool:
        """Whether what has come at a socket is the first answer to its request; else it is counted as a duplicate."""
        words = self._port.words
        if socket is not self._port.sockets[client.place]:
            number = next(number for old, number in client.old if old is socket)
            client.old.remove((socket, number))
            if not client.attempts or number != client.number:
                words[self._port._received_at] += 1
                words[self._port._bytes_received_at] += size_bytes
                words[self._base + DUPLICATES] += 1
                self._give_up(socket)
                return False
            words[self._base + LATE] += 1
            self._put_aside(client)
            self._port.use_socket(client.place, socket)
        self._port.latencies.note((time.monotonic_ns() - client.asked_ns) // 1000)
        client.attempts = 0
        client.waits_to_send = False
        self._under_way -= 1
        return True

    def _ask_again(self, now_ns: int) -> None:
        """Make another attempt wherever the time for the last has passed."""
        due = self._due
        while due and (due[0][0] <= now_ns or not self._is_due(due[0])):
            entry = due.popleft()
            if not self._is_due(entry):
                continue
            client = entry[1]
            if client.attempts == self._patience["attempts"]:
                raise NoReply(self._no_reply(client))
            # Also where it could not be sent: after what is no reply, libzmq never connects that socket again.
            self._put_aside(client)
            socket = self._another_socket()
            self._owners[socket] = client
            self._port.use_socket(client.place, socket)
            self._attempt(client)

    def _another_socket(self) -> Socket:
        """A new socket; where there are too many, those that are being closed are waited for."""
        until_s = time.monotonic() + _LONGEST_CLOSE_S
        while True:
            try:
                return self._port.another_socket()
            except zmq.ZMQError as error:
                if error.errno != errno.EMFILE or time.monotonic() > until_s:
                    raise
            if self._control.stopping:
                raise Finish
            ours = (self._control.socket, zmq.POLLIN)
            self._control.wait([ours], State.SLEEPING, self._port.index, _CLOSING_MS)

    def _put_aside(self, client: _Client) -> None:
        """Keep the client's socket for a late reply, and give up its oldest where they are too many."""
        socket = self._port.sockets[client.place]
        if client.waits_to_send:
            self._give_up(socket)
            return
        client.old.append((socket, client.number))
        if len(client.old) > self._most_old:
            self._give_up(client.old.popleft()[0])

    def _give_up(self, socket: Socket) -> None:
        del self._owners[socket]
        self._poller.unregister(socket)
        socket.close(linger=0)

    def _leave(self) -> None:
        """Close what still owes a reply: nobody waits for it any more, nor for what may never have left."""
        for socket, client in self._owners.items():
            if client.attempts or socket is not self._port.sockets[client.place]:
                socket.close(linger=0)

    def _no_reply(self, client: _Client) -> str:
        attempts, timeout_s = self._patience["attempts"], self._patience["timeout_s"]
        times = "1 attempt of" if attempts == 1 else f"{attempts} attempts of"
        each = "" if attempts == 1 else " each"
        return (
            f"no reply from {self._port.servers} to request {client.number} "
            f"within {times} {timeout_s:g} s{each}"
        )
