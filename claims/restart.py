"""Claim 4: a server that is killed with a request in hand, and a client that waits for the answer all the same."""

from __future__ import annotations

import time

from attempts import outcome
from roles.kit import Duration, Pull, Push, Rep, Req, Role


class Holder(Role):
    """Answers, but keeps request number `hold` in hand for ever; says when it is up, and when it holds."""

    clients = Rep()
    news = Push()

    hold: int = 50

    def run(self) -> None:
        self.news.send("up")
        for request in self.clients:
            if request == self.hold:
                self.news.send("holding")
                self.pause(3600)
            self.clients.send(request)


class Stuck(Role):
    """Asks in plain lockstep. When the server has died and come back it waits, asks again, tries another socket."""

    server = Req()
    another = Req()
    news = Pull()

    requests: int = 50
    patience_ms: int = 300

    def run(self) -> None:
        self._await("up")
        answered = [self.server.request(number) for number in range(1, self.requests)]
        self.server.send(self.requests)
        self._await("holding")
        self._await("up")
        raw = self.server.socket
        self.result = {
            "answered": len(answered),
            "came": raw.poll(self.patience_ms),
            "resend": outcome(lambda: raw.send(b"51")),
            "another_socket": self.another.request(51),
            "came_at_last": raw.poll(self.patience_ms),
        }

    def _await(self, word: str) -> None:
        while self.news.recv() != word:
            pass


def answered(replies: int) -> dict[str, int]:
    """How many requests of a client have been answered, as its result."""
    return {"answered": replies}


def answer(request: object) -> object:
    """Work for five milliseconds, then answer with the request."""
    time.sleep(0.005)
    return request


class Sleepy(Role):
    """Answers, but sleeps before its first answer for so long that the client gives up waiting."""

    clients = Rep()

    nap: Duration = 0.5

    def run(self) -> None:
        for number, request in enumerate(self.clients):
            if not number:
                self.pause(self.nap)
            self.clients.send(request)
