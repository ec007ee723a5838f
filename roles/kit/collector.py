"""Where streams end: the params by which a role is told what to do with what it receives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import msgspec

from roles.kit.batches import packing
from roles.kit.calls import Function, SetupError
from roles.kit.kept import Keeping
from roles.kit.ledger import File
from roles.kit.role import OutputFile, Role


class Collector(Role):
    """A role that takes results: `call` sees each, or `fold` makes one total of them.

    `into` is a file of JSON Lines (what `call` returns, or the items), or with `fold` the total as JSON.
    `report` is given the total (without `fold` the number of items) when all is in: a text that it returns is
    printed, a mapping becomes this role's result in the summary.
    """

    call: Function | None = None
    fold: Function | None = None
    into: OutputFile | None = None
    report: Function | None = None

    def setup(self) -> None:
        """Open the file that `into` names, so that one that cannot be written ends the run before it begins."""
        self.total: Any = None
        self.handled = 0
        self._at_once = False
        self._lines: IO[bytes] | File | None = None
        self._keeping = self.control.delivery.keeping if self.control.delivery is not None else None
        if self.into is not None:
            try:
                keeping = self._keeping
                self._lines = self._open_lines() if keeping is None else self._open_kept_lines(keeping)
            except OSError as error:
                raise SetupError("params.into", f"cannot write {self.into}: {error.strerror}") from None
        if self._keeping is not None:
            self._go_on_with(self._keeping)

    def _go_on_with(self, keeping: Keeping) -> None:
        """Be as far as those results go that were acknowledged, and have the next ones written down with the file.

        A total is made anew from the results themselves: nothing is known of what it is.
        """
        keeping.checkpoint = self._written_bytes
        keeping.replays = self.fold is not None
        self.handled = keeping.handled
        codec = next(port.codec for port in self.spec.ports if port.delivery == "keep")
        if self.fold is not None:
            for payload in keeping.payloads:
                for item in packing(codec).split(payload):
                    self.total = self.fold(self.total, item)
        keeping.payloads.clear()

    def _written_bytes(self) -> int:
        """How long the file is, all of which is on the disk by then; with `fold` it is written at the end only."""
        if not isinstance(self._lines, File) or self.fold is not None:
            return 0
        if not self._lines.closed:
            self._lines.sync()
        return self._lines.size_bytes

    def _open_kept_lines(self, keeping: Keeping) -> File:
        """The lines of the results that were acknowledged. A later incarnation may find the file completed."""
        path = self._partial_path()
        if keeping.state and not path.exists() and self._into_path().exists():
            self._into_path().replace(path)
        lines = File(path)
        if lines.size_bytes > keeping.state:
            lines.cut(keeping.state)
        return lines

    def _open_lines(self) -> IO[bytes]:
        """A new file, or the lines of an earlier incarnation, but for one that it was killed in.

        Where the process may be started again each line is out of its hands at once, so that it outlives a kill.
        """
        path = self._partial_path()
        self._at_once = self.spec.restart.policy != "no"
        if not self.incarnation or self.fold is not None:
            return path.open("wb")
        if self._concluded.exists():
            if self._concluded.read_text() == str(self._into_path()):  # else it is to write another file now
                with contextlib.suppress(FileNotFoundError):  # killed between the two
                    self._into_path().replace(path)
            self._concluded.unlink()
        lines = path.read_bytes() if path.exists() else b""
        self.handled = lines.count(b"\n")
        file = path.open("ab")
        file.truncate(lines.rfind(b"\n") + 1)
        return file

    @property
    def _concluded(self) -> Path:
        """Where it is noted that an incarnation of this process has completed the file."""
        return self._note("concluded")

    @property
    def only_counts(self) -> bool:
        """Whether there is nothing to do with an item but to count it."""
        mine = (
            type(self).handle is Collector.handle
        )  # else a role that derives from this one has something to do
        return mine and self.call is None and self.fold is None and self.into is None

    def count_all(self, items: Iterable[Any]) -> None:
        """Take all items, where there is nothing to do but to count them."""
        count = 0
        try:
            for count, _ in enumerate(items, 1):  # noqa: B007 - it is used when the loop is over
                pass
        finally:
            self.handled += count

    def handle(self, item: Any) -> None:
        """Take one item."""
        if self.fold is not None:
            self.total = self.fold(self.total, item)
            self.handled += 1
            return
        kept = item if self.call is None else self.call(item)
        if self._lines is not None:
            self._lines.write(msgspec.json.encode(kept) + b"\n")
            if self._at_once:
                self._lines.flush()
        self.handled += 1

    def conclude(self) -> None:
        """All is in: write the file, print or keep the report."""
        self._write()
        if self.report is None:
            return
        told = self.report(self.total if self.fold is not None else self.handled)
        if isinstance(told, dict):
            self.result = told
        elif told is not None:
            print(told)

    def _write(self) -> None:
        if self._lines is None:
            return
        if self.fold is not None:
            self._lines.write(msgspec.json.format(msgspec.json.encode(self.total, order="sorted")) + b"\n")
        if isinstance(self._lines, File):
            self._lines.sync()
        self._lines.close()
        self._partial_path().replace(self._into_path())
        if self.fold is None and self._keeping is None:
            self._concluded.write_text(str(self._into_path()))

    def close(self) -> None:
        """What was not completed keeps another name, so that nobody takes it for the whole; an empty file goes."""
        if self._lines is None or self._lines.closed:
            return
        with contextlib.suppress(OSError):  # the disk is full, of which the role has failed
            self._lines.close()
        partial = self._partial_path()
        if partial.stat().st_size:
            print(f"incomplete: {self.handled} items are in {partial.name}")
        else:
            partial.unlink()

    def _into_path(self) -> Path:
        path = self.path(self.into or "")
        if self.spec.replicas > 1:
            return path.with_stem(f"{path.stem}-{self.spec.replica}")
        return path

    def _partial_path(self) -> Path:
        path = self._into_path()
        return path.with_name(f"{path.name}.partial")
