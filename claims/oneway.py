"""Claim 6: what a raw PUB and a raw SUB refuse, and the channel back that an answer needs."""

from __future__ import annotations

import zmq

from attempts import outcome, receive
from roles.kit import Pub, Pull, Push, Role, Sub


class Sockets(Role):
    """A PUB and a SUB of its own, without anything of ours between, that meet and then try the wrong way.

    The publishers of this project bind an XPUB, which can receive; so this one is raw.
    """

    updates = Pub()

    count: int = 100

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.PUB) as pub, context.socket(zmq.SUB) as sub:
            self.result = self._try(pub, sub)
        for number in range(self.count):
            self.updates.send(number)

    def _try(self, pub: zmq.Socket[bytes], sub: zmq.Socket[bytes]) -> dict[str, str]:
        pub.linger = sub.linger = 0
        port = pub.bind_to_random_port("tcp://127.0.0.1")
        sub.subscribe("")
        sub.connect(f"tcp://127.0.0.1:{port}")
        while not sub.poll(10):
            pub.send(b"update")  # until the subscription is there
        return {
            "update": receive(sub),
            "receive_on_pub": outcome(lambda: pub.recv(zmq.NOBLOCK)),
            "send_on_sub": outcome(lambda: sub.send(b"answer", zmq.NOBLOCK)),
        }


class Listener(Role):
    """Tries to answer the first update on the socket that it came by, then takes the others."""

    updates = Sub()

    def connected(self) -> None:
        """Ask for everything."""
        self.updates.subscribe([""])

    def run(self) -> None:
        for number in self.updates:
            if not number:
                self.result = {"send_on_sub": outcome(lambda: self.updates.socket.send(b"answer"))}


class Asking(Role):
    """Publishes `count` updates, and takes the answer of each of `listeners` to one before it sends the next."""

    updates = Pub()
    answers = Pull()

    count: int = 100
    listeners: int = 1

    def run(self) -> None:
        answered = 0
        for number in range(self.count):
            self.updates.send(number)
            answered += sum(self.answers.recv() == number for _ in range(self.listeners))
        self.result = {"answered": answered}


class Answering(Role):
    """Answers each update over a channel of its own."""

    updates = Sub()
    answers = Push()

    def connected(self) -> None:
        """Ask for everything."""
        self.updates.subscribe([""])

    def run(self) -> None:
        for number in self.updates:
            self.answers.send(number)
