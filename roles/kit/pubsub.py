"""The ports of publish-subscribe: one that knows who has subscribed, and one that knows when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import zmq

from roles.kit.inlets import Inlet
from roles.kit.outlets import SELDOM, Outlet
from roles.kit.ports import MALFORMED, NOBLOCK, Ended
from roles.kit.sequence import Checker, Numbering, topic_bytes_of
from roles.kit.slot import DUPLICATES, GAPS, MISSED, MOST, port_base
from roles.kit.spec import END_TOPIC


class Pub(Outlet):
    """Sends each item to every subscriber that wants its topic.

    The socket is an XPUB, so that the publisher sees who has subscribed.
    """

    kind = "PUB"
    socket_type = zmq.XPUB

    def _prepare(self) -> None:
        self._send_update, self._send_updates = self._senders(self._encode_update)
        self._numbering: Numbering | None = None

    def published_by(self, process: str, incarnation: int = 0) -> None:
        """The name by which subscribers know this publisher; with `sequence` it stands in each update."""
        if self.spec.sequence:
            self._numbering = Numbering(process, incarnation)
            self.send = self._send_numbered  # type: ignore[method-assign]

    def send_all(self, items: Iterable[Any]) -> None:
        """Send each of the items, a pair as topic and item; quicker than a loop over `send`, and raises as that."""
        if self.codec.prefixed and self._numbering is None:
            self._send_updates(items)
            return
        for item in items:
            if type(item) is tuple:
                self.send(item[1], topic=item[0])
            else:
                self.send(item)

    def send(self, item: Any, topic: str = "") -> None:
        """Send one item. With codecs bytes and text the topic is the item's own prefix, else `topic` is a frame."""
        if self.codec.prefixed:
            self._send_update((topic, item) if topic or type(item) is tuple else item)
        else:
            self._send_framed([topic.encode(), self.codec.encode(item)], item)

    def _send_framed(self, frames: list[bytes], item: Any) -> None:
        self._send_frames(frames, item)
        if not self.words[self._sent_at] % SELDOM:
            self._seldom()

    def _encode_update(self, item: Any) -> bytes:
        if type(item) is not tuple:
            return self.codec.encode(item)
        topic: str = item[0]
        return topic.encode() + self.codec.encode(item[1])

    def _send_numbered(self, item: Any, topic: str = "") -> None:
        numbering, payload = self._numbering, self.codec.encode(item)
        assert numbering is not None
        first = topic.encode()
        length = len(first)
        if not self.codec.prefixed:
            frames = [first, payload]
        else:
            frames = [first + payload]
            length = length or topic_bytes_of(payload)
        self._send_framed([*frames, numbering.stamp(frames[0], length)], item)
        numbering.passed(frames[0], length)

    def tally(self) -> None:
        """The port is about to wait, and has time for what has piled up."""
        super().tally()
        self._seldom()

    def _seldom(self) -> None:
        """Read who has subscribed: nobody needs to know any more, and strangers may do so without end."""
        if self.control.going:
            for _ in self.subscriptions():
                pass

    def send_end(self, process: str) -> None:
        """Tell the subscribers that this process has finished; said again until all have it, dropped where full."""
        mark = END_TOPIC + process.encode()
        frames = [mark] if self.codec.prefixed else [mark, b""]
        if self._numbering is not None:
            frames.append(self._numbering.tally())
        try:
            self.socket.send_multipart(frames, NOBLOCK)
        except zmq.Again:
            return

    def subscriptions(self) -> Iterator[bytes]:
        """The topics subscribed to since this was last asked."""
        while True:
            try:
                frame = self.socket.recv(NOBLOCK)
            except zmq.Again:
                return
            if frame[:1] == b"\1":
                yield frame[1:]


class Sub(Inlet):
    """Takes what its topics let through. It ends when every publisher has said that it has finished."""

    kind = "SUB"
    socket_type = zmq.SUB

    def begin_again(self) -> None:
        """What came before its first updates is none of this subscriber's: an earlier incarnation may have had it."""
        self._checker.began_again = True

    def subscribe(self, topics: Iterable[str]) -> None:
        """Ask for these topics; the empty one is everything."""
        filters = [topic.encode() for topic in topics]
        for one in filters:
            self.socket.subscribe(one)
        self._checker.subscribed(filters)

    def _prepare(self) -> None:
        self._finished_publishers: set[str] = set()
        self._checker = Checker(name.rpartition("-")[0] for name in self.spec.partners)
        if self.spec.sequence:
            self._recv = self._recv_numbered
        elif self.codec.prefixed:
            self._marked = True
        else:
            self._recv = self._recv_update

    def recv(self) -> Any:
        """The next update; raises as `Inlet.recv`."""
        self._check_ended()
        return super().recv()

    def _take(self, frame: bytes) -> tuple[bool, Any]:
        if self._marked and self._is_mark(frame):
            return False, None
        return super()._take(frame)

    def _is_mark(self, frame: bytes) -> bool:
        if not frame.startswith(END_TOPIC):
            return False
        self._note_mark(frame)
        return True

    def _recv_update(self, flags: int) -> bytes:
        """The next update without its topic frame; raises Ended once every publisher has said that it has finished."""
        self._check_ended()
        while True:
            topic, *rest = self.socket.recv_multipart(flags)
            if topic.startswith(END_TOPIC):
                self._note_mark(topic)
            elif len(rest) > 1:
                self._note_foreign()
            else:
                return rest[0] if rest else topic

    def _recv_numbered(self, flags: int) -> bytes:
        """The next update that has not been there before; raises Ended as `_recv_update`."""
        self._check_ended()
        count = 2 if self.codec.prefixed else 3
        while True:
            frames = self.socket.recv_multipart(flags)
            first = frames[0]
            ends = first.startswith(END_TOPIC)
            is_new = False
            try:
                if ends:
                    self._checker.ended(frames[-1])
                elif len(frames) == count:
                    is_new = self._checker.is_new(first, frames[-1])
                else:
                    self._note_foreign()
            except MALFORMED:
                self._note_foreign()
            if ends or not is_new or self._checker.gaps != self.words[port_base(self.index) + GAPS]:
                self._note_numbers()  # else nothing has changed
            if ends:
                self._end_with(self._checker.finished())
            elif is_new:
                return frames[-2]

    def _check_ended(self) -> None:
        if self.name in self.control.ended:
            raise Ended

    def _note_numbers(self) -> None:
        words, base, checker = self.words, port_base(self.index), self._checker
        words[base + MISSED] = min(checker.missed, MOST)
        words[base + GAPS] = checker.gaps
        words[base + DUPLICATES] = checker.duplicates

    def _note_mark(self, frame: bytes) -> None:
        """A publisher has finished; raises Ended where it was the last."""
        name = frame.removeprefix(END_TOPIC).decode(errors="replace")
        if name not in self.spec.partners:
            return  # as many names as a stranger likes
        self._finished_publishers.add(name)
        self._end_with(self._finished_publishers)

    def _end_with(self, finished: set[str]) -> None:
        if finished.issuperset(self.spec.partners):
            self.control.ended.add(self.name)
            raise Ended
