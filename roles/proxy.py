"""The proxy: passes messages between two sides that do not know each other (the guide, chapter 2)."""

from __future__ import annotations

import threading
from typing import Literal

import zmq

from roles.kit.ports import Raw
from roles.kit.role import Role


class Proxy(Role):
    """Passes on all that comes, both ways: a queue for requests, a forwarder for updates, a streamer for tasks.

    libzmq does the work in a thread of its own, so a message costs no Python; nothing is counted here.
    """

    frontend = Raw()
    backend = Raw()

    kind: Literal["queue", "forwarder", "streamer"]

    def setup(self) -> None:
        """Nothing is pumped yet."""
        self._thread: threading.Thread | None = None

    def connected(self) -> None:
        """Pump from now on: a forwarder's subscriptions must pass before the barrier can lift."""
        address = f"inproc://steer-{self.name}"
        context = self.frontend.socket.context
        self._steering = context.socket(zmq.PAIR)
        self._steering.bind(address)
        self._thread = threading.Thread(target=self._pump, args=(context, address), name="pump", daemon=True)
        self._thread.start()

    def run(self) -> None:
        while True:
            self.pause(3600.0)

    def close(self) -> None:
        """Stop the pump, so that the sockets are this thread's again."""
        if self._thread is not None:
            self._steering.send(b"TERMINATE")
            self._thread.join()
            self._steering.close(linger=0)

    def _pump(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        with context.socket(zmq.PAIR) as steering:
            steering.connect(address)
            zmq.proxy_steerable(self.frontend.socket, self.backend.socket, None, steering)
