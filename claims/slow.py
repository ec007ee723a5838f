"""Claim 10: a publisher, a subscriber that keeps up with it, and one that stops listening for a while."""

from __future__ import annotations

from memory import peak_bytes
from roles.kit import Pub, Pull, Push, Role, Sub


class Publisher(Role):
    """Publishes `count` updates of `size_bytes`, then tells the slow subscriber to wake up.

    It sends a `burst` at a time, the next when the quick subscriber has this one: it is never faster than the quick
    one, who misses nothing.
    """

    updates = Pub()
    taken = Pull()
    wake = Push()

    count: int = 10_000
    size_bytes: int = 5000
    burst: int = 100

    def run(self) -> None:
        update = bytes(self.size_bytes)
        before_bytes = peak_bytes()
        for _ in range(self.count // self.burst):
            for _ in range(self.burst):
                self.updates.send(update, topic="news ")
            self.taken.recv()
        self.result = {"grown_bytes": peak_bytes() - before_bytes}
        self.wake.send(b"all is sent")


class Quick(Role):
    """Takes every update at once, and says so after each `burst`."""

    updates = Sub()
    taken = Push()

    burst: int = 100

    def connected(self) -> None:
        """Ask for everything."""
        self.updates.subscribe([""])

    def run(self) -> None:
        for number, _ in enumerate(self.updates, 1):
            if number % self.burst == 0:
                self.taken.send(b"taken")


class Slow(Role):
    """Takes `first` updates, sleeps until all are sent, and takes what there is."""

    updates = Sub()
    wake = Pull()

    first: int = 500

    def connected(self) -> None:
        """Ask for everything."""
        self.updates.subscribe([""])

    def run(self) -> None:
        for _ in range(self.first):
            self.updates.recv()
        self.wake.recv()
        for _ in self.updates:
            pass
