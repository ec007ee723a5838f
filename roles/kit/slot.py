"""Slots: the few shared words in which a process keeps its counters and its state.

All slots of a run lie in one memory-mapped file. A process writes its own slot and nobody else's; the
coordinator reads all of them. A word is eight bytes in the machine's order, so one store is one word and a
reader never sees half of it. What is written survives the process, so a slot is its last word, exact to the
message.

A slot is `HEAD_WORDS` words of state, then `PORT_WORDS` words for each port in the order of its spec. Word
`BELL` alone is written by the other side: it goes up when a control message awaits the process, so that a
busy loop need only compare a number to know.
"""

from __future__ import annotations

import enum
import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

HEAD_WORDS = 9
PORT_WORDS = 16
MAX_PORTS = 16
"""Ports of one process that meet an endpoint."""

SLOT_WORDS = HEAD_WORDS + PORT_WORDS * MAX_PORTS
WORD_BYTES = 8

STATE, BELL, GO_NS, WAITED_NS, WAIT_SINCE_NS, FINISHED_NS, CPU_US, MAX_RSS, UNLOGGED = range(HEAD_WORDS)
SENT, RECEIVED, BYTES_SENT, BYTES_RECEIVED, PEERS, FOREIGN, MISSED, GAPS, DUPLICATES, RETRIED, LATE = range(
    11
)
ACKED, REDELIVERED, ASIDE, HAND, CUMULATIVE = range(11, PORT_WORDS)

MOST = 2**64 - 1
"""What a word can hold."""

Words = memoryview
"""A slot as a memoryview of unsigned 64-bit words."""


class State(enum.IntEnum):
    """What a process is doing, as its slot tells; the low byte of word `STATE`, the port's index above it.

    Who is `SLEEPING` waits with a time limit of its own, and goes on whatever the others do.
    """

    STARTING = 0
    RUNNING = 1
    RECEIVING = 2
    SENDING = 3
    FINISHED = 4
    SLEEPING = 5


class Count(msgspec.Struct, frozen=True):
    """The counters of one port: messages, bytes, connections in place, and frames that were none of ours.

    With `sequence` a subscriber knows how many updates it `missed`, in how many `gaps`, and how many were
    `duplicates`. A client that retries counts the requests that it `retried`, the replies that came `late` (to an
    attempt that it had given up, and yet the first answer) and the `duplicates` among them.

    Where delivery is acknowledged a source counts tasks: `sent` once however often they were given, `acked` when they
    are done for good, `redelivered` each time more that they were given, `aside` those that it has given up. Its counts
    are `cumulative`, as are the sink's: a later incarnation goes on with what the earlier ones wrote down. `hand` is
    the task that a worker works on, as `roles.kit.parcels` says, 0 where it is none; and results that came to a sink
    twice are `duplicates`.
    """

    sent: int = 0
    received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    peers: int = 0
    foreign: int = 0
    missed: int = 0
    gaps: int = 0
    duplicates: int = 0
    retried: int = 0
    late: int = 0
    acked: int = 0
    redelivered: int = 0
    aside: int = 0
    hand: int = 0
    cumulative: int = 0


_GOES_ON = ("sent", "received", "acked", "aside", "cumulative")
_ADDS_UP = ("bytes_sent", "bytes_received", "foreign", "redelivered", "duplicates")


def added(past: Count, now: Count) -> Count:
    """Two incarnations' counters as one; connections, and what is in hand, are those of the later."""
    if now.cumulative or past.cumulative:
        return Count(
            **{name: max(getattr(past, name), getattr(now, name)) for name in _GOES_ON},
            **{name: getattr(past, name) + getattr(now, name) for name in _ADDS_UP},
            peers=now.peers,
        )
    sums = {name: getattr(past, name) + getattr(now, name) for name in Count.__struct_fields__}
    return Count(**{**sums, "peers": now.peers, "hand": now.hand})


class Reading(msgspec.Struct, frozen=True):
    """One look at one slot. `port` is where it waits; `busy_s` its time since Go not spent waiting.

    `unlogged_bytes` is what it has printed and its log could not take.
    """

    state: State = State.STARTING
    port: str = ""
    busy_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    unlogged_bytes: int = 0
    ports: dict[str, Count] = {}


class SlotFile:
    """The memory-mapped file that holds every slot of a run."""

    def __init__(self, path: str | Path, *, slots: int = 0) -> None:
        """Open the file, or with `slots` create it, its blocks allocated so that a full disk cannot fault a store."""
        self._path = path
        if slots:
            self._enlarge(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), slots)
        else:
            self._look_at(os.open(path, os.O_RDWR))

    def grow(self, slots: int) -> None:
        """Make room for so many slots in all; who has the file open already goes on to see those that it has seen."""
        if slots * SLOT_WORDS > len(self._words):
            self._enlarge(os.open(self._path, os.O_RDWR), slots)

    def _enlarge(self, fd: int, slots: int) -> None:
        size_bytes = slots * SLOT_WORDS * WORD_BYTES
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, size_bytes)
            else:
                os.ftruncate(fd, size_bytes)
        except OSError:
            os.close(fd)
            raise
        self._look_at(fd)

    def _look_at(self, fd: int) -> None:
        try:
            self._map = mmap.mmap(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")

    def bell(self, slot: int) -> int:
        """How many control messages the process of this slot has been told of."""
        return int(self._words[slot * SLOT_WORDS + BELL])

    def words(self, slot: int) -> Words:
        """The words of slot number `slot`."""
        return self._words[slot * SLOT_WORDS : (slot + 1) * SLOT_WORDS]

    def ring(self, slot: int) -> None:
        """Tell the process of this slot that a control message awaits it."""
        self._words[slot * SLOT_WORDS + BELL] += 1

    def read(self, slot: int, ports: Iterable[str]) -> Reading:
        """What slot number `slot` says now; `ports` are the names of its ports in the order of its spec."""
        start, names = slot * SLOT_WORDS, tuple(ports)
        return _reading(self._words[start : start + port_base(len(names))].tolist(), names)

    def clear(self, slot: int) -> None:
        """Make the slot ready for a new incarnation."""
        start = slot * SLOT_WORDS
        for index in range(start, start + SLOT_WORDS):
            self._words[index] = 0


def _reading(words: list[int], names: tuple[str, ...]) -> Reading:
    state = State(words[STATE] & 0xFF)
    index = words[STATE] >> 8
    counts = {}
    at = HEAD_WORDS
    for name in names:
        counts[name] = Count(*words[at : at + PORT_WORDS])
        at += PORT_WORDS
    waits = state in (State.RECEIVING, State.SENDING)
    return Reading(
        state=state,
        port=names[index] if waits and index < len(names) else "",
        busy_s=_busy_s(words),
        cpu_s=words[CPU_US] / 1e6,
        max_rss_bytes=words[MAX_RSS],
        unlogged_bytes=words[UNLOGGED],
        ports=counts,
    )


def _busy_s(words: list[int]) -> float:
    if not words[GO_NS]:
        return 0.0
    end_ns = words[FINISHED_NS] or words[WAIT_SINCE_NS] or time.monotonic_ns()
    return max(0, end_ns - words[GO_NS] - words[WAITED_NS]) / 1e9


def port_base(index: int) -> int:
    """Where the words of port number `index` begin in a slot."""
    return HEAD_WORDS + PORT_WORDS * index
