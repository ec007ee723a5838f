"""The ports of publish-subscribe: one that knows who has subscribed, and one that knows when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import zmq

from roles.kit.ports import NOBLOCK, Ended, Inlet, Outlet
from roles.kit.spec import END_TOPIC


class Pub(Outlet):
    """Sends each item to every subscriber that wants its topic.

    The socket is an XPUB, so that the publisher sees who has subscribed.
    """

    kind = "PUB"
    socket_type = zmq.XPUB

    def _prepare(self) -> None:
        self._send_update = self._sender()

    def send(self, item: Any, topic: str = "") -> None:
        """Send one item. With codecs bytes and text the topic is the item's own prefix, else `topic` is a frame."""
        if self.codec.prefixed:
            self._send_update(topic.encode() + self.codec.encode(item) if topic else item)
        else:
            self._send_frames([topic.encode(), self.codec.encode(item)])

    def send_end(self, process: str) -> None:
        """Tell the subscribers that this process has finished; said again until all have it, dropped where full."""
        mark = END_TOPIC + process.encode()
        frames = [mark] if self.codec.prefixed else [mark, b""]
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

    def subscribe(self, topics: Iterable[str]) -> None:
        """Ask for these topics; the empty one is everything."""
        for topic in topics:
            self.socket.subscribe(topic.encode())

    def _prepare(self) -> None:
        self._finished_publishers: set[str] = set()
        self._recv = self._recv_update

    def _recv_update(self, flags: int) -> bytes:
        """The next update without its topic frame; raises Ended once every publisher has said that it has finished."""
        while True:
            if self.codec.prefixed:
                frame = self.socket.recv(flags)
            else:
                topic, *rest = self.socket.recv_multipart(flags)
                frame = topic if topic.startswith(END_TOPIC) or not rest else rest[-1]
            if not frame.startswith(END_TOPIC):
                return frame
            self._finished_publishers.add(frame.removeprefix(END_TOPIC).decode(errors="replace"))
            if self._finished_publishers.issuperset(self.spec.partners):
                self.control.ended.add(self.name)
                raise Ended
