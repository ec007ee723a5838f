"""Claim 1: what REQ and REP refuse, tried on the sockets themselves, and that the pair goes on afterwards."""

from __future__ import annotations

from attempts import outcome, receive
from roles.kit import Dealer, Rep, Req, Role


class Asker(Role):
    """Breaks the lockstep of a REQ in each way there is, then makes `requests` as it should."""

    server = Req()

    requests: int = 100

    def run(self) -> None:
        raw = self.server.socket
        self.result = {"receive_before_send": outcome(raw.recv), "send": outcome(lambda: raw.send(b"first"))}
        self.result["send_again"] = outcome(lambda: raw.send(b"second"))
        self.result["reply"] = receive(raw)
        self.result["receive_again"] = outcome(raw.recv)
        for number in range(self.requests):
            self.server.request(number)


class Answerer(Role):
    """Breaks the lockstep of a REP in each way there is, then answers as it should."""

    clients = Rep()

    def run(self) -> None:
        raw = self.clients.socket
        self.result = {"send_before_receive": outcome(lambda: raw.send(b"unasked")), "request": receive(raw)}
        self.result["receive_again"] = outcome(raw.recv)
        self.result["send"] = outcome(lambda: raw.send(b"answer to the first"))
        self.result["send_again"] = outcome(lambda: raw.send(b"answer to nothing"))
        for request in self.clients:
            self.clients.send(request)


class Dealing(Role):
    """Sends `requests` in a row over a DEALER, and only then takes the replies."""

    server = Dealer()

    requests: int = 100

    def run(self) -> None:
        for number in range(self.requests):
            self.server.send(number)
        replies = [self.server.recv() for _ in range(self.requests)]
        self.result = {"in_order": replies == list(range(self.requests))}
