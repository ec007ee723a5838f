"""The built-in roles, with a clock that is read before their first message and after their last one.

The plain scripts read theirs at the same two points. Clocks are the system's monotonic one, in seconds, which all
processes of a machine share.
"""

from __future__ import annotations

import itertools
import time

from roles import client, publisher, sink, subscriber, ventilator


class Ventilator(ventilator.Ventilator):
    """Tells when its first task was due, and what the demo's ventilator tells besides."""

    def run(self) -> None:
        """Send the tasks."""
        began_s = time.monotonic()
        super().run()
        self.result = {**(self.result or {}), "began_s": began_s}


class Sink(sink.Sink):
    """Tells when the last of `expected` results was there: the end of the stream comes a moment later."""

    expected: int = 0

    def run(self) -> None:
        """Take the results, as its base does."""
        if self.results.packed:
            ended_s = self._take_lists()
        else:
            results = iter(self.results)
            count = 0
            for count, _ in enumerate(itertools.islice(results, self.expected), 1):  # noqa: B007 - used below
                pass
            ended_s = time.monotonic()
            self.handled = count + sum(1 for _ in results)
        self.conclude()
        self.result = {"ended_s": ended_s}

    def _take_lists(self) -> float:
        ended_s = 0.0
        for results in self.results.lists():
            self.handled += len(results)
            if self.handled == self.expected:
                ended_s = time.monotonic()
        return ended_s


class DemoSink(sink.Sink):
    """The demo's sink, which need not know how many results there are; its few results may cost a clock each."""

    def handle(self, item: object) -> None:
        """Take one result."""
        super().handle(item)
        self.result = {"ended_s": time.monotonic()}


class Client(client.Client):
    """Tells when its first request was due, and when the last reply was there."""

    def run(self) -> None:
        """Ask in lockstep."""
        began_s = time.monotonic()
        super().run()
        self.result = {"began_s": began_s, "ended_s": time.monotonic()}


class Publisher(publisher.Publisher):
    """Tells when its first update was due, and when the last one was sent."""

    def run(self) -> None:
        """Send the updates."""
        began_s = time.monotonic()
        super().run()
        self.result = {"began_s": began_s, "ended_s": time.monotonic()}


class Subscriber(subscriber.Subscriber):
    """Tells when it had its last update."""

    def run(self) -> None:
        """Take the updates."""
        super().run()
        self.result = {"ended_s": time.monotonic()}
