"""The ports of request-reply: REQ and REP in lockstep, DEALER and ROUTER without."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from time import monotonic_ns
from typing import Any

import zmq

from roles.kit.control import Finish
from roles.kit.frames import drain, refuse_larger
from roles.kit.inlets import Inlet
from roles.kit.outlets import Outlet
from roles.kit.ports import NOBLOCK, Ended
from roles.kit.retry import Asker, Patience, send_request
from roles.kit.slot import BELL, State


class Rep(Inlet, Outlet):
    """Answers requests: take one, send its reply, take the next."""

    kind = "REP"
    socket_type = zmq.REP

    def _prepare(self) -> None:
        self.send, _ = self._senders(self.codec.encode)  # type: ignore[assignment,method-assign]

    def _note_foreign(self) -> None:
        super()._note_foreign()
        self.socket.send(b"", NOBLOCK)  # a REP must answer before it can take the next request

    def _send_late(self, send: Callable[[], object], size_bytes: int) -> None:
        # A request of several frames has been taken for one of its first, and must be read to its end.
        drain(self.socket)
        super()._send_late(send, size_bytes)


class ForeignReply(ValueError):  # noqa: N818 - what has come, not what went wrong
    """The reply to a request is none of ours. It has been counted; the next request can be sent."""


class Req(Asker):
    """Asks and waits for the answer, in lockstep; with several sockets, each of them does so by itself.

    `latencies` holds how long each `request`, or each request of an `exchange`, waited for its reply. It has `given_up`
    once it was told that a request will have none; such a request need not be delivered any more.
    """

    kind = "REQ"
    socket_type = zmq.REQ
    given_up = False

    def _await(self, state: State, event: int) -> None:
        # A request on its way is waited for even when the role is to finish: only End and Stop call it off.
        control = self.control
        if control.stopping:
            raise Finish
        if self.name in control.ended:
            self.given_up = True
            raise Ended
        control.wait([(self.socket, event), (control.socket, zmq.POLLIN)], state, self.index)

    def _look_before_sending(self) -> None:
        self.control.look()
        if self.name in self.control.held:
            self.settle()  # whoever asks for the next has handled the last reply, and others wait for that
        self.control.await_release(self.name, self.index)

    def recv(self) -> Any:
        """The reply to the request that was sent; raises as `Inlet.recv`, and ForeignReply."""
        self.settle()
        frame = self._recv_late()
        taken, item = self._take(frame)
        if not taken:
            raise ForeignReply(
                f"cannot read the reply with codec '{self.codec.name}': {len(frame):,} bytes of something else"
            )
        return item

    def _send_late(self, send: Callable[[], object], size_bytes: int) -> None:
        # A reply of several frames has been taken for its first, and must be read to its end.
        drain(self.socket)
        super()._send_late(send, size_bytes)

    def request(self, item: Any) -> Any:
        """Send one request and return its reply; raises as `send` and `recv`."""
        asked_ns = monotonic_ns()
        self.send(item)
        reply = self.recv()
        self.latencies.note((monotonic_ns() - asked_ns) // 1000)
        return reply

    def exchange(
        self, requests: Callable[[], Iterable[Any]], *, retry: Patience | None = None
    ) -> Iterator[Any]:
        """Send what `requests()` gives, one series a socket, each socket in lockstep; yields replies as they come.

        With `retry` a request that is not answered in time is sent again; raises NoReply once it was sent as often as
        allowed.
        """
        if retry is not None:
            yield from self.exchange_patiently(requests, retry)
        elif len(self.sockets) == 1:
            yield from self._exchange_one(requests())
        else:
            yield from self._exchange_all(requests)

    def _exchange_one(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            try:
                reply = self.request(item)
            except Ended:
                return
            except ForeignReply:
                continue
            except Finish:
                if self.control.stopping:
                    raise
                return  # no more is to be asked, but what was answered is to be concluded
            yield reply

    def _exchange_all(self, requests: Callable[[], Iterable[Any]]) -> Iterator[Any]:
        control = self.control
        self.settle()
        series = {socket: iter(requests()) for socket in self.sockets}
        self._asked_ns = dict.fromkeys(self.sockets, 0)
        self._put_off: list[zmq.Socket[bytes]] = []
        poller = zmq.Poller()
        poller.register(control.socket, zmq.POLLIN)
        for socket in self.sockets:
            if self._ask(socket, series[socket]):
                poller.register(socket, zmq.POLLIN)
        while len(poller.sockets) > 1 or (self._put_off and not control.finishing):
            if control.stopping:
                raise Finish
            if self.name in control.ended:
                self.given_up = True
                return
            control.wait(poller.sockets, State.RECEIVING, self.index)
            if self._put_off and self.name not in control.held:
                off, self._put_off = self._put_off, []
                for socket in off:
                    if self._ask(socket, series[socket]):
                        poller.register(socket, zmq.POLLIN)
            for socket, _ in poller.poll(0):
                if socket is control.socket:
                    continue
                taken, reply = self._take(socket.recv())
                if taken:
                    self.latencies.note((monotonic_ns() - self._asked_ns[socket]) // 1000)
                    yield reply
                    self.settle()
                if not self._ask(socket, series[socket]):
                    poller.unregister(socket)

    def _ask(self, socket: zmq.Socket[bytes], items: Iterator[Any]) -> bool:
        """Send the next request; False where there is none, or none yet, since the port is held."""
        if self.words[BELL] != self.control.heard:
            self.control.hear()
        if self.name in self.control.held:
            self._put_off.append(socket)
            return False
        for item in items:
            if self.control.finishing:
                return False
            frame = self.codec.encode(item)
            refuse_larger(self.spec, len(frame), item)
            self._count_sent(1, len(frame))
            self._asked_ns[socket] = monotonic_ns()
            send_request(socket, frame)
            return True
        return False


class Enveloped(Inlet, Outlet):
    """A port whose messages carry an envelope: all frames before the last."""

    def _iterate(self) -> Generator[Any]:
        while True:
            try:
                item = self.recv()
            except Ended:
                return
            yield item

    def _recv_frames(self) -> list[bytes]:
        while True:
            self.settle()
            self._check_stop()
            try:
                return self.socket.recv_multipart(NOBLOCK)
            except zmq.Again:
                self._await(State.RECEIVING, zmq.POLLIN)


class Router(Enveloped):
    """Receives `(envelope, item)` and sends an item to an envelope: the peer's identity and what it put before.

    A REQ's envelope is its identity and an empty frame, a DEALER's its identity alone; both go back as they
    came.
    """

    kind = "ROUTER"
    socket_type = zmq.ROUTER

    def recv(self) -> tuple[tuple[bytes, ...], Any]:
        """The next envelope and item; raises as `Inlet.recv`."""
        while True:
            frames = self._recv_frames()
            taken, item = self._take(frames[-1])
            if taken:
                return tuple(frames[:-1]), item

    def send(self, item: Any, to: tuple[bytes, ...] = ()) -> None:
        """Send an item to the peer that `to` names, an envelope as `recv` gave it."""
        self._send_frames([*to, self.codec.encode(item)], item)


class Dealer(Enveloped):
    """Sends to its peers in turn and receives from all, without lockstep."""

    kind = "DEALER"
    socket_type = zmq.DEALER

    def recv(self) -> Any:
        """The next item; raises as `Inlet.recv`."""
        while True:
            frames = self._recv_frames()
            taken, item = self._take(frames[-1])
            if taken:
                return item

    def send(self, item: Any) -> None:
        """Send one item; before a REP it has the empty frame that a REP expects."""
        frame = self.codec.encode(item)
        if self.spec.delimited:
            self._send_frames([b"", frame], item)
        else:
            self._send_frame(frame, item)
