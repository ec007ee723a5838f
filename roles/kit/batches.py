"""Batches: many items in one frame, so that they share what a message costs (`batch: N` at an endpoint).

A frame is a JSON array with codec json, and else a MessagePack array, of binaries with codecs bytes and text. Counts
are of items all the same. Items wait in the sender until there are enough of them for a frame to each peer; but no
longer than until the process waits for anything, and not for much longer than `AGE_NS`.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Final, Protocol

import msgspec

from roles.kit.codec import codec
from roles.kit.frames import as_many_as_fit, joined
from roles.kit.pace import Pace

AGE_NS: Final = 10_000_000
"""An item that is older goes with the next look."""

LOOK_EVERY: Final = 32
"""A sender looks at the clock once in so many items, at each of them where they come slowly."""


class Packing(msgspec.Struct, frozen=True):
    """How items get into one frame and out again.

    An item of a type in `plain` cannot be changed any more and waits as it is; `admit` makes such a one of any other.
    `join` raises what encoding an item raises, `split` ValueError for a frame that is no array of items.
    """

    plain: frozenset[type]
    admit: Callable[[Any], Any]
    join: Callable[[list[Any]], bytes]
    split: Callable[[bytes], list[Any]]


_PLAIN: Final[frozenset[type]] = frozenset({int, float, bool, str, type(None)})
_join: Final = msgspec.msgpack.Encoder().encode
_split_binaries: Final = msgspec.msgpack.Decoder(list[bytes]).decode


def _as_it_is_now(encode: Callable[[Any], bytes]) -> Callable[[Any], msgspec.Raw]:
    return lambda item: msgspec.Raw(encode(item))


def _split_texts(frame: bytes) -> list[str]:
    return [item.decode() for item in _split_binaries(frame)]


def packing(name: str) -> Packing:
    """The packing of items whose codec has that name; raises KeyError where there is none."""
    encode = codec(name).encode
    if name == "bytes":
        return Packing(frozenset({bytes}), encode, _join, _split_binaries)
    if name == "text":
        return Packing(frozenset(), encode, _join, _split_texts)
    if name == "json":
        join = msgspec.json.Encoder().encode
        return Packing(_PLAIN, _as_it_is_now(encode), join, msgspec.json.Decoder(list[Any]).decode)
    return Packing(_PLAIN, _as_it_is_now(encode), _join, msgspec.msgpack.Decoder(list[Any]).decode)


class Way(Protocol):
    """What a `Batcher` needs of its port."""

    def frame_made(self, size_bytes: int) -> None:
        """Count the bytes of a frame."""

    @property
    def most_bytes(self) -> int:
        """How large a frame may be."""

    def refuse_larger(self, size_bytes: int, item: Any) -> None:
        """Raise TooLarge where one item is more than a frame may hold."""

    def go(self, frame: bytes) -> bool:
        """Send a frame if that can be done without waiting; whether it was."""

    def taken_back(self, items: int, size_bytes: int) -> None:
        """Count items, and the bytes of their frames, as not sent after all."""

    def peers(self) -> int:
        """How many there are to share the items."""


class Batcher:
    """The items of one port that wait for their frame, and the frames that wait for their socket.

    The port fills `waiting`. What it has ever put there is that, and what is `bundled` into frames. Once as many wait
    as `due` says, it asks whether the batch `is_due`.
    """

    __slots__ = (
        "_fitting",
        "_frames",
        "_join",
        "_most",
        "_pace",
        "_since_ns",
        "_way",
        "bundled",
        "due",
        "waiting",
    )

    def __init__(self, way: Way, most: int, join: Callable[[list[Any]], bytes]) -> None:
        self.waiting: list[Any] = []
        self.bundled = self.due = 0
        self._way = way
        self._most = self._fitting = most
        self._join = join
        self._frames: deque[tuple[bytes, int]] = deque()
        self._pace = Pace(LOOK_EVERY)
        self._since_ns = monotonic_ns()

    @property
    def put(self) -> int:
        """How many items there have been, but for those taken back."""
        return self.bundled + len(self.waiting)

    def is_due(self) -> bool:
        """Whether what waits should go now, since it is enough or old; sets when to ask again."""
        now_ns = self._pace.passed()
        waiting = len(self.waiting)
        if not waiting:
            self._since_ns = now_ns
        room = self._most * self._way.peers() - waiting
        size = self._pace.size
        if size > room:
            size = room if room > 0 else 1
        self.due = waiting + size
        return room <= 0 or now_ns - self._since_ns >= AGE_NS

    def flush(self) -> bool:
        """Send what there is as far as that goes without waiting; whether nothing is left."""
        if self.waiting:
            self._bundle()
            self._since_ns = monotonic_ns()
            self.due = 0  # who comes after a pause looks, and is young from then on
        frames, go = self._frames, self._way.go
        while frames:
            if not go(frames[0][0]):
                return False
            frames.popleft()
        return True

    def take_back(self) -> None:
        """What is left will not be sent."""
        framed = sum(count for _, count in self._frames)
        items = framed + len(self.waiting)
        self.bundled -= framed
        size_bytes = sum(len(frame) for frame, _ in self._frames)
        self.waiting.clear()
        self._frames.clear()
        self._way.taken_back(items, size_bytes)

    def _bundle(self) -> None:
        """Make frames of all that waits, one for each peer, so that each gets its share of the last ones, too."""
        items = self.waiting.copy()
        self.waiting.clear()  # what cannot be packed fails once, and is not sent
        size = min(self._most, -(-len(items) // self._way.peers()))
        for first in range(0, len(items), size):
            self._put_into_frames(items[first : first + size])

    def _put_into_frames(self, part: list[Any]) -> None:
        """Make a frame of these, or several where one would be too large; raises Unsendable for one item."""
        while part:
            count, frame = self._first_frame(part)
            if count == 1:
                self._way.refuse_larger(len(frame), part[0])
            self._frames.append((frame, count))
            self.bundled += count
            self._way.frame_made(len(frame))
            part = part[count:]

    def _first_frame(self, part: list[Any]) -> tuple[int, bytes]:
        """How many of these, the first ones, make a frame, and the frame; the next one is begun with as many as fit."""
        most_bytes = self._way.most_bytes
        if len(part) <= self._fitting:  # as almost always, and then nothing else need be made
            with contextlib.suppress(Exception):
                frame = self._join(part)
                if len(frame) <= most_bytes:
                    return len(part), frame
        count, (frame,) = as_many_as_fit(
            min(len(part), self._fitting), lambda some: [joined(self._join, part[:some])], most_bytes
        )
        self._fitting = max(1, min(self._most, most_bytes * count // len(frame)))
        return count, frame
