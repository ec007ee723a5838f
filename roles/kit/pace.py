"""How often a loop looks at what it need not know at each turn: once in a few, and at each where turns take long."""

from __future__ import annotations

from time import monotonic_ns
from typing import Final

MOMENT_NS: Final = 1_250_000
"""What takes less is a moment: looked at afterwards, nothing is late."""


class Pace:
    """How many items may pass before the clock is looked at again: as many as took a moment, `most` at the most."""

    __slots__ = ("_looked_ns", "_most", "size")

    def __init__(self, most: int) -> None:
        self.size = 1
        self._most = most
        self._looked_ns = monotonic_ns()

    def begin(self) -> None:
        """What passed until now does not count."""
        self._looked_ns = monotonic_ns()

    def passed(self) -> int:
        """So many have passed; what the time is now, in nanoseconds."""
        now_ns = monotonic_ns()
        quick = now_ns - self._looked_ns < MOMENT_NS
        self.size = min(2 * self.size, self._most) if quick else max(1, self.size >> 2)
        self._looked_ns = now_ns
        return now_ns
