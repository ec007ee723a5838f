"""Outlets: what all ports have in common that send. See `ports` for what is counted, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic_ns
from typing import Any

import zmq

from roles.kit.control import Finish
from roles.kit.frames import refuse_larger
from roles.kit.pace import Pace
from roles.kit.ports import LARGE_BYTES, LOOK_EVERY, NOBLOCK, Port
from roles.kit.slot import BELL, WAITED_NS, State

SELDOM = 4096
"""What need be done still more seldom a stream does once in so many messages."""


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
            except (Finish, zmq.ZMQError):
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
        """Send what could not go at once; it is taken back from the counts where it never goes.

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
        except (Finish, zmq.ZMQError):
            self._count_sent(-1, -size_bytes)
            raise

    def _count_sent(self, messages: int, size_bytes: int) -> None:
        self.words[self._sent_at] += messages
        self.words[self._bytes_sent_at] += size_bytes
