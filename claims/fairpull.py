"""Claim 15: senders of unequal zeal, and a receiver that looks at whose turn it is."""

from __future__ import annotations

from collections import Counter

from fairness import jain
from roles.kit import Pull, Push, Role
from roles.kit.source import Source


class Sender(Source):
    """Sends `count` items in its own name, at most `rate` a second; with `said` it then says that it has."""

    parcels = Push()
    said = Push(optional=True)

    rate: float | None = None

    def run(self) -> None:
        for _ in self.paced(self.items(), self.rate):
            self.parcels.send(self.name)
        if self.said.connected:
            self.said.send(self.name)


class Receiver(Role):
    """Takes all items, counting whose the first `window` are; with `said` it begins when all `senders` have sent."""

    parcels = Pull()
    said = Pull(optional=True)

    senders: int = 2
    window: int = 2000
    settle_s: float = 2.0

    def run(self) -> None:
        if self.said.connected:
            for _ in range(self.senders):
                self.said.recv()
            self.pause(self.settle_s)  # what has been said on one channel may overtake the other's last bytes
        early = Counter(self.parcels.recv() for _ in range(self.window))
        everything = early + Counter(self.parcels)
        self.result = {
            "first": self.window,
            "jain_of_the_first": jain(early.values()) if len(early) == self.senders else 0.0,
            "least_of_the_first": min(early.values()),
            "jain_altogether": jain(everything.values()),
        }
