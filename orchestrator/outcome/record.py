"""The events of a run, sorted by what they tell of."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.run.events import (
    AddressesKnown,
    BookClosed,
    Known,
    ProblemFound,
    ProcessEnded,
    ProcessFailed,
    ProcessFinished,
    ProcessLaunched,
    ProcessReady,
    RunEnded,
    RunReady,
    RunStarted,
)


class Record:
    """What is known of a run, by process, book and endpoint; `outlines` are in launch order.

    Raises ValueError where no run begins in the events.
    """

    def __init__(self, events: Iterable[Known]) -> None:
        self.launched: dict[str, ProcessLaunched] = {}
        self.ready: dict[str, ProcessReady] = {}
        self.finished: dict[str, ProcessFinished] = {}
        self.failed: dict[str, ProcessFailed] = {}
        self.ended: dict[str, ProcessEnded] = {}
        self.books: dict[tuple[str, bool], BookClosed] = {}
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.problems: list[ProblemFound] = []
        self.end: RunEnded | None = None
        self.go_s: float | None = None
        self.last_s = 0.0
        start: RunStarted | None = None
        for event in events:
            if isinstance(event, RunStarted):
                start = event
            self.last_s = event.at_s
            self._keep(event)
        if start is None:
            raise ValueError("cannot summarise a run that never began: its record has no RunStarted")
        self.start = start
        self.outlines = tuple(sorted(start.processes, key=lambda outline: outline.stage))

    def _keep(self, event: Known) -> None:
        match event:
            case ProcessLaunched():
                self.launched[event.process] = event
            case ProcessReady():
                self.ready[event.process] = event
            case ProcessFinished():
                self.finished[event.process] = event
            case ProcessFailed():
                self.failed[event.process] = event
            case ProcessEnded():
                self.ended[event.process] = event
            case BookClosed():
                self.books[event.book, event.replies] = event
            case AddressesKnown():
                self.addresses[event.endpoint] = event.addresses
            case ProblemFound():
                self.problems.append(event)
            case RunReady():
                self.go_s = event.at_s
            case RunEnded():
                self.end = event
            case _:
                pass
