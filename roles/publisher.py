"""The publisher: sends updates to whoever has subscribed (the guide, chapter 1, "Getting the Message Out")."""

from __future__ import annotations

from collections.abc import Iterable

from roles.functions import weather
from roles.kit.calls import Function
from roles.kit.pubsub import Pub
from roles.kit.source import Source


class Publisher(Source):
    """Sends updates, by default weather without an end; it finishes when no subscriber needs more.

    With codecs bytes and text an update's topic is its own prefix. With the others an item that is a pair
    `(topic, update)` from `call` has its topic, and any other item the empty one.
    """

    updates = Pub()

    call: Function | None = None
    rate: float | None = None

    def run(self) -> None:
        self.updates.send_all(self.paced(self.items(), self.rate))

    def everything(self) -> Iterable[object]:
        """All updates, those of the other replicas included."""
        if self.call is not None:
            updates: Iterable[object] = self.call()
            return updates
        if (self.count, self.range, self.lines, self.files) == (None, None, None, None):
            return weather(self.random)
        return super().everything()
