"""A source's journal: how far it has given its tasks, which of them are over, and which are to blame for deaths.

It need not be synced. What is missing from it is given again, and the sink knows what it has had.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from roles.kit.ledger import Ledger
from roles.kit.positions import Positions, Runs, rows


class _Over(msgspec.Struct, frozen=True, array_like=True, tag="over"):
    """These tasks are over."""

    runs: Runs


class _Given(msgspec.Struct, frozen=True, array_like=True, tag="given"):
    """All tasks up to this one have been given to somebody."""

    position: int


class _Blamed(msgspec.Struct, frozen=True, array_like=True, tag="blamed"):
    """A worker has died with this task in hand."""

    position: int


class _Aside(msgspec.Struct, frozen=True, array_like=True, tag="aside"):
    """This task is set aside, and thereby over."""

    position: int


_Record = _Over | _Given | _Blamed | _Aside
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Record).decode


class Journal:
    """The journal in a file. `over` are the tasks that are, `aside` those of them that were set aside.

    `given` is the position up to which all have been given, `blamed` says how many workers died with a task in hand.
    """

    def __init__(self, path: Path) -> None:
        self._ledger = Ledger(path)
        self.over = Positions()
        self.aside: set[int] = set()
        self.blamed: dict[int, int] = {}
        self.given = 0
        for record in map(_decode, self._ledger.records):
            self._take_in(record)
        self._ledger.records.clear()

    def note_over(self, runs: Runs, over: Positions) -> None:
        """These tasks are over; `over` are all that are."""
        self._ledger.append(_encode(_Over(runs)))
        if self._ledger.wants_compaction:
            self._ledger.compact(map(_encode, self._all(over)))

    def note_given(self, position: int) -> None:
        """All tasks up to this one are being given to somebody for the first time."""
        self._note(_Given(position))

    def note_blamed(self, position: int) -> None:
        """A worker has died with this task in hand."""
        self._note(_Blamed(position))

    def note_aside(self, position: int) -> None:
        """This task is given up."""
        self._note(_Aside(position))

    def _note(self, record: _Given | _Blamed | _Aside) -> None:
        self._take_in(record)
        self._ledger.append(_encode(record))

    def _take_in(self, record: _Record) -> None:
        match record:
            case _Over(runs):
                for row in rows(runs):
                    self.over.add_row(row)
            case _Given(position):
                self.given = position
            case _Blamed(position):
                self.blamed[position] = self.blamed.get(position, 0) + 1
            case _Aside(position):
                self.over.add(position)
                self.aside.add(position)

    def _all(self, over: Positions) -> Iterator[_Record]:
        yield _Over(over.runs())
        yield _Given(self.given)
        for position, deaths in self.blamed.items():
            yield from (_Blamed(position) for _ in range(deaths))
        yield from map(_Aside, self.aside)
