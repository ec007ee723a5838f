"""How a run comes to its end by itself: upstream, round cycles, and when everything stands still.

Books pass the end of a stream down. This module passes it up: whoever sends to nobody any more is told to
finish. It closes cycles, where the end could go round for ever, and sees when all wait and nothing will ever
change.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.run.books import Book
from orchestrator.run.crew import Crew
from orchestrator.run.member import Member, Step
from orchestrator.run.plan import Plan
from roles.kit.messages import Finish
from roles.kit.slot import State


class Endings:
    """Looks at a crew and its books after each reading of the slots."""

    def __init__(self, crew: Crew, books: Sequence[Book]) -> None:
        self._crew = crew
        self._books = books
        self._by_sender: dict[str, list[Book]] = {}
        for book in books:
            for name in dict.fromkeys(name for name, _ in book.plan.senders):
                self._by_sender.setdefault(name, []).append(book)
        self._cycles = [_Cycle(crew, books, names) for names in crew.plan.cycles]
        self._conduits = [member for member in crew.roles() if member.spec.family == "proxy"]
        self._sources = [crew.members[name] for name in sources(crew.plan)]

    def enrol(self, member: Member) -> None:
        """Look after a process that joins the run; its books know it already."""
        for book in self._books:
            if any(other is member for other, _ in book.senders):
                self._by_sender.setdefault(member.name, []).append(book)

    def look(self) -> None:
        """Tell whoever sends to nobody any more to finish, and end the cycles that have come to rest."""
        if self._crew.draining:
            for member in self._sources:
                self._crew.tell(member, Finish())  # to those that have come again since
        untaken = {book for book in self._books if book.nobody_takes and not book.is_asked_again}
        for name, books in self._by_sender.items():
            member = self._crew.members[name]
            if not member.quiet and not member.finish_told and untaken.issuperset(books):
                self._crew.tell(member, Finish())
        for cycle in self._cycles:
            cycle.look()
        if all(member.quiet for member in self._crew.roles() if member.spec.family != "proxy"):
            for member in self._conduits:
                self._crew.tell(member, Finish())

    def finish_sources(self) -> None:
        """Ask whoever begins a stream to begin no more; the rest drains."""
        self._crew.draining = True
        for member in self._sources:
            self._crew.tell(member, Finish())
        for member in self._crew.commands():
            if member.spec.sends and not member.spec.receives and not member.over:
                self._crew.signal(member, "SIGTERM")
                member.stop_told_s = self._crew.now_s

    def reluctant(self, told_s: float) -> list[Member]:
        """The sources that were asked to finish at `told_s`, and neither finish nor wait for as long as their grace.

        One that has come again since has it from then on: it may have to give again what was not acknowledged.
        """
        attended_s = self._crew.attended_s
        return [
            m
            for m in self._sources
            if m.in_place_s is not None
            and not (m.quiet or m.waits)
            and attended_s(max(told_s, m.in_place_s, m.waited_s)) >= m.spec.stop_grace_s
        ]

    def resting_for_s(self) -> float | None:
        """For how long everyone that is left has been waiting and nothing changed; None while somebody works.

        A command or an external that still runs may be working, unseen, unless it is stopped.
        """
        left = [member for member in self._crew.roles() if not member.quiet and member not in self._conduits]
        if not left or not all(member.waits for member in left):
            return None
        unseen = [member for member in self._crew.members.values() if not member.spec.is_role]
        if any(not member.over and not member.stopped for member in unseen):
            return None
        return self._crew.attended_s(max(member.changed_s for member in self._crew.members.values()))

    def give_up(self) -> None:
        """End every stream as it stands: what is not received by now never will be."""
        for book in self._books:
            book.give_up()
        for member in self._crew.roles():
            if not member.quiet and member.reading.state is State.SENDING:
                self._crew.tell(member, Finish())

    def tell_stall(self) -> None:
        """Name everyone who waits, and on what, and who is stopped."""
        for member in self._crew.members.values():
            if member.stopped and not member.over:
                text = f"stalled: {member.name} is stopped (SIGCONT would resume it: kill -CONT {member.pid})"
                self._crew.problem("stalled", text, process=member.name, where=f"nodes.{member.spec.node}")
        for member in self._crew.roles():
            if member.stopped:
                continue
            if member.quiet or member in self._conduits:
                continue
            port = next((port for port in member.spec.ports if port.name == member.reading.port), None)
            endpoints = ", ".join(one.endpoint for one in port.attachments) if port else ""
            if member.paused:
                text = f"stalled: {member.name} is paused, and no fault lets it go on"
                self._crew.problem("stalled", text, process=member.name, where=f"nodes.{member.spec.node}")
                continue
            does = "receive from" if member.reading.state is State.RECEIVING else "send to"
            text = f"stalled: {member.name} waits to {does} {endpoints} ({member.reading.port})"
            self._crew.problem("stalled", text, process=member.name, where=f"nodes.{member.spec.node}")


class _Cycle:
    """Processes whose data goes round: they end together, once nothing moves among them."""

    def __init__(self, crew: Crew, books: Sequence[Book], names: Sequence[str]) -> None:
        self._crew = crew
        self._members = crew.named(names)
        inside = set(names)
        self._books = [book for book in books if inside & {name for name, _ in book.plan.receivers}]
        self._outside = [
            crew.members[name] for book in self._books for name, _ in book.plan.senders if name not in inside
        ]
        self._before: list[tuple[int, int]] | None = None

    def look(self) -> None:
        books = [book for book in self._books if not book.closed and not _ends_by_marks(book)]
        counts = [(book.sent, book.received) for book in books]
        if books and self._rests() and all(self._nothing_on_its_way(book) for book in books):
            if counts == self._before:
                for book in books:
                    book.end()
            self._before = counts
        else:
            self._before = None

    def _nothing_on_its_way(self, book: Book) -> bool:
        """Where counts say it they are believed at once; elsewhere only time tells."""
        if book.plan.kind == "counted":
            return book.balances
        rested_s = self._crew.attended_s(max(member.changed_s for member in book.members()))
        settle_s = self._crew.plan.settle_s
        return rested_s >= settle_s and self._crew.found_asleep(book.members())

    def _rests(self) -> bool:
        waiting = all(member.quiet or member.reading.state is State.RECEIVING for member in self._members)
        return waiting and all(member.quiet for member in self._outside)


def _ends_by_marks(book: Book) -> bool:
    """Its publishers have finished and tell so; to end it now would cut off subscribers outside of the cycle."""
    return book.plan.kind == "marked" and book.sending_is_over


def sources(plan: Plan) -> list[str]:
    """The processes that begin streams.

    They are those that nobody sends to, and in a cycle without a beginning those that say so of themselves
    (`source = True`), or else all of it.
    """
    begin = [spec.name for spec in plan.processes if spec.is_role and (spec.source or not spec.receives)]
    specs = {spec.name: spec for spec in plan.processes}
    for cycle in plan.cycles:
        fed = any(
            name in cycle and any(sender not in cycle for sender, _ in book.senders)
            for book in plan.books
            if not book.replies
            for name, _ in book.receivers
        )
        if not fed and not any(name in begin for name in cycle):
            begin += [name for name in cycle if specs[name].is_role]
    return [name for name in begin if specs[name].family != "proxy"]


def awaited_commands(crew: Crew) -> list[Member]:
    """The commands that may still have something to take in once our roles are done: those that only receive.

    One that answers requests has none: who asked has had its replies.
    """
    roles = any(True for _ in crew.roles())
    answered = {book.name for book in crew.plan.books if book.replies}
    takers = {
        name for book in crew.plan.books if book.name not in answered for name in book.strangers_receive
    }
    return [
        member
        for member in crew.commands()
        if not member.over
        and (member.step >= Step.LAUNCHED or (member.was_restarted and not member.called_off))
        and ((member.name in takers and not member.spec.sends) or not roles)
    ]
