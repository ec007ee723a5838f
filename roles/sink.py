"""The sink: collects the results of a batch (the guide, chapter 1, "Divide and Conquer")."""

from __future__ import annotations

import time

from roles.kit.collector import Collector
from roles.kit.pipeline import Pull, is_batch_signal
from roles.kit.ports import Ended


class Sink(Collector):
    """Takes every result.

    With `start: true` the guide's batch signal, `0`, is no result. It comes on a connection of its own: a result may
    overtake it, and the batch has begun with whichever comes first.
    """

    results = Pull()

    start: bool = False

    def run(self) -> None:
        started_s = self._await_batch() if self.start else time.monotonic()
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

    def _await_batch(self) -> float:
        """When the batch began. Whatever comes before the signal is a result."""
        begun = self._note("batch")
        started_s: float | None = None
        try:
            while not begun.exists():  # else an earlier incarnation has had the signal
                item = self.results.recv()
                started_s = time.monotonic() if started_s is None else started_s
                if is_batch_signal(item):
                    begun.touch()
                else:
                    self.handle(item)
        except Ended:
            print("no batch signal came")
        return time.monotonic() if started_s is None else started_s
