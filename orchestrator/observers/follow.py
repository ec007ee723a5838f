"""A journal read while somebody else writes it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.observers.journal import decode_event
from orchestrator.run.events import Known


class JournalFollower:
    """Gives the events added since it was last asked; a line that is not whole waits for its end.

    One that cannot be read, torn by the death of who wrote it, is passed over.
    """

    def __init__(self, path: Path) -> None:
        """Follow the journal at `path`, which need not be there yet."""
        self._path = path
        self._offset = 0

    def read(self) -> list[Known]:
        """The events that have been added; raises OSError where the journal cannot be read."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = []
        for line in whole.splitlines():
            try:
                events.append(decode_event(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        return events
