"""Where streams begin: the params by which a role is given its items, and how replicas share them out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from roles.kit.calls import SetupError
from roles.kit.role import InputFile, InputFiles, Role

_SHORTEST_PAUSE_S = 0.002
_CATCHES_UP_S = 0.1


class Source(Role):
    """A role that begins a stream: `count`, `range`, `lines` or `files` say of what.

    Replica k of n takes every n-th item, starting with its k-th.
    """

    source = True

    count: int | None = None
    range: tuple[int, int] | None = None
    lines: InputFile | None = None
    files: InputFiles | None = None

    def items(self) -> Iterator[object]:
        """This replica's share of the source's items; raises SetupError where a file is not there.

        Where delivery is acknowledged, it begins after those that were done for good before a restart.
        """
        everything = iter(self.everything())
        done = self.control.delivery.begin_after if self.control.delivery is not None else 0
        if self.spec.replicas == 1 and not done:
            return everything
        first = self.spec.replica - 1 + done * self.spec.replicas
        return itertools.islice(everything, first, None, self.spec.replicas)

    def everything(self) -> Iterable[object]:
        """The items of all replicas together: numbers, lines without their ends, or paths in sorted order."""
        if self.range is not None:
            first, last = self.range
            return range(first, last + 1)
        if self.lines is not None:
            return _lines(self.path(self.lines))
        if self.files is not None:
            return self._paths(self.files)
        return range(1, (self.count or 0) + 1)

    def _paths(self, pattern: str) -> Iterator[str]:
        paths = sorted(str(path) for path in _glob(self.folder, pattern) if path.is_file())
        if not paths:
            raise SetupError("params.files", f"cannot find a file that matches '{pattern}'")
        return iter(paths)

    def paced(self, items: Iterable[object], per_second: float | None) -> Iterable[object]:
        """The items, no more than `per_second` of them; `Finish` is raised while it waits.

        Who was held up for long does not make up for it: it catches up with `_CATCHES_UP_S` at the most.
        """
        return items if per_second is None else self._at_a_rate(items, per_second)

    def _at_a_rate(self, items: Iterable[object], per_second: float) -> Iterator[object]:
        started_s = time.monotonic()
        for number, item in enumerate(items):
            ahead_s = started_s + number / per_second - time.monotonic()
            if ahead_s > _SHORTEST_PAUSE_S:
                self.pause(ahead_s)
            elif ahead_s < -_CATCHES_UP_S:
                started_s -= ahead_s + _CATCHES_UP_S
            yield item


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline=None) as file:
        for line in file:
            yield line.removesuffix("\n")


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    path = Path(pattern).expanduser()
    if path.is_absolute():
        return Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    return folder.glob(pattern)
