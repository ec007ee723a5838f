"""One plan after another in a run that goes on: what the members, books and addresses make of the next. Pure."""

from __future__ import annotations

from orchestrator.run.addresses import AddressBook
from orchestrator.run.books import Book
from orchestrator.run.crew import Crew
from orchestrator.run.deliveries import book_of
from orchestrator.run.events import RunStarted
from orchestrator.run.outline import run_started
from orchestrator.run.plan import BookPlan, Plan
from orchestrator.run.tolerance import Tolerance


class Succession:
    """Holds the books of a run, and makes another plan the run's own. `outline` is the run as it began."""

    def __init__(self, crew: Crew, addresses: AddressBook, tolerance: Tolerance, outline: RunStarted) -> None:
        self._crew = crew
        self._addresses = addresses
        self._tolerance = tolerance
        self._outline = outline
        self.books: list[Book] = []
        self.books += [self._book(book) for book in crew.plan.books]

    def adopt(self, plan: Plan) -> None:
        """Go by another plan from now on; whoever is started hears of it."""
        crew, before = self._crew, self._crew.plan
        crew.plan = plan
        for spec in plan.processes:
            crew.members[spec.name].spec = spec
        self._addresses.adopt(before, plan)
        self._tolerance.adopt(plan)
        planned = {(one.name, one.replies) for one in plan.books}
        # A plan that comes after another has all its books; only one that comes back has not.
        self.books[:] = [book for book in self.books if (book.plan.name, book.plan.replies) in planned]
        books = {(book.plan.name, book.plan.replies): book for book in self.books}
        for one in plan.books:
            if (one.name, one.replies) in books:
                books[one.name, one.replies].adopt(one)
            else:
                self.books.append(self._book(one))

    def outline_now(self) -> RunStarted:
        """The run as it is by its present plan."""
        first = self._outline
        return run_started(
            self._crew.plan,
            run_id=first.run_id,
            engine=first.engine,
            seed=first.seed,
            started_at=first.started_at,
        )

    def _book(self, plan: BookPlan) -> Book:
        names = [f"{name}.replies" if plan.replies else name for name in plan.endpoints]
        expected = self._tolerance.speaks_of_loss(names)
        return book_of(plan, self._crew, books=self.books, loss_is_expected=expected)
