"""How far a run is, as rows to show: readings of the slots turned into counts, rates and shares. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.run.events import Known, ProcessAdded, ProcessEnded, Progress, RunStarted
from orchestrator.run.outlines import ProcessOutline
from roles.kit.slot import Count, added

MOST_ROWS = 20
"""With more processes than this, a row stands for a node."""

_WINDOW_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One process, or one node of many.

    A count is None in a direction that it has not; `total` is what is to be handled, None where unknown.
    """

    name: str
    replicas: int = 1
    received: int | None = None
    sent: int | None = None
    rate_per_s: float = 0.0
    share: float | None = None
    total: int | None = None

    @property
    def done(self) -> int:
        """What it has handled: received, or sent where it only sends."""
        return (self.sent if self.received is None else self.received) or 0


class Board:
    """Keeps the last reading of each process, and the readings of the last seconds for the rates.

    `totals` tells how many messages a process is to handle, where that is known beforehand.
    """

    def __init__(self, start: RunStarted, totals: Mapping[str, int]) -> None:
        """Begin with no readings."""
        self._outlines = sorted(start.processes, key=_stage)
        self._totals = totals
        self._counts: dict[str, tuple[int, int]] = {}
        self._before: dict[str, dict[str, Count]] = {}
        self._past: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()

    def take(self, event: Known) -> None:
        """Take in a reading of the processes that live, one who joins, or the end of an incarnation."""
        match event:
            case Progress():
                self._read(event)
            case ProcessAdded():
                self._outlines = sorted([*self._outlines, event.outline], key=_stage)
            case ProcessEnded():
                self._counts[event.process] = self._totals_of(event.process, event.ports)
                self._before[event.process] = self._with_before(event.process, event.ports)
            case _:
                pass

    def _read(self, progress: Progress) -> None:
        """Of the processes that live no more the last reading stands."""
        for name, reading in progress.readings.items():
            self._counts[name] = self._totals_of(name, reading.ports)
        self._past.append((progress.at_s, dict(self._counts)))
        while len(self._past) > 2 and self._past[1][0] <= progress.at_s - _WINDOW_S:
            self._past.popleft()

    def _totals_of(self, process: str, ports: Mapping[str, Count]) -> tuple[int, int]:
        """What a process received and sent, its earlier incarnations included."""
        counts = self._with_before(process, ports).values()
        return sum(one.received for one in counts), sum(one.sent for one in counts)

    def _with_before(self, process: str, ports: Mapping[str, Count]) -> dict[str, Count]:
        before = self._before.get(process)
        if before is None:
            return dict(ports)
        return before | {port: added(before.get(port, Count()), count) for port, count in ports.items()}

    def rows(self, *, by_node: bool = False) -> list[Row]:
        """A row a process, or a node where there are many or `by_node` asks for it, in launch order."""
        groups: dict[str, list[ProcessOutline]] = {}
        for outline in self._outlines:
            groups.setdefault(outline.node, []).append(outline)
        if by_node or len(self._outlines) > MOST_ROWS:
            return [self._row(node, group, None) for node, group in groups.items()]
        wholes = {node: self._done(group) for node, group in groups.items() if len(group) > 1}
        return [self._row(one.name, [one], wholes.get(one.node)) for one in self._outlines]

    def _row(self, name: str, group: list[ProcessOutline], whole: int | None) -> Row:
        received = sum(self._count(one)[0] for one in group) if group[0].receives else None
        sent = sum(self._count(one)[1] for one in group) if group[0].sends else None
        totals = [self._totals[one.name] for one in group if one.name in self._totals]
        return Row(
            name=name,
            replicas=len(group),
            received=received,
            sent=sent,
            rate_per_s=self._rate(group),
            share=self._done(group) / whole if whole else None,
            total=sum(totals) if len(totals) == len(group) else None,
        )

    def _count(self, outline: ProcessOutline) -> tuple[int, int]:
        return self._counts.get(outline.name, (0, 0))

    def _done(self, group: list[ProcessOutline]) -> int:
        return sum(self._count(one)[0 if one.receives else 1] for one in group)

    def _rate(self, group: list[ProcessOutline]) -> float:
        if len(self._past) < 2:
            return 0.0
        (from_s, before), (to_s, _) = self._past[0], self._past[-1]
        earlier = sum(before.get(one.name, (0, 0))[0 if one.receives else 1] for one in group)
        return (self._done(group) - earlier) / (to_s - from_s) if to_s > from_s else 0.0


def _stage(outline: ProcessOutline) -> int:
    return outline.stage
