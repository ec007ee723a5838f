"""How much of a run's time somebody has looked after its processes. Pure.

Whatever holds the coordinator up (a signal, a machine that sleeps, a disk that is stuck) may hold up the processes as
well, and what they have said meanwhile is not read yet. So none is blamed for that time.
"""

from __future__ import annotations

import bisect
from operator import itemgetter

LONGEST_STEP_S = 0.2
"""From one event to the next no more counts; where nothing happens, the runner's ticks come sooner."""

_MOST_POINTS = 2000


class Attention:
    """The attended time as a function of the run's time: it goes as fast, but where a step was too long."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = [(0.0, 0.0)]
        """The run's time and the attended time where each long step began and ended; straight lines lie between."""

    def step(self, before_s: float, now_s: float) -> None:
        """Time has passed from one event to the next."""
        if now_s - before_s <= LONGEST_STEP_S:
            return
        began_s = self.attended_s(before_s)
        if before_s > self._points[-1][0]:
            self._points.append((before_s, began_s))
        self._points.append((now_s, began_s + LONGEST_STEP_S))
        if len(self._points) > _MOST_POINTS:
            del self._points[1 : _MOST_POINTS // 2 : 2]

    def attended_s(self, at_s: float) -> float:
        """The attended time at a time of the run."""
        after = bisect.bisect_right(self._points, at_s, key=itemgetter(0))
        start_s, attended_s = self._points[max(0, after - 1)]
        if after in (0, len(self._points)):
            return attended_s + at_s - start_s
        end_s, then_s = self._points[after]
        return attended_s + (at_s - start_s) * (then_s - attended_s) / (end_s - start_s)
