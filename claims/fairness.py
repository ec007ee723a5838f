"""Claim 8: several publishers of unequal zeal, and a subscriber that looks at whose turn it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from roles.kit import Pub, Pull, Push, Role, Sub


def jain(shares: Collection[int]) -> float:
    """Jain's index of fairness: 1 where all shares are equal, 1/n where one of n has all."""
    squares = sum(share * share for share in shares)
    return round(sum(shares) ** 2 / (len(shares) * squares), 4) if squares else 1.0


class Broadcaster(Role):
    """Publishes `count` updates in its own name as fast as it can, and then says on another channel that it has."""

    updates = Pub()
    said = Push()

    source = True

    count: int = 5000

    def run(self) -> None:
        for _ in range(self.count):
            self.updates.send(self.name)
        self.said.send(self.name)


class Audience(Role):
    """Lets `publishers` fill its queues first, then takes all, counting whose the first `window` updates are."""

    updates = Sub()
    said = Pull()

    publishers: int = 4
    window: int = 4000
    settle_s: float = 2.0

    def connected(self) -> None:
        """Ask for everything."""
        self.updates.subscribe([""])

    def run(self) -> None:
        for _ in range(self.publishers):
            self.said.recv()
        self.pause(self.settle_s)  # what has been said on one channel may overtake the other's last bytes
        early = Counter(self.updates.recv() for _ in range(self.window))
        everything = early + Counter(self.updates)
        self.result = {
            "jain_under_backlog": jain(early.values()),
            "least_under_backlog": min(early.values()) if len(early) == self.publishers else 0,
            "jain_altogether": jain(everything.values()),
        }
