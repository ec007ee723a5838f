"""Processes that leave a run that goes on, so that nothing which is under way to them or from them is lost.

A worker that merely disconnects takes with it what its queue holds (measured: 490 of 1,000). So the senders of its
links are held first, until its books balance; then its streams end, and what it has sent in doing so arrives; then it
goes. Its senders are released once their sockets know that it has gone: a message given to it until then would be lost.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence

from orchestrator.run.books import Book
from orchestrator.run.crew import Crew
from orchestrator.run.member import Member, Step
from orchestrator.run.stopper import see_off
from roles.kit.messages import End, Finish, Hold, Release
from roles.kit.spec import PortSpec

PARTING_WITHIN_S = 1.0
"""A connection that had broken before is not seen to break; nobody waits for it longer than this."""

BEHIND_A_PROXY_S = 0.25
"""A proxy tells nobody when it has seen somebody leave: with its senders held it has for long."""


class _Stage(enum.IntEnum):
    EMPTYING = 0
    ENDING = 1
    FLUSHING = 2
    GOING = 3
    PARTING = 4
    GONE = 5


class Leave:
    """The way out of some processes, looked at after each reading of the slots."""

    def __init__(
        self, crew: Crew, books: Sequence[Book], leavers: Sequence[Member], sources: Iterable[str]
    ) -> None:
        self.leavers = list(leavers)
        self._crew = crew
        self._books = books
        self._sources = set(sources)
        self._number = crew.next_number()
        counted = [book for book in books if book.plan.kind == "counted" and not book.closed]
        self._inward = [book for book in counted if not book.plan.retried and self._concerns(book)]
        self._fed = _downstream([book for book in self._inward if not book.plan.replies])
        self._outward = _downstream(
            [
                book
                for book in counted
                if not book.plan.replies and any(member in self.leavers for member, _ in book.senders)
            ]
        )
        self._stage = _Stage.EMPTYING
        self._since_s = crew.now_s
        self._rested_before = False
        self._told: set[tuple[str, int, str]] = set()
        for member in self.leavers:
            member.leaving = True

    @property
    def over(self) -> bool:
        """They are gone, and who sent to them knows."""
        return self._stage is _Stage.GONE

    def look(self) -> None:
        """Go on as far as it goes."""
        steps = {
            _Stage.EMPTYING: self._empty,
            _Stage.ENDING: self._end,
            _Stage.FLUSHING: self._flush,
            _Stage.GOING: self._go,
            _Stage.PARTING: self._part,
        }
        while self._stage is not _Stage.GONE and steps[self._stage]():
            self._stage = _Stage(self._stage + 1)
            self._since_s = self._crew.now_s
            self._rested_before = False

    def release(self) -> None:
        """Let everyone send again."""
        self._release(lambda _: True)

    def _release(self, wanted: Callable[[str], bool]) -> None:
        for name, incarnation, port in [key for key in self._told if wanted(key[0])]:
            self._told.remove((name, incarnation, port))
            member = self._crew.members[name]
            if member.incarnation == incarnation:
                self._crew.tell(member, Release(port=port))
                member.changed_s = member.counted_s = self._crew.now_s  # it has waited because of us

    def stuck(self) -> str:
        """Why it does not come to rest, once nothing has changed for as long as anyone may take; empty before.

        As long as it is not at rest no stream has been ended, and all can stay as it was.
        """
        books = self._fed
        members = self._taking_part(books)
        grace_s = self._grace_s(members)
        if self._stage is not _Stage.EMPTYING or not self._is_stuck(members, grace_s):
            return ""
        names = ", ".join(book.plan.name for book in books if not book.balances)
        busy = next((member.name for member in members if not member.part_is_done and not member.waits), "")
        why = f"{busy} is at work" if busy else "what is under way does not arrive"
        return f"{names or 'the senders'} did not come to rest within {grace_s:g} s: {why}"

    @staticmethod
    def _taking_part(books: Iterable[Book]) -> list[Member]:
        return [m for book in books for m in book.members() if m.spec.family != "proxy"]

    def _grace_s(self, members: Iterable[Member]) -> float:
        return max([self._crew.plan.stall_s, *(member.spec.stop_grace_s for member in members)])

    def _stands_still(self, members: Iterable[Member], grace_s: float) -> bool:
        changed_s = max([self._since_s, *(member.changed_s for member in members)])
        return self._crew.attended_s(changed_s) >= grace_s

    def _is_stuck(self, members: Sequence[Member], grace_s: float) -> bool:
        """It stands still, nobody who seems to wait has work, and the last reading did not find it at rest either."""
        waiting = [member for member in members if member.waits]
        over = self._stands_still(members, grace_s) and self._crew.found_asleep(waiting)
        return over and not self._rested_before

    def _concerns(self, book: Book) -> bool:
        """Somebody who leaves takes from it, passes it on, or owes its replies."""
        ends = book.senders if book.plan.replies else book.receivers
        return any(member in self.leavers for member in [*(member for member, _ in ends), *book.conduits])

    def _empty(self) -> bool:
        return self._hold(self._fed) and self._at_rest(self._inward)

    def _end(self) -> bool:
        for member in self._left():
            self._end_streams(member)
        for member in self._left():
            # A command hears of no end, and what it has taken is its own; a role has its grace for what it has in hand.
            if member.spec.command or self._stands_still([member], member.spec.stop_grace_s):
                see_off(self._crew, member)
        return all(member.part_is_done for member in self.leavers)

    def _end_streams(self, member: Member) -> None:
        """No more comes to it, or where it begins streams, no more is to come from it; a client's replies still do."""
        books = [book for book in self._books if not book.plan.replies]
        ports = {port for book in books for other, port in book.receivers if other is member}
        if member.name in self._sources or not ports:
            self._crew.tell(member, Finish(returns=member.returns))
        else:
            for port in ports:
                self._crew.tell(member, End(port=port))
        self._release(lambda name: name == member.name)  # it may have something to send in conclusion

    def _flush(self) -> bool:
        """What they have sent arrives; what does not for too long is lost with them, and counted."""
        flushed = self._hold(self._outward) and self._at_rest(self._outward)
        members = self._taking_part(self._outward)
        for member in self.leavers:
            member.drained = flushed and not member.lost_its_way
        return flushed or (bool(members) and self._is_stuck(members, self._grace_s(members)))

    def _go(self) -> bool:
        for member in self._left():
            see_off(self._crew, member)
        return all(member.over for member in self.leavers)

    def _part(self) -> bool:
        """Everyone who may still think that they are there has seen them go, or will never tell."""
        waited_s = self._crew.attended_s(self._since_s)
        if any(book.conduits for book in (*self._fed, *self._outward)) and waited_s < BEHIND_A_PROXY_S:
            return False
        waiting = [
            (member, port)
            for name, incarnation, port in self._told
            for member in [self._crew.members[name]]
            if member.incarnation == incarnation
            and not member.part_is_done
            and self._gone_from(member, port) < self._connections(member, port)
        ]
        for member, port in waiting:
            self._crew.tell(
                member, Hold(port=port, number=self._number)
            )  # it answers with how many have left by now
        return not waiting or waited_s >= PARTING_WITHIN_S

    def _gone_from(self, member: Member, port: str) -> int:
        held = member.held.get(port)
        return held.gone if held is not None and held.number == self._number else 0

    def _left(self) -> list[Member]:
        return [member for member in self.leavers if not member.over]

    def _hold(self, books: Iterable[Book]) -> bool:
        """Hold all senders of these books; whether each of them has said that it sends nothing.

        One book after another, downstream: who is held with something in hand cannot pass that on.
        """
        for book in books:
            held = [self._holds(member, port) for member, port in book.senders]  # all are told
            if not all(held) or not book.at_rest:
                return False
        return True

    def _holds(self, member: Member, port: str) -> bool:
        """Whether a sender sends nothing; it is told to where it has not been."""
        if member.part_is_done or not member.spec.is_role:
            return True
        if member.step < Step.LAUNCHING:
            return True  # it comes, or comes back, and is held then
        key = (member.name, member.incarnation, port)
        if member.step is Step.WORKING and key not in self._told:
            self._crew.tell(member, Hold(port=port, number=self._number))
            self._told.add(key)
        said = member.held.get(port)
        return said is not None and said.number == self._number

    def _at_rest(self, books: Sequence[Book]) -> bool:
        """Two successive readings say that all which was sent has been handled, or never will be."""
        rests = all(book.at_rest for book in books)
        before, self._rested_before = self._rested_before, rests
        return rests and (before or not books)

    def _connections(self, member: Member, port_name: str) -> int:
        """How many connections a port has to those who leave."""
        port = next(port for port in member.spec.ports if port.name == port_name)
        return sum(_between(port, theirs) for leaver in self.leavers for theirs in leaver.spec.ports)


def _downstream(books: Iterable[Book]) -> list[Book]:
    """Books in the order in which messages pass them: who sends starts after who receives."""
    return sorted(books, key=lambda book: -max((member.spec.stage for member, _ in book.senders), default=0))


def _between(one: PortSpec, other: PortSpec) -> int:
    meets = any(
        mine.endpoint == theirs.endpoint and mine.mode != theirs.mode
        for mine in one.attachments
        for theirs in other.attachments
    )
    return max(one.copies, other.copies) if meets else 0
