"""What a worker has sent last, in case that it was lost with a sink or a source: nothing need be done twice. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from roles.kit.positions import Runs, rows

KEPT_BYTES: Final = 16 << 20
"""So much of it is kept; what is not is done again where it was lost."""


class Sent:
    """The last messages of results, as many as hold `most_tasks`.

    A source waits for its window of one worker at the most, and one that is started again for another one.
    """

    def __init__(self, most_tasks: int) -> None:
        self._most_tasks = most_tasks
        self._messages: deque[tuple[bytes, Sequence[int], list[bytes], int]] = deque()
        self._tasks = self._bytes = 0

    def add(self, source: bytes, tasks: Sequence[int], frames: list[bytes], items: int) -> None:
        """This message has the results of these tasks of a source: so many items."""
        messages = self._messages
        messages.append((source, tasks, frames, items))
        self._tasks += len(tasks)
        self._bytes += len(frames[-1])
        while messages and (
            self._tasks - len(messages[0][1]) >= self._most_tasks or self._bytes > KEPT_BYTES
        ):
            _, old, (*_, payload), _ = messages.popleft()
            self._tasks -= len(old)
            self._bytes -= len(payload)

    def with_any_of(self, source: bytes, runs: Runs) -> Iterator[tuple[list[bytes], int]]:
        """The messages with results of any of these tasks, in their order, each with the number of its items."""
        wanted = list(rows(runs))
        for its_source, tasks, frames, items in list(self._messages):
            if its_source == source and any(task in row for task in tasks for row in wanted):
                yield frames, items
