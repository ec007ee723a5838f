"""The subscriber: takes the updates of its topics (the guide, chapter 1, "Getting the Message Out")."""

from __future__ import annotations

import itertools

from roles.kit.collector import Collector
from roles.kit.pubsub import Sub


class Subscriber(Collector):
    """Takes what its `topics` let through, all by default, and finishes after as many as `updates` says."""

    feed = Sub(name="updates")

    topics: list[str] | None = None
    updates: int | None = None

    def connected(self) -> None:
        """Subscribe before the barrier, so that the first update that is sent is not missed."""
        self.feed.subscribe([""] if self.topics is None else self.topics)

    def run(self) -> None:
        updates = itertools.islice(self.feed, self.updates)
        if self.only_counts:
            self.count_all(updates)
        else:
            for update in updates:
                self.handle(update)
        self.conclude()
