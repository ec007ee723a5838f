"""Which worker is given which tasks, until each is acknowledged: the source's side of acknowledged delivery. Pure.

A task is *waiting again*, *held* by one worker, *inherited* from an earlier incarnation, or over: acknowledged, or set
aside. Nobody holds more than `window` tasks. Below that a worker is given as much as it works through within
`AHEAD_NS`, going by what it has said to have done, so that a slow one hoards nothing and a fast one never runs dry
while acknowledgements are on their way. At the end of the stream a slow one is given no task that others would be done
with sooner.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from roles.kit.inherited import Inherited
from roles.kit.parcels import LAST_MARK
from roles.kit.positions import Positions, Runs, rows

AHEAD_NS: Final = 20_000_000
"""A worker may hold work for so long."""

LEAST_AHEAD: Final = 2
"""However slow it is, a worker may have one task in hand and the next one beside it."""

PARCEL_NS: Final = 10_000_000
"""A parcel should be worked through within so long, since its results travel together."""

MOST_IN_PARCEL: Final = 128
QUIET_NS: Final = 100_000_000
"""After so long without an acknowledgement it is time to ask whether something was lost."""

BUSY_NS: Final = 1_000_000_000
"""The same for a worker that is still at work, and until the next mark where one does not come back."""

GUILTY_AFTER: Final = 3
"""A task in whose hands so many workers have died is set aside."""


@dataclass(frozen=True, slots=True)
class Given:
    """A parcel for a worker."""

    worker: bytes
    number: int
    positions: Sequence[int]
    items: list[Any]


@dataclass(slots=True)
class Worker:
    """One worker as its source knows it. `held` are its tasks, with the number of the last mark sent before each.

    `parcels` are those that it has not worked through: number, tasks, and the same of the marks. `asked` are the tasks
    of which it was asked to send the results once more, with the number of the mark that comes behind these.
    """

    present: bool = True
    leaves: bool = False
    held: dict[int, int] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    parcels: deque[tuple[int, int, int]] = field(default_factory=deque)
    backlog: int = 0
    task_ns: int = 0
    size: int = 1
    busy_since_ns: int = 0
    progress_ns: int = 0
    marks: int = 0
    passed: int = 0
    marked_ns: int = 0


class Dispatch:
    """The state of one source. Whoever holds it sends what it gives out. `now_ns` is any steady clock.

    What an earlier incarnation leaves it: the positions that are `done`, those of them that are set `aside`, and for
    how many deaths each task is `blamed`. That one had given all up to `before`, but for so many `refused`. Parcels and
    marks are numbered from `first_number` on, which is beyond all that it has sent.
    """

    def __init__(
        self,
        window: int,
        *,
        most: int = MOST_IN_PARCEL,
        done: Positions | None = None,
        before: int = 0,
        refused: int = 0,
        aside: Collection[int] = (),
        blamed: Mapping[int, int] | None = None,
        first_number: int = 0,
    ) -> None:
        self.done = Positions() if done is None else done
        """The positions of tasks that are over."""

        self.given = before - refused + self.done.count_above(before)
        """How many tasks were given, each counted once."""

        self.inherited = Inherited(before, self.done)
        self.resumes_to = max(before, self.done.last)
        """Up to this position a task may be over before its turn comes."""

        self.aside = len(aside)
        """How many of those that are over are set aside."""

        self.again = 0
        """How many this incarnation gave that an earlier one had given, or a second time."""

        self.blamed = dict(blamed or {})
        """For how many deaths each task is to blame."""

        self.most = most
        """No more tasks are given together. Whoever sees how large they are may change it at any time."""

        self._window = window
        self._workers: dict[bytes, Worker] = {}
        self._turn: deque[bytes] = deque()
        self._items: dict[int, Any] = {}
        self._holder: dict[int, Worker] = {}
        self._waiting: deque[int] = deque()
        self._number = self._first_number = first_number

    @property
    def acknowledged(self) -> int:
        """How many tasks are done for good."""
        return len(self.done) - self.aside

    @property
    def settled(self) -> bool:
        """Every task that was ever given is over."""
        return not self._items

    @property
    def waiting_again(self) -> int:
        """How many tasks wait to be given once more, some of which may be over by now."""
        return len(self._waiting)

    @property
    def waits_again(self) -> bool:
        """Whether a task waits to be given once more."""
        waiting, items = self._waiting, self._items
        while waiting and waiting[0] not in items:
            waiting.popleft()  # it was acknowledged meanwhile
        return bool(waiting)

    def inherit(self, positions: Sequence[int], items: list[Any]) -> None:
        """These tasks, which an earlier incarnation gave, have had their turn; they are given where they were lost."""
        self._items.update(zip(positions, items, strict=True))
        self.inherited.add(positions)

    def take_stock(self, now_ns: int, peers: int) -> None:
        """What was lost of that waits again, once it is known; so many peers are connected."""
        self._waiting.extend(self.inherited.lost(now_ns, peers))

    def holders(self) -> list[bytes]:
        """The workers that are there."""
        return [name for name, worker in self._workers.items() if worker.present]

    def arrived(self, name: bytes, now_ns: int) -> bool:
        """A worker has connected, for the first time or again; whether it is to be asked what it has or was lost."""
        known = name in self._workers
        worker = self._workers.setdefault(name, Worker(progress_ns=now_ns, marks=self._first_number))
        worker.asked.clear()
        worker.present = True
        if name not in self._turn:
            self._turn.append(name)
        self.inherited.come(name, now_ns)
        if known:
            self.inherited.ask_anew(name, worker.marks + 1)
        else:
            self.inherited.ask(name, worker.marks + 1)
        return self.inherited.is_asked(name) or (known and bool(worker.held))

    def unreachable(self, name: bytes) -> None:
        """A worker cannot be sent anything until it connects again, or is known to be gone."""
        if name in self._workers:
            self._workers[name].present = False

    def leaves(self, name: bytes) -> None:
        """A worker takes no more. What it has done is on its way, and a last mark behind that."""
        if name in self._workers:
            self._workers[name].present = False
            self._workers[name].leaves = True
        else:
            self.inherited.forget(name)

    def give_up_on_leavers(self, now_ns: int, *, everyone: bool = False) -> None:
        """Those that have left and of whose tasks nothing has been heard for long, or whose last marks are lost."""
        for name, worker in list(self._workers.items()):
            if worker.leaves and (everyone or now_ns - worker.progress_ns >= BUSY_NS):
                self.gone(name)

    def gone(self, name: bytes, in_hand: int = 0) -> list[tuple[int, Any]]:
        """A worker will take no more: what it held waits again. Those that are set aside now, with their positions.

        With the task `in_hand` it has died: that one is to blame, and nothing else that it held.
        """
        self.inherited.forget(name)
        worker = self._workers.pop(name, None)
        if worker is None:
            return []
        if name in self._turn:
            self._turn.remove(name)
        for position in worker.held:
            del self._holder[position]
            if position != in_hand:
                self._waiting.append(position)
        if in_hand not in self._items or in_hand in self._holder:
            return []
        if self._is_guilty(in_hand):
            self.done.add(in_hand)
            self.aside += 1
            return [(in_hand, self._items.pop(in_hand))]
        if in_hand in worker.held:  # and not inherited
            self._waiting.append(in_hand)
        return []

    def _is_guilty(self, position: int) -> bool:
        self.blamed[position] = self.blamed.get(position, 0) + 1
        return self.blamed[position] >= GUILTY_AFTER

    def room(self, now_ns: int = 0, left: int | None = None) -> tuple[bytes, int] | None:
        """The worker whose turn it is, and how many tasks it may be given; None where nobody has room.

        Where so many tasks are `left` in all, nobody is given one that the others would be done with sooner.
        """
        turn = self._turn
        for _ in range(len(turn)):
            name = turn[0]
            turn.rotate(-1)
            worker = self._workers[name]
            room = self._room_of(worker)
            if room > 0 and (left is None or not self._holds_up(worker, left, now_ns)):
                return name, room
        return None

    def _room_of(self, worker: Worker) -> int:
        if not worker.present:
            return 0
        ahead = max(LEAST_AHEAD, AHEAD_NS // worker.task_ns) if worker.task_ns else 1
        room = min(ahead - worker.backlog, self._window - len(worker.held), worker.size)
        return min(room, self.most)

    def _holds_up(self, worker: Worker, left: int, now_ns: int) -> bool:
        """Whether the others would have done all that is left before this worker had done one task more."""
        others = [
            other for other in self._workers.values() if other is not worker and self._gets_on(other, now_ns)
        ]
        if not worker.task_ns or not others:
            return False
        soonest_ns = min((other.backlog + 1) * other.task_ns for other in others)
        ahead = left + sum(other.backlog for other in others)
        together_ns = ahead / sum(1 / other.task_ns for other in others)
        return (worker.backlog + 1) * worker.task_ns > max(soonest_ns, together_ns)

    @staticmethod
    def _gets_on(worker: Worker, now_ns: int) -> bool:
        """Whether a worker can be expected to take more soon: it is there, and takes no longer than it did."""
        late = bool(worker.backlog) and now_ns - worker.busy_since_ns > 4 * worker.task_ns + QUIET_NS
        return worker.present and worker.task_ns > 0 and not late

    def give(self, name: bytes, positions: Sequence[int], items: list[Any], now_ns: int) -> Given:
        """Have a worker given tasks that nobody has had from this incarnation, in their order."""
        self._items.update(zip(positions, items, strict=True))
        known = bisect_right(positions, self.inherited.before)
        self.again += known
        self.given += len(positions) - known
        return self._handed(name, positions, items, now_ns)

    def next_again(self, most: int) -> list[Any]:
        """The tasks that `give_again` would give next, so many at the most."""
        positions = self._take_waiting(most)
        self._waiting.extendleft(reversed(positions))
        return [self._items[position] for position in positions]

    def give_again(self, name: bytes, room: int, now_ns: int) -> Given | None:
        """Have a worker given tasks that wait again; None where none does."""
        positions = self._take_waiting(room)
        if not positions:
            return None
        self.again += len(positions)
        return self._handed(name, positions, [self._items[position] for position in positions], now_ns)

    def _take_waiting(self, most: int) -> list[int]:
        positions: list[int] = []
        while len(positions) < most and self.waits_again:
            positions.append(self._waiting.popleft())
        return positions

    def _handed(self, name: bytes, positions: Sequence[int], items: list[Any], now_ns: int) -> Given:
        worker = self._workers[name]
        self._number += 1
        if not worker.backlog:
            worker.busy_since_ns = now_ns
        if not worker.held:
            worker.progress_ns = now_ns
        worker.held.update(dict.fromkeys(positions, worker.marks))
        self._holder.update(dict.fromkeys(positions, worker))
        worker.parcels.append((self._number, len(positions), worker.marks))
        worker.backlog += len(positions)
        return Given(name, self._number, positions, items)

    def not_sent(self, given: Given) -> None:
        """A parcel could not be sent: its tasks wait again, and its worker cannot be reached."""
        worker = self._workers[given.worker]
        worker.present = False
        worker.parcels.pop()
        worker.backlog -= len(given.positions)
        for position in given.positions:
            del worker.held[position], self._holder[position]
            self._waiting.append(position)

    def worked_through(self, name: bytes, number: int, now_ns: int) -> None:
        """A worker is done with a parcel; how long its tasks took tells how many it is given from now on."""
        worker = self._workers.get(name)
        if worker is None:
            return
        tasks = 0
        while worker.parcels and worker.parcels[0][0] <= number:
            tasks += worker.parcels.popleft()[1]
        if not tasks:
            return
        worker.backlog -= tasks
        took_ns = max(1, (now_ns - worker.busy_since_ns) // tasks)
        worker.busy_since_ns = now_ns
        worker.task_ns = (worker.task_ns + took_ns) // 2 if worker.task_ns else took_ns
        worker.size = max(1, min(2 * worker.size, PARCEL_NS // worker.task_ns))

    def acknowledge(self, runs: Runs, now_ns: int) -> int:
        """These tasks are over, whoever has them; how many were not before. Raises ValueError for no runs."""
        new = 0
        items, holder = self._items, self._holder
        for row in rows(runs):
            for position in row:
                worker = holder.pop(position, None)
                if worker is not None:
                    del items[position], worker.held[position]
                    worker.progress_ns = now_ns
                elif (
                    items.pop(position, self) is self
                    and position > self.inherited.before
                    and position not in self.done
                ):
                    # An earlier incarnation gave it, and with the machine's power its note of that was lost.
                    self.given += 1
                    self.resumes_to = max(self.resumes_to, position)
            new += self.done.add_row(row)
        return new

    def mark(self, name: bytes, now_ns: int) -> int:
        """The number of a mark that a worker is to pass on."""
        worker = self._workers[name]
        worker.marks += 1
        worker.marked_ns = now_ns
        return worker.marks

    def passed(self, name: bytes, number: int) -> list[int]:
        """A mark has come back: what was given before and is still held was lost on the way, or its results were.

        Those results of which this is news may still be with the worker, which is to be asked for them, and for
        another mark behind them: these tasks, in their order. The others wait again.
        """
        worker = self._workers.get(name)
        if worker is None or number <= self._first_number:
            return []  # that one was an earlier incarnation's
        self.inherited.answered(name, number)
        worker.passed = max(worker.passed, number)
        while worker.parcels and worker.parcels[0][2] < number:
            worker.backlog -= worker.parcels.popleft()[1]
        lost = [position for position, marks in worker.held.items() if marks < number]
        asked = worker.asked
        may_ask = worker.present and number < LAST_MARK
        news = [position for position in lost if may_ask and position not in asked]
        for position in lost:
            if not may_ask or asked.get(position, number + 1) <= number:
                del worker.held[position], self._holder[position]
                self._waiting.append(position)
        worker.asked = {position: mark for position, mark in asked.items() if position in worker.held}
        worker.asked.update(dict.fromkeys(news, worker.marks + 1))
        return sorted(news)

    def ask_anew(self) -> None:
        """What workers were asked to send once more may be lost once more: it is worth asking again."""
        for name, worker in self._workers.items():
            worker.asked.clear()
            self.inherited.ask_anew(name, worker.marks + 1)

    def to_ask(self, now_ns: int, *, everyone: bool = False) -> list[bytes]:
        """The workers that should be asked what they have, or whether something was lost on the way from them."""
        return [
            name
            for name, worker in self._workers.items()
            if worker.present
            and (worker.held or self.inherited.is_asked(name))
            and (everyone or self._is_overdue(worker, now_ns))
        ]

    @staticmethod
    def _is_overdue(worker: Worker, now_ns: int) -> bool:
        asked = worker.marks > worker.passed
        if asked and now_ns - worker.marked_ns < BUSY_NS:
            return False
        quiet_ns = max(worker.progress_ns, worker.marked_ns)
        return now_ns - quiet_ns >= (BUSY_NS if worker.backlog else QUIET_NS)

    def not_over(self, positions: Iterable[int]) -> list[int]:
        """Of these positions those that are not over."""
        return [position for position in positions if position not in self.done]
