"""What an earlier incarnation of a source had given, until it is known what became of it. Pure.

Most of that is with workers still, or done by them, and need not be given again. So each of them is asked, by a mark,
to say once more what it has done of it; what is not acknowledged when all have answered was lost with the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from roles.kit.positions import Positions, Runs

NOBODY_COMES_NS: Final = 100_000_000
"""After so long without another worker nobody comes of whom one does not know."""

PATIENCE_NS: Final = 60_000_000_000
"""Who is in the middle of a task is seen, and answers, when that is done: so long may it take."""


class Inherited:
    """The tasks up to `before`, but for those `done`: a set that grows as acknowledgements come."""

    def __init__(self, before: int, done: Positions) -> None:
        self.before = before
        self._done = done
        self._come: set[bytes] = set()
        self._is_open = before > done.watermark
        self._positions: list[int] = []
        self._unanswered: dict[bytes, int] = {}
        self._since_ns = self._began_ns = 0

    def has(self, position: int) -> bool:
        """Whether it is not known yet what became of a task."""
        return self._is_open and position <= self.before

    def add(self, positions: Sequence[int]) -> None:
        """These have had their turn, and may have to be given."""
        self._positions += positions

    def come(self, peer: bytes, now_ns: int) -> None:
        """Somebody has come."""
        if self._is_open:
            self._come.add(peer)
            self._since_ns = now_ns

    def ask(self, worker: bytes, mark: int) -> None:
        """A worker is to answer by this mark, or a later one."""
        if self._is_open:
            self._unanswered[worker] = mark

    def ask_anew(self, worker: bytes, mark: int) -> None:
        """What a worker was asked, or has said, may be lost: only this mark, or a later one, is an answer."""
        if worker in self._unanswered:
            self._unanswered[worker] = mark

    def is_asked(self, worker: bytes) -> bool:
        """Whether a worker has not answered yet."""
        return worker in self._unanswered

    def asked_of(self, worker: bytes, mark: int) -> Runs:
        """The tasks of which a worker is to say with this mark what it has done, and others between them."""
        first = self._done.watermark + 1
        is_asked = self._unanswered.get(worker) == mark and first <= self.before
        return [first, self.before - first + 1] if is_asked else []

    def answered(self, worker: bytes, mark: int) -> None:
        """A mark of a worker has come back: what it had to say was heard before."""
        if mark >= self._unanswered.get(worker, 0):
            self.forget(worker)

    def forget(self, worker: bytes) -> None:
        """A worker answers no more, and comes no more."""
        self._unanswered.pop(worker, None)
        self._come.add(worker)

    def lost(self, now_ns: int, peers: int) -> list[int]:
        """Those that have to be given again, once that is known; it is said once.

        So many `peers`, workers and sinks, are connected, and are seen to come when they have the time.
        """
        if not self._is_open:
            return []
        self._began_ns = self._began_ns or now_ns
        comes_ns = now_ns - max(self._began_ns, self._since_ns)
        said = not self._unanswered and len(self._come) >= peers and comes_ns >= NOBODY_COMES_NS
        if not said and now_ns - self._began_ns < PATIENCE_NS:
            return []
        self._is_open = False
        lost, self._positions = [one for one in self._positions if one not in self._done], []
        return lost
