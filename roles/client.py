"""The client: asks a server and waits for its answer (the guide, chapter 1, "Ask and Ye Shall Receive")."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from roles.kit.collector import Collector
from roles.kit.reqrep import Req
from roles.kit.role import Retry
from roles.kit.source import Source


class Client(Source, Collector):
    """Sends requests in lockstep: each waits for its reply before the next.

    It sends `payload` as many times as `requests` says, or the items of a source. With `sockets` it is that
    many clients in one process, each making its own requests. With `retry` a request that is not answered in time
    is sent again, as the guide's Lazy Pirate does (chapter 4).
    """

    server = Req()

    requests: int | None = None
    payload: str = "Hello"
    sockets: int = 1
    retry: Retry | None = None

    def run(self) -> None:
        for reply in self.server.exchange(self.series, retry=self.retry):
            self.handle(reply)
        self.conclude()

    def series(self) -> Iterable[object]:
        """The requests of one socket."""
        if (self.count, self.range, self.lines, self.files) == (None, None, None, None):
            return itertools.repeat(self.payload, 1 if self.requests is None else self.requests)
        return itertools.islice(self.items(), self.requests)
