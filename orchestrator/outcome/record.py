"""The events of a run, sorted by what they tell of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from orchestrator.run.events import (
    AddressesKnown,
    BookClosed,
    FaultFired,
    Known,
    ProblemFound,
    ProcessAdded,
    ProcessEnded,
    ProcessFailed,
    ProcessFinished,
    ProcessLaunched,
    ProcessReady,
    RunChanged,
    RunEnded,
    RunReady,
    RunStarted,
)
from orchestrator.run.outlines import ProcessOutline
from roles.kit.histogram import Histogram
from roles.kit.slot import Count, added


@dataclass(slots=True)
class Life:
    """One incarnation of a process, as far as it has come."""

    incarnation: int
    launched: ProcessLaunched | None = None
    ready: ProcessReady | None = None
    finished: ProcessFinished | None = None
    failed: ProcessFailed | None = None
    ended: ProcessEnded | None = None


class Lives:
    """All incarnations of one process, of which there is at least one."""

    def __init__(self) -> None:
        self._lives: dict[int, Life] = {}

    def of(self, incarnation: int) -> Life:
        """The incarnation of this number."""
        return self._lives.setdefault(incarnation, Life(incarnation))

    @property
    def last(self) -> Life:
        """The last incarnation of which anything is known."""
        return self._lives[max(self._lives)] if self._lives else self.of(0)

    @property
    def launched(self) -> list[Life]:
        """Those that were launched, in order."""
        return [life for _, life in sorted(self._lives.items()) if life.launched]

    @property
    def ends(self) -> list[ProcessEnded]:
        """The ends of those that have ended, in order."""
        return [life.ended for _, life in sorted(self._lives.items()) if life.ended]

    @property
    def counts(self) -> dict[str, Count]:
        """What its ports counted, over all incarnations."""
        sums: dict[str, Count] = {}
        for end in self.ends:
            for port, count in end.ports.items():
                sums[port] = added(sums.get(port, Count()), count)
        return sums

    @property
    def latencies(self) -> Histogram:
        """Its round trips, over all incarnations; of one that was killed they are not known."""
        histogram = Histogram()
        for life in self._lives.values():
            if life.finished:
                histogram.merge(life.finished.latencies)
        return histogram


class Record:
    """What is known of a run, by process, book and endpoint; `outlines` are in launch order.

    Raises ValueError where no run begins in the events.
    """

    def __init__(self, events: Iterable[Known]) -> None:
        self.books: dict[tuple[str, bool], BookClosed] = {}
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.problems: list[ProblemFound] = []
        self.notes: list[ProblemFound] = []
        self.fired: dict[int, list[FaultFired]] = {}
        self.end: RunEnded | None = None
        self.go_s: float | None = None
        self.last_s = 0.0
        self._lives: dict[str, Lives] = {}
        self._added: list[ProcessOutline] = []
        start: RunStarted | None = None
        for event in events:
            if isinstance(event, RunStarted):
                start = event
            elif isinstance(event, RunChanged) and start is not None:
                start = _changed(start, event.outline)
            self.last_s = event.at_s
            self._keep(event)
        if start is None:
            raise ValueError("cannot summarise a run that never began: its record has no RunStarted")
        self.start = start
        outlines = {outline.name: outline for outline in start.processes}
        outlines |= {outline.name: outline for outline in self._added if outline.name not in outlines}
        self.outlines = tuple(sorted(outlines.values(), key=lambda outline: outline.stage))

    def lives(self, process: str) -> Lives:
        """The incarnations of a process."""
        return self._lives.setdefault(process, Lives())

    def _keep(self, event: Known) -> None:
        match event:
            case ProcessLaunched() | ProcessReady() | ProcessFinished() | ProcessFailed() | ProcessEnded():
                self._keep_of_process(event)
            case ProcessAdded():
                self._added.append(event.outline)
            case FaultFired():
                self.fired.setdefault(event.fault, []).append(event)
            case BookClosed():
                self.books[event.book, event.replies] = event
            case AddressesKnown():
                self.addresses[event.endpoint] = event.addresses
            case ProblemFound():
                (self.notes if event.expected else self.problems).append(event)
            case RunReady():
                self.go_s = event.at_s
            case RunEnded():
                self.end = event
            case _:
                pass

    def _keep_of_process(
        self, event: ProcessLaunched | ProcessReady | ProcessFinished | ProcessFailed | ProcessEnded
    ) -> None:
        lives = self.lives(event.process)
        match event:
            case ProcessLaunched():
                lives.of(event.incarnation).launched = event
            case ProcessFinished():
                lives.of(event.incarnation).finished = event
            case ProcessEnded():
                lives.of(event.incarnation).ended = event
            case ProcessReady():
                lives.last.ready = event
            case ProcessFailed():
                lives.last.failed = event


def _changed(before: RunStarted, after: RunStarted) -> RunStarted:
    """The run as it has become, with all who have been in it."""
    links = {link.endpoint: link for link in (*before.links, *after.links)}
    processes = {process.name: process for process in (*before.processes, *after.processes)}
    return msgspec.structs.replace(
        after,
        faults=before.faults,
        links=tuple(links.values()),
        processes=tuple(processes.values()),
    )
