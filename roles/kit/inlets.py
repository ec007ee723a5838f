"""Inlets: what all ports have in common that receive. See `ports` for what is counted, and when."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic_ns
from typing import Any

import zmq

from roles.kit.control import Finish
from roles.kit.frames import drain
from roles.kit.pace import Pace
from roles.kit.ports import LOOK_EVERY, MALFORMED, NOBLOCK, Ended, Port
from roles.kit.slot import BELL, WAITED_NS, State

AT_HAND_NS = 5_000
"""What took no longer to receive was there already."""

FIRST_UNMARKED = b"\1"
"""Marks begin with a zero byte, so that one comparison tells what cannot be one."""


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
