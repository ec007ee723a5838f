"""Claim 14, cured: tasks are handed out one by one to whoever asks for the next."""

from __future__ import annotations

import time

from roles.kit import Push, Rep, Req, Role


class Dispatcher(Role):
    """Answers each request with the next of `count` tasks, and with 0 when there are none left."""

    workers = Rep()

    count: int = 100

    def run(self) -> None:
        left = self.count
        for _ in self.workers:
            self.workers.send(left)
            left = max(0, left - 1)


class Taker(Role):
    """Asks for a task whenever it has done the one before, and takes `ms` milliseconds for each."""

    tasks = Req()
    results = Push()

    source = True

    ms: float = 1.0

    def run(self) -> None:
        done = 0
        while task := self.tasks.request("ready"):
            time.sleep(self.ms / 1000)
            self.results.send(task)
            done += 1
        self.result = {"done": done}
