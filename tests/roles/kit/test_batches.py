"""Packing items into frames, and when they go: values, and a clock of the test's own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roles.kit import batches, pace
from roles.kit.batches import AGE_NS, LOOK_EVERY, Batcher, packing
from roles.kit.frames import TooLarge, Unsendable


class Way:
    """Frames that were let through, the first `room` of them."""

    def __init__(self, peers: int = 1, room: int = 10**9, most_bytes: int = 10**9) -> None:
        self.frames: list[bytes] = []
        self.most_bytes = most_bytes
        self.room = room
        self.made_bytes = 0
        self.back: tuple[int, int] | None = None
        self._peers = peers

    def frame_made(self, size_bytes: int) -> None:
        self.made_bytes += size_bytes

    def refuse_larger(self, size_bytes: int, item: Any) -> None:
        if size_bytes > self.most_bytes:
            raise TooLarge(f"{item!r}: {size_bytes}")

    def go(self, frame: bytes) -> bool:
        if self.room <= 0:
            return False
        self.room -= 1
        self.frames.append(frame)
        return True

    def taken_back(self, items: int, size_bytes: int) -> None:
        self.back = (items, size_bytes)

    def peers(self) -> int:
        return self._peers


@pytest.fixture
def clock(monkeypatch):
    """The time in nanoseconds, in a list of one."""
    now_ns = [10**15]
    for module in (batches, pace):
        monkeypatch.setattr(module, "monotonic_ns", lambda: now_ns[0])
    return now_ns


def send(batcher: Batcher, *items: Any) -> None:
    """As a port does."""
    for item in items:
        if len(batcher.waiting) >= batcher.due and batcher.is_due():
            batcher.flush()
        batcher.waiting.append(item)


def sizes(way: Way, codec: str = "msgpack") -> list[int]:
    return [len(packing(codec).split(frame)) for frame in way.frames]


ITEMS = {
    "json": [1, -2.5, "ü", None, True, [1, 2], {"a": {"b": []}}],
    "msgpack": [1, -2.5, "ü", None, b"\0\xff", [1, 2], {"a": {"b": []}}],
    "bytes": [b"", b"\0\xff", b"x" * 1000],
    "text": ["", "ü€", "x" * 1000],
}


@pytest.mark.parametrize("codec", ITEMS)
def test_what_is_packed_comes_out_again(codec):
    pack = packing(codec)
    ready = [item if type(item) in pack.plain else pack.admit(item) for item in ITEMS[codec]]
    assert pack.split(pack.join(ready)) == ITEMS[codec]


@pytest.mark.parametrize(
    ("codec", "items", "frame"),
    [
        ("json", [1, "a", {"b": None}], b'[1,"a",{"b":null}]'),
        ("msgpack", [1, "a"], b"\x92\x01\xa1a"),
        ("bytes", [b"a", "ü", None], b"\x93\xc4\x01a\xc4\x02\xc3\xbc\xc4\x00"),
        ("text", ["a", 1], b"\x92\xc4\x01a\xc4\x011"),
    ],
)
def test_a_frame_is_an_array(codec, items, frame):
    pack = packing(codec)
    assert pack.join([item if type(item) in pack.plain else pack.admit(item) for item in items]) == frame


@pytest.mark.parametrize(
    ("codec", "frame"),
    [
        ("json", b"1"), ("json", b'{"a":1}'), ("json", b"[1"), ("msgpack", b"\x01"), ("msgpack", b"\x92\x01"),
        ("bytes", b"\x91\xa1a"), ("bytes", b"hello"), ("text", b"\x91\xc4\x01\xff"), ("text", b""),
    ],
)  # fmt: skip
def test_what_is_no_array_of_items_is_refused(codec, frame):
    with pytest.raises((ValueError, msgspec.DecodeError)):
        packing(codec).split(frame)


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_an_item_that_is_changed_later_is_sent_as_it_was(codec):
    pack, item = packing(codec), {"n": 1}
    ready = pack.admit(item)
    item["n"] = 2
    assert pack.split(pack.join([ready])) == [{"n": 1}]


def test_bytes_that_are_changed_later_are_sent_as_they_were():
    pack, item = packing("bytes"), bytearray(b"one")
    ready = pack.admit(item)
    item[:] = b"two"
    assert pack.split(pack.join([ready])) == [b"one"]


def test_what_cannot_be_sent_is_refused_where_it_is_put():
    with pytest.raises(TypeError, match="cannot send dict with codec 'bytes'"):
        packing("bytes").admit({})
    with pytest.raises(TypeError):
        packing("json").admit({"a": object()})


def test_an_item_that_cannot_be_packed_is_named_with_its_own_error(clock):
    way = Way()
    batcher = Batcher(way, 10, packing("msgpack").join)
    send(batcher, 1, 2**70, 3)
    with pytest.raises(Unsendable, match=f"cannot send {2**70}: OverflowError: ") as raised:
        batcher.flush()
    assert raised.value.__cause__.__context__ is None, "it is told once"
    assert (batcher.flush(), batcher.put) == (True, 1), (
        "what came before it goes, what came after it does not"
    )
    assert [packing("msgpack").split(frame) for frame in way.frames] == [[1]]


def test_a_full_batch_is_one_frame_and_the_rest_waits(clock):
    way = Way()
    batcher = Batcher(way, 100, packing("msgpack").join)
    send(batcher, *range(250))
    assert sizes(way) == [100, 100]
    assert len(batcher.waiting) == 50
    assert batcher.flush()
    assert sizes(way) == [100, 100, 50]
    assert (batcher.put, way.made_bytes) == (250, sum(map(len, way.frames)))
    assert [item for frame in way.frames for item in packing("msgpack").split(frame)] == list(range(250))


def test_each_peer_gets_a_frame_and_the_last_ones_are_shared_out(clock):
    way = Way(peers=4)
    batcher = Batcher(way, 100, packing("msgpack").join)
    send(batcher, *range(400))
    assert sizes(way) == []
    send(batcher, 400)
    assert sizes(way) == [100] * 4
    send(batcher, *range(9))
    assert batcher.flush()
    assert sizes(way) == [100] * 4 + [3, 3, 3, 1]


def test_fewer_items_than_peers_go_one_by_one(clock):
    way = Way(peers=4)
    batcher = Batcher(way, 100, packing("msgpack").join)
    send(batcher, 1, 2)
    batcher.flush()
    assert sizes(way) == [1, 1]


def test_an_old_item_goes_with_the_next_look(clock):
    way = Way()
    batcher = Batcher(way, 1000, packing("msgpack").join)
    send(batcher, 1)
    clock[0] += AGE_NS - 1
    send(batcher, 2)
    assert way.frames == []
    clock[0] += 1
    send(batcher, 3)
    assert sizes(way) == [2]
    clock[0] += AGE_NS - 1
    send(batcher, 4)
    assert sizes(way) == [2], "3 is younger than that"


def test_after_a_pause_nothing_goes_before_its_time(clock):
    way = Way()
    batcher = Batcher(way, 1000, packing("msgpack").join)
    send(batcher, 1)
    batcher.flush()
    clock[0] += 10 * AGE_NS
    send(batcher, *range(50))
    assert sizes(way) == [1]


def test_items_that_come_slowly_are_each_looked_at(clock):
    way = Way()
    batcher = Batcher(way, 1000, packing("msgpack").join)
    send(batcher, *range(200))
    for _ in range(60):  # so many may pass until it has noticed
        clock[0] += AGE_NS
        send(batcher, 0)
    assert sum(sizes(way)) >= 200 + 60 - LOOK_EVERY
    before = len(way.frames)
    for _ in range(10):
        clock[0] += AGE_NS
        send(batcher, 0)
    assert len(way.frames) == before + 10


def test_what_finds_no_room_stays_in_order(clock):
    way = Way(room=1)
    batcher = Batcher(way, 10, packing("msgpack").join)
    send(batcher, *range(10))
    assert batcher.flush()
    send(batcher, *range(10, 15))
    assert not batcher.flush()
    send(batcher, *range(15, 17))
    assert not batcher.flush()
    way.room = 10
    assert batcher.flush()
    assert [item for frame in way.frames for item in packing("msgpack").split(frame)] == list(range(17))


def test_what_is_taken_back_is_counted_as_items_and_bytes(clock):
    way = Way(room=0)
    batcher = Batcher(way, 10, packing("msgpack").join)
    send(batcher, *range(8))
    assert not batcher.flush()
    send(batcher, 8, 9)
    batcher.take_back()
    assert way.back == (10, way.made_bytes)
    assert batcher.put == 0
    assert batcher.flush()
    assert way.frames == []


def test_a_frame_that_would_be_too_large_is_split():
    way = Way(most_bytes=40)
    batcher = Batcher(way, 100, packing("json").join)
    send(batcher, *["x" * 10] * 7)
    assert batcher.flush()
    assert all(len(frame) <= 40 for frame in way.frames)
    assert [item for frame in way.frames for item in packing("json").split(frame)] == ["x" * 10] * 7
    assert (batcher.bundled, way.made_bytes) == (7, sum(map(len, way.frames)))


def test_many_that_would_be_too_large_together_are_packed_about_once():
    packed = []

    def join(items):
        packed.append(len(items))
        return packing("json").join(items)

    batcher = Batcher(Way(most_bytes=40), 1000, join)
    batcher.waiting += ["x" * 10] * 999
    assert batcher.flush()
    assert sum(packed) < 2 * 1000 + 999


def test_an_item_that_no_frame_can_hold_is_refused_once():
    way = Way(most_bytes=40)
    batcher = Batcher(way, 100, packing("json").join)
    batcher.waiting += ["a", "y" * 50]
    with pytest.raises(TooLarge, match="'y"):
        batcher.flush()
    assert batcher.flush()
    assert b"y" not in b"".join(way.frames)
