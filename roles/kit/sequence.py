"""Numbers on updates, so that a subscriber knows what it missed and what came twice. Pure.

With `sequence: true` each update has one frame more, its last: a `Stamp`. Numbers count from 1 for each publisher and
topic, since a filter lets whole topics through and so leaves no gap in them. A publisher that starts anew has another
epoch, a higher one, and its numbers begin anew. Its end mark has a `Tally` as its last frame: how far each topic went.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

MOST_TOPICS = 10_000
"""With more topics than these an end mark does not say how far each went."""

KEPT_EPOCHS = 16
"""A subscriber knows the numbers of so many epochs of a publisher, the latest ones: a service goes on for years."""

_RANDOM_BITS = 40

_Natural = Annotated[int, msgspec.Meta(ge=0)]
_Number = Annotated[int, msgspec.Meta(ge=1)]


class Stamp(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Which update this is: number `number` of its topic, the first `topic_bytes` of the first frame."""

    publisher: str
    epoch: int
    topic_bytes: _Natural
    number: _Number


class Tally(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last number of each topic; `last` is null where the topics are too many."""

    publisher: str
    epoch: int
    last: dict[bytes, _Number] | None


_encode: Final = msgspec.msgpack.Encoder().encode
_stamp: Final = msgspec.msgpack.Decoder(Stamp)
_tally: Final = msgspec.msgpack.Decoder(Tally)


def topic_bytes_of(payload: bytes) -> int:
    """The length of the topic that a payload begins with: its first word, and the space that ends it.

    The space belongs to it since filters have it, too: `10001 ` takes all of such a topic, and nothing of `100012 `.
    """
    return payload.find(b" ") + 1 or len(payload)


class Numbering:
    """A publisher's numbers. `publisher` is its name; its epoch is its incarnation, and below that a random number.

    So a later one of a run is higher, and one of another run is another.
    """

    def __init__(self, publisher: str, incarnation: int = 0) -> None:
        self._publisher = publisher
        self._epoch = incarnation << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
        self._last: dict[bytes, int] = {}
        self._told: bytes | None = None

    def stamp(self, frame: bytes, topic_bytes: int) -> bytes:
        """The last frame of the next update whose first one is `frame`; it counts once it is `passed`."""
        number = self._last.get(frame[:topic_bytes], 0) + 1
        return _encode(Stamp(self._publisher, self._epoch, topic_bytes, number))

    def passed(self, frame: bytes, topic_bytes: int) -> None:
        """The update has been given to the socket."""
        topic = frame[:topic_bytes]
        self._last[topic] = self._last.get(topic, 0) + 1
        self._told = None

    def tally(self) -> bytes:
        """The last frame of the end mark."""
        if self._told is None:
            last = self._last if len(self._last) <= MOST_TOPICS else None
            self._told = _encode(Tally(self._publisher, self._epoch, last))
        return self._told


class Checker:
    """A subscriber's view of the numbers: what it has missed, and what came twice.

    Only topics that one of its filters covers whole are looked at for gaps: of a topic that is shorter than the
    filter, the filter takes a part.
    """

    def __init__(self, publishers: Iterable[str] = ()) -> None:
        self._publishers = frozenset(publishers)
        """The nodes that publish, where it is told them.

        Numbers of anybody else are none then: a stranger's could be any, and as many as he likes.
        """

        self.began_again = False
        """This subscriber has, after an earlier incarnation.

        It cannot tell what came before its own first update of a topic: the earlier one may have had that. Of a
        publisher that has started anew since, it can.
        """

        self.missed = 0
        """Updates that did not come."""

        self.gaps = 0
        """How many times some in a row did not."""

        self.duplicates = 0
        self._filters: tuple[bytes, ...] = ()
        self._covered: dict[bytes, bool] = {}
        self._last: dict[tuple[str, int], dict[bytes, int]] = {}
        self._epochs: dict[str, list[int]] = {}
        self._first_seen: dict[str, int] = {}
        self._over: dict[str, int] = {}

    def subscribed(self, filters: Iterable[bytes]) -> None:
        """More filters let updates through from now on."""
        self._filters = (*self._filters, *filters)
        self._covered.clear()

    def is_new(self, frame: bytes, stamp_frame: bytes) -> bool:
        """Whether an update has not been there before; `frame` is its first. Raises ValueError for no stamp of ours."""
        stamp = _stamp.decode(stamp_frame)
        if stamp.topic_bytes > len(frame):
            raise ValueError(f"cannot read a stamp: a topic of {stamp.topic_bytes} bytes in {len(frame)}")
        return self._reached(stamp, frame[: stamp.topic_bytes], stamp.number, came=True)

    def ended(self, tally_frame: bytes) -> None:
        """A publisher has finished: what did not come until now is missed. Raises ValueError for no tally of ours."""
        tally = _tally.decode(tally_frame)
        topics = self._topics(tally)
        for topic, number in (tally.last or {}).items():
            if number > topics.get(topic, 0):
                self._reached(tally, topic, number, came=False)
        self._over[tally.publisher] = max(tally.epoch, self._over.get(tally.publisher, 0))

    def finished(self) -> set[str]:
        """The publishers that have finished, and have not been started again since, as far as that is seen here."""
        return {publisher for publisher, epoch in self._over.items() if epoch >= self._epochs[publisher][-1]}

    def _topics(self, told: Stamp | Tally) -> dict[bytes, int]:
        series = told.publisher, told.epoch
        topics = self._last.get(series)
        if topics is None:
            if self._publishers and told.publisher.rpartition("-")[0] not in self._publishers:
                raise ValueError(f"cannot take a number of '{told.publisher[:40]}': it does not publish here")
            topics = self._last[series] = {}
            epochs = self._epochs.setdefault(told.publisher, [])
            self._first_seen.setdefault(told.publisher, told.epoch)
            epochs.append(told.epoch)
            epochs.sort()
            if len(epochs) > KEPT_EPOCHS:
                del self._last[told.publisher, epochs.pop(0)]
        return topics

    def _was_there(self, told: Stamp | Tally) -> bool:
        """Whether this subscriber had subscribed before the epoch began: then it should have had its first number."""
        is_known = told.epoch in self._epochs[told.publisher]  # else so old that its numbers are forgotten
        return is_known and (not self.began_again or told.epoch > self._first_seen[told.publisher])

    def _reached(self, told: Stamp | Tally, topic: bytes, number: int, *, came: bool) -> bool:
        """A topic has got as far as `number`; with `came` that update is here."""
        topics = self._topics(told)
        last = topics.get(topic, 0)
        if number <= last:
            self.duplicates += 1
            return False
        missed = number - last - came
        if missed and self._covers(topic) and (last or self._was_there(told)):
            self.missed += missed
            self.gaps += 1
        topics[topic] = number
        return True

    def _covers(self, topic: bytes) -> bool:
        covered = self._covered.get(topic)
        if covered is None:
            covered = self._covered[topic] = topic.startswith(self._filters)
        return covered
