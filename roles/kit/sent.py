"""What a worker has sent last, in case that it was lost with a sink or a source: nothing need be done twice. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Final

from roles.kit.positions import Runs, rows

KEPT_BYTES: Final = 16 << 20
"""So much of it is kept; what is not is done again where it was lost."""


class Sent:
    """The last messages for one source, as many as hold `most_tasks`.

    A source waits for its window of one worker at the most, and one that is started again for another one.
    """

    def __init__(self, most_tasks: int) -> None:
        self._most_tasks = most_tasks
        self._messages: deque[tuple[Sequence[int], list[bytes], int]] = deque()
        self._tasks = self._bytes = 0

    def add(self, tasks: Sequence[int], frames: list[bytes], items: int) -> None:
        """This message is about these tasks; so many items are in it."""
        messages = self._messages
        messages.append((tasks, frames, items))
        self._tasks += len(tasks)
        self._bytes += len(frames[-1])
        while messages and (
            self._tasks - len(messages[0][0]) >= self._most_tasks or self._bytes > KEPT_BYTES
        ):
            old, (*_, payload), _ = messages.popleft()
            self._tasks -= len(old)
            self._bytes -= len(payload)

    def with_any_of(self, runs: Runs) -> Iterator[tuple[list[bytes], int]]:
        """The messages about any of these tasks, in their order, each with the number of its items."""
        wanted = list(rows(runs))
        for tasks, frames, items in list(self._messages):
            if any(task in row for task in tasks for row in wanted):
                yield frames, items


class SentBySource:
    """The same for each source that there is."""

    def __init__(self, most_tasks: int) -> None:
        self._of = defaultdict[bytes, Sent](lambda: Sent(most_tasks))

    def add(self, source: bytes, tasks: Sequence[int], frames: list[bytes], items: int) -> None:
        """This message for a source is about these tasks; so many items are in it."""
        self._of[source].add(tasks, frames, items)

    def with_any_of(self, source: bytes, runs: Runs) -> Iterator[tuple[list[bytes], int]]:
        """The source's messages about any of these tasks, as of each; of who was never sent anything there are none."""
        if source in self._of:
            yield from self._of[source].with_any_of(runs)
