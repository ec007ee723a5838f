"""The books of acknowledged delivery: tasks that are over once they are acknowledged, and their results.

What a dead worker had is given to another, and what a dead sink had not written down comes again. So a death is no
reason to wait for anything but the last acknowledgement, and what was sent twice is no loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.run.books import Book
from orchestrator.run.crew import Crew
from orchestrator.run.events import Known, ProblemFound, ProcessEnded, ProcessFinished
from orchestrator.run.member import Member
from orchestrator.run.plan import BookPlan
from roles.kit.messages import End, Gone, SetAside
from roles.kit.slot import Count


class TasksBook(Book):
    """Of tasks: sent once they are given to anybody, however often, and received once they are acknowledged."""

    @property
    def received(self) -> int:
        """Tasks that were acknowledged."""
        return sum(member.count(port).acked for member, port in self.senders)

    @property
    def redelivered(self) -> int:
        """How often a task was given once more."""
        return sum(member.count(port).redelivered for member, port in self.senders)

    @property
    def aside(self) -> int:
        """Tasks that were given up."""
        return sum(member.count(port).aside for member, port in self.senders)

    @property
    def balances(self) -> bool:
        """All tasks that were given to anybody are over."""
        return self.received + self.aside >= self.sent

    @property
    def moves_slowly(self) -> bool:
        """Never: a source waits for acknowledgements as it waits for room."""
        return False

    @property
    def settled(self) -> bool:
        """No task will be given again."""
        return self.balances and all(member.quiet for member, _ in self.senders)

    @property
    def _broken(self) -> bool:
        """Nobody is left who could give again what is not acknowledged."""
        return all(member.quiet for member, _ in self.senders) and not self.balances

    def _losses(self) -> tuple[int | None, int | None, int | None]:
        gap, aside = max(0, self.sent - self.received), self.aside
        gone = self._given_up or any(member.lost_its_way for member in self.members())
        return (gap, 0, None) if gone else (min(gap, aside), max(0, gap - aside), None)

    def _tell_lost(self, lost: int) -> None:
        """Each task that was set aside has been told of."""
        if lost > self.aside:
            super()._tell_lost(lost)


class ResultsBook(Book):
    """Of results. Those of tasks that were done twice come twice, and the sink takes them once."""

    def __init__(
        self, plan: BookPlan, crew: Crew, *, books: Sequence[Book], loss_is_expected: bool = False
    ) -> None:
        super().__init__(plan, crew, loss_is_expected=loss_is_expected)
        self._books = books

    @property
    def _tasks(self) -> list[TasksBook]:
        return [
            book
            for book in self._books
            if isinstance(book, TasksBook) and not set(book.plan.endpoints).isdisjoint(self.plan.acknowledges)
        ]

    @property
    def _duplicates(self) -> int:
        return sum(member.count(port).duplicates for member, port in self.receivers)

    @property
    def balances(self) -> bool:
        """All has come, or what has not come is wanted no more, since its tasks are over."""
        return self.received + self._duplicates >= self.sent or all(book.settled for book in self._tasks)

    def _losses(self) -> tuple[int | None, int | None, int | None]:
        if all(book.settled for book in self._tasks):
            return 0, 0, self._duplicates
        lost, unread, _ = super()._losses()
        return lost, unread, self._duplicates


def book_of(plan: BookPlan, crew: Crew, *, books: Sequence[Book], loss_is_expected: bool) -> Book:
    """The book that a plan asks for; `books` are those of the run, in which it may find others later."""
    if plan.delivery == "tasks":
        return TasksBook(plan, crew, loss_is_expected=loss_is_expected)
    if plan.delivery == "results":
        return ResultsBook(plan, crew, books=books, loss_is_expected=loss_is_expected)
    return Book(plan, crew, loss_is_expected=loss_is_expected)


class Deliveries:
    """Tells sources of workers that take no more, and the world of tasks that were set aside."""

    def __init__(self, crew: Crew, books: Sequence[Book]) -> None:
        self._crew = crew
        self._books = books
        self._told: set[tuple[str, int, bool]] = set()
        self._aside: set[str] = set()

    def takes_no_more(self, member: Member) -> None:
        """A process has ended, or done its part: who gave tasks to it gives what is left of them to others."""
        self._tell(member, member.incarnation, member.reading.ports if member.over else None)

    def repeat(self, past: Iterable[Known]) -> None:
        """Tell it of all who ended, or did their part, in the past: what another has told may not have been heard.

        The world has heard what was made known.
        """
        for event in past:
            if isinstance(event, ProblemFound) and event.kind == "quarantined":
                self._aside.add(event.text)
            if isinstance(event, ProcessFinished | ProcessEnded) and event.process in self._crew.members:
                ports = event.ports if isinstance(event, ProcessEnded) else None
                self._tell(self._crew.members[event.process], event.incarnation, ports)

    def _tell(self, member: Member, incarnation: int, last: Mapping[str, Count] | None) -> None:
        """`last` is what the ports of one that has ended counted; None where it is still there."""
        key = (member.name, incarnation, last is not None)
        for book in self._books:
            port = next((port for other, port in book.receivers if other is member), None)
            if not isinstance(book, TasksBook) or port is None or key in self._told:
                continue
            self._told.add(key)
            told = Gone(
                process=member.name,
                incarnation=incarnation,
                hand=last[port].hand if last is not None and port in last else 0,
                finished=last is None,
            )
            for sender in dict.fromkeys(sender for sender, _ in book.senders):
                self._crew.tell(sender, told)

    def look(self) -> None:
        """Where nobody will ever take a task again, who gives them need not wait for more than what is under way."""
        for book in self._books:
            if not isinstance(book, TasksBook) or book.closed or not book.nobody_takes:
                continue
            if self._nothing_is_acknowledged():
                for member, port in book.senders:
                    self._crew.tell(member, End(port=port))

    def _nothing_is_acknowledged(self) -> bool:
        """Nothing has been counted for a while, and nobody who keeps results is at work or has had no processor."""
        counted_s = max((member.counted_s for member in self._crew.members.values()), default=0.0)
        if self._crew.attended_s(counted_s) < self._crew.plan.settle_s:
            return False
        books = [book for book in self._books if isinstance(book, TasksBook | ResultsBook)]
        left = [member for book in books for member in book.members() if not member.quiet]
        return all(member.waits for member in left) and self._crew.found_asleep(left)

    def set_aside(self, member: Member, told: SetAside) -> None:
        """A source has given a task up."""
        for book in self._books:
            if (member, told.port) in book.senders:
                endpoint = book.plan.endpoints[0]
                text = (
                    f"{endpoint}: task {told.position:,} of {member.name} is set aside: {told.deaths} workers died"
                    f" with it in hand{f' ({told.item})' if told.item else ''}"
                )
                if text in self._aside:
                    continue
                self._aside.add(text)
                self._crew.problem(
                    "quarantined",
                    text,
                    process=member.name,
                    endpoint=endpoint,
                    where=f"endpoints.{endpoint}",
                    expected=book.loss_is_expected,
                )


def makes_good(books: Sequence[Book], member: Member) -> bool:
    """Whether all that a process holds comes again, or is done again, when it dies."""
    own = [book for book in books if any(other is member for other in book.members())]
    return bool(own) and all(isinstance(book, TasksBook | ResultsBook) for book in own)
