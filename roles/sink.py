"""The sink: collects the results of a batch (the guide, chapter 1, "Divide and Conquer")."""

from __future__ import annotations

import time

from roles.kit.collector import Collector
from roles.kit.pipeline import Pull
from roles.kit.ports import Ended


class Sink(Collector):
    """Takes every result.

    With `start: true` the first message is the guide's batch signal: it starts the clock and is no result.
    """

    results = Pull()

    start: bool = False

    def run(self) -> None:
        if self.start:
            self._await_batch()
        started_s = time.monotonic()
        if self.only_counts and self.results.packed:
            for results in self.results.lists():
                self.handled += len(results)
        elif self.only_counts:
            self.count_all(self.results)
        else:
            handle = self.handle
            for result in self.results:
                handle(result)
        if self.start:
            print(f"{self.handled} results in {(time.monotonic() - started_s) * 1000:.0f} ms")
        self.conclude()

    def _await_batch(self) -> None:
        begun = self._note("batch")
        if begun.exists():
            return  # an earlier incarnation has had the signal
        try:
            self.results.recv()
        except Ended:
            print("the batch never started: no signal came")
        else:
            begun.touch()
