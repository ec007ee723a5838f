"""What a sink has kept, written down: which tasks of which sources, and how far the sink's own file went with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from roles.kit.ledger import Ledger
from roles.kit.positions import Positions, Runs, rows


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A record of the ledger: these tasks of these sources, and how far the sink was with them.

    `state` is what the role makes of that; `payloads` are the results themselves where the role can be brought to its
    state by them alone.
    """

    tasks: dict[str, Runs]
    state: int
    handled: int
    payloads: list[bytes] = []


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Kept).decode


def _nothing_written() -> int:
    return 0


class Keeping:
    """What a sink has kept, over all incarnations. `checkpoint` has the role's file synced and says how far it goes.

    With `replays` the results themselves are written down. `state` is the last checkpoint's, `handled` the number of
    results until then; `payloads` are those results, for a role that `replays`.
    """

    def __init__(self, path: Path, fail: Callable[[str], None]) -> None:
        self._fail = fail
        self._ledger = Ledger(path)
        self.checkpoint: Callable[[], int] = _nothing_written
        self.replays = False
        self.tasks: dict[str, Positions] = {}
        self.state = self.handled = 0
        self.payloads: list[bytes] = []
        for record in map(_decode, self._ledger.records):
            self._take_in(record)
        self._ledger.records.clear()

    def of(self, source: str) -> Positions:
        """The tasks of a source that are kept."""
        return self.tasks.setdefault(source, Positions())

    def write(self, tasks: dict[str, Runs], handled: int, payloads: list[bytes]) -> None:
        """Write down that these tasks are kept, `handled` results in all; when this returns, it is so for good."""
        self._fail("sink.before_write")
        self.state, self.handled = self.checkpoint(), handled
        self._fail("sink.before_log")
        self._ledger.append(_encode(Kept(tasks, self.state, handled, payloads if self.replays else [])))
        self._fail("sink.before_sync")
        self._ledger.sync()
        if self._ledger.wants_compaction and not self.replays:
            everything = {source: positions.runs() for source, positions in self.tasks.items()}
            self._ledger.compact([_encode(Kept(everything, self.state, handled))])
        self._fail("sink.before_ack")

    def _take_in(self, record: Kept) -> None:
        for source, runs in record.tasks.items():
            positions = self.of(source)
            for row in rows(runs):
                positions.add_row(row)
        self.state, self.handled = record.state, record.handled
        self.payloads += record.payloads
