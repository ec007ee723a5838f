"""Claim 9: a publisher to whom nobody listens, and a PUSH that has nobody to push to."""

from __future__ import annotations

import zmq

from attempts import outcome
from memory import peak_bytes
from roles.kit import Pub, Role


class Unheard(Role):
    """Publishes `count` updates of `size_bytes`, and looks at what that has cost it."""

    updates = Pub()

    count: int = 50_000
    size_bytes: int = 2000

    def run(self) -> None:
        before_bytes = peak_bytes()
        for number in range(self.count):
            self.updates.send(number.to_bytes(self.size_bytes, "big"))
        self.result = {"grown_bytes": peak_bytes() - before_bytes, "push": self._push()}

    def _push(self) -> str:
        """What a PUSH does that is as alone as this publisher is."""
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.bind_to_random_port("tcp://127.0.0.1")
            return outcome(lambda: push.send(b"task", zmq.NOBLOCK))
