"""A source's journal: how far it has given its tasks, which of them are over, and which are to blame for deaths.

It need not be synced. What is missing from it is given again, and the sink knows what it has had.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from roles.kit import failpoints
from roles.kit.ledger import Ledger
from roles.kit.parcels import POSITION_BITS
from roles.kit.positions import Positions, Runs, rows
from roles.kit.slot import WORD_BYTES


class _Over(msgspec.Struct, frozen=True, array_like=True, tag="over"):
    """These tasks are over."""

    runs: Runs


class _Blamed(msgspec.Struct, frozen=True, array_like=True, tag="blamed"):
    """A worker has died with this task in hand."""

    position: int


class _Aside(msgspec.Struct, frozen=True, array_like=True, tag="aside"):
    """This task is set aside, and thereby over."""

    position: int


_POSITION: Final = (1 << POSITION_BITS) - 1
_MOST_REFUSED: Final = (1 << 64 - POSITION_BITS) - 1
_Record = _Over | _Blamed | _Aside
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Record).decode


class Journal:
    """The journal in a file. `over` are the tasks that are, `aside` those of them that were set aside.

    `blamed` says how many workers died with a task in hand. How far the tasks have come is a word in a mapped file
    beside it, since a record for each parcel would cost a source of tiny tasks a tenth of its time.
    """

    def __init__(self, path: Path) -> None:
        self._ledger = Ledger(path)
        self.over = Positions()
        self.aside: set[int] = set()
        self.blamed: dict[int, int] = {}
        self._turns = _Word(path.with_suffix(".turns"))
        for record in map(_decode, self._ledger.records):
            self._take_in(record)
        self._ledger.records.clear()

    def note_over(self, runs: Runs, over: Positions) -> None:
        """These tasks are over; `over` are all that are."""
        self._ledger.append(_encode(_Over(runs)))
        if self._ledger.wants_compaction:
            self._ledger.compact(map(_encode, self._all(over)))

    @property
    def come_to(self) -> int:
        """The position up to which every task has had its turn, under any incarnation."""
        return self._turns.word & _POSITION

    @property
    def refused(self) -> int:
        """How many of those could not be sent, and so were not given to anybody."""
        return self._turns.word >> POSITION_BITS

    def note_turns(self, position: int, refused: int) -> None:
        """Every task up to this position has had its turn, and so many of them were refused."""
        self._turns.word = min(refused, _MOST_REFUSED) << POSITION_BITS | position

    def note_blamed(self, position: int) -> None:
        """A worker has died with this task in hand."""
        self._note(_Blamed(position))

    def note_aside(self, position: int) -> None:
        """This task is given up."""
        self._note(_Aside(position))

    def _note(self, record: _Blamed | _Aside) -> None:
        self._take_in(record)
        self._ledger.append(_encode(record))

    def _take_in(self, record: _Record) -> None:
        match record:
            case _Over(runs):
                for row in rows(runs):
                    self.over.add_row(row)
            case _Blamed(position):
                self.blamed[position] = self.blamed.get(position, 0) + 1
            case _Aside(position):
                self.over.add(position)
                self.aside.add(position)

    def _all(self, over: Positions) -> Iterator[_Record]:
        yield _Over(over.runs())
        for position, deaths in self.blamed.items():
            yield from (_Blamed(position) for _ in range(deaths))
        yield from map(_Aside, self.aside)


class _Word:
    """A number in a mapped file: it outlives its process, if not a loss of power. Raises OSError for a full disk."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if os.fstat(fd).st_size != WORD_BYTES:
                os.write(fd, bytes(WORD_BYTES))  # not a hole, which a full disk could not fill
            self._words = memoryview(mmap.mmap(fd, WORD_BYTES)).cast("Q")
        finally:
            os.close(fd)
        failpoints.watch(self)

    @property
    def word(self) -> int:
        """The number."""
        return int(self._words[0])

    @word.setter
    def word(self, word: int) -> None:
        self._words[0] = word

    def forget_unsynced(self) -> None:
        """Be as after a loss of power."""
        self.word = 0
