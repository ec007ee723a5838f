"""Books: what was sent and received on a link, when no more will come, and what was lost.

A stream ends when its senders will send no more and its book balances, or when it is certain that it never will:
somebody on the link died or left early, and everyone who could still receive has been waiting for a while. Then the
receivers are told. What the book says is final only when all of them have done their part, so a message that
was merely late still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.run.crew import Crew
from orchestrator.run.events import BookClosed
from orchestrator.run.member import Member, Step
from orchestrator.run.missing import Missed, missed_in_all, what_was_missed, who_missed
from orchestrator.run.plan import BookPlan
from roles.kit.messages import End
from roles.kit.slot import State

SLOWEST_BYTES_PER_S = 50e6
"""A message in transit may be this slow before it is taken for lost: 200 MB get four seconds more."""


class Book:
    """One book of a run, looked at after each reading of the slots."""

    def __init__(self, plan: BookPlan, crew: Crew, *, loss_is_expected: bool = False) -> None:
        self.plan = plan
        self.closed = False
        self.closed_s: float | None = None
        self._crew = crew
        self.senders = [(crew.members[name], port) for name, port in plan.senders]
        self.receivers = [(crew.members[name], port) for name, port in plan.receivers]
        self.conduits = crew.named(plan.conduits)
        self._strangers_send = crew.named(plan.strangers_send)
        self._strangers_receive = crew.named(plan.strangers_receive)
        self.loss_is_expected = loss_is_expected or plan.retried
        self._balanced_before = False
        self._given_up = False

    @property
    def sent(self) -> int:
        """Messages that senders of ours have sent."""
        return sum(member.count(port).sent for member, port in self.senders)

    @property
    def received(self) -> int:
        """Messages that receivers of ours have handled."""
        return sum(member.count(port).received for member, port in self.receivers)

    @property
    def redelivered(self) -> int | None:
        """How often something was sent once more; None where nobody does so."""
        return None

    @property
    def balances(self) -> bool:
        """All that was sent has been handled."""
        return self.received >= self.sent

    @property
    def at_rest(self) -> bool:
        """All that was sent has been handled by those who are there; what was lost on a broken link never will be.

        That it never will be is known a reading later than it seems (`Crew.found_asleep`).
        """
        here = [(m, port) for m, port in self.receivers if m.step >= Step.LAUNCHED and not m.part_is_done]
        return self.balances or not here or (self._broken and self._have_waited(here, self._settle_s))

    @property
    def moves_slowly(self) -> bool:
        """One end waits for room and the other for a message, so what is between them is on its way, as TCP allows."""
        if self.conduits and all(member.over for member in self.conduits):
            return False
        sends = any(member.sends_at(port) for member, port in self.senders if not member.quiet)
        here = [(member, port) for member, port in self.receivers if not (member.quiet or member.paused)]
        return sends and any(member.receives_at(port) for member, port in here)

    @property
    def sending_is_over(self) -> bool:
        """No sender will send again: ours have finished, commands have exited.

        Of externals one never knows; once the run drains, all strangers are taken to be done when nothing comes.
        """
        settled = self._crew.draining
        strangers_are_done = all(member.over or settled for member in self._strangers_send)
        return all(member.quiet for member, _ in self.senders) and strangers_are_done

    @property
    def receivers_left(self) -> list[tuple[Member, str]]:
        """Receivers that may still take something."""
        return [(member, port) for member, port in self.receivers if not member.quiet]

    @property
    def nobody_takes(self) -> bool:
        """Every receiver has finished or is gone, commands included; a publisher needs none to begin with."""
        if self.plan.kind == "marked" and not self.receivers:
            return False
        return not self.receivers_left and all(member.over for member in self._strangers_receive)

    @property
    def is_asked_again(self) -> bool:
        """Clients ask again until they are answered or have asked often enough: their end is theirs to find."""
        return self.plan.retried and not self._crew.draining

    def enrol(self, member: Member) -> None:
        """Count a process in that joins the run: it has the ends that the others of its node have."""
        for ends in (self.senders, self.receivers):
            alike = [port for other, port in ends if other.spec.node == member.spec.node]
            ends += [(member, port) for port in dict.fromkeys(alike)]
        for strangers in (self._strangers_send, self._strangers_receive):
            if any(other.spec.node == member.spec.node for other in strangers):
                strangers.append(member)

    def adopt(self, plan: BookPlan) -> None:
        """Be the book of another plan: who is new counts from now on, and what others have counted stays."""
        members = self._crew.members
        for ends, planned in ((self.senders, plan.senders), (self.receivers, plan.receivers)):
            known = {(member.name, port) for member, port in ends}
            ends += [(members[name], port) for name, port in planned if (name, port) not in known]
        for many, names in (
            (self.conduits, plan.conduits),
            (self._strangers_send, plan.strangers_send),
            (self._strangers_receive, plan.strangers_receive),
        ):
            many += [members[name] for name in names if members[name] not in many]
        self.plan = plan

    def recall_closed(self, at_s: float) -> None:
        """It was closed in the past."""
        self.closed, self.closed_s = True, at_s

    def members(self) -> Iterable[Member]:
        """Everyone of ours on the link, proxies included."""
        return [member for member, _ in (*self.senders, *self.receivers)] + self.conduits

    def look(self) -> None:
        """Tell the receivers when no more will come, and close the book once nobody will add to it."""
        if self.plan.gaps == "fail" and not self._crew.failing:
            self._look_at_gaps()
        if self.closed:
            self.end()  # to who has joined since
            return
        if self.plan.idle_after_s is not None and self._quiet_for(self.plan.idle_after_s):
            self.end()
        if not self.sending_is_over:
            self._balanced_before = False
            return
        if not self.receivers_left:
            self.close()
        elif self.is_asked_again and self.plan.replies:
            return  # who asks again gives up by itself
        elif self.plan.kind == "counted":
            self._look_at_balance()
        elif (self.plan.kind == "open" or self._broken) and self._quiet_for(self._settle_s):
            self.end()

    def _look_at_balance(self) -> None:
        if self.balances:
            if self._balanced_before:
                self.end()
            self._balanced_before = True
            return
        self._balanced_before = False
        if self._broken and self._quiet_for(self._settle_s):
            self.give_up()

    def end(self) -> None:
        """Tell everyone who still receives that no more will come."""
        for member, port in self.receivers_left:
            self._crew.tell(member, End(port=port))

    def give_up(self) -> None:
        """End it although it does not balance: what has not come by now is lost."""
        if self.plan.kind == "counted":
            self._given_up = self._given_up or bool(self.receivers_left)
            self.end()

    @property
    def _settle_s(self) -> float:
        """How long to wait for what may be on its way: large messages take their time."""
        gap_bytes = sum(member.count(port).bytes_sent for member, port in self.senders) - sum(
            member.count(port).bytes_received for member, port in self.receivers
        )
        return self._crew.plan.settle_s + max(0, gap_bytes) / SLOWEST_BYTES_PER_S

    @property
    def _broken(self) -> bool:
        """Something may be gone: somebody died or was restarted, a receiver left early, a sender closed its socket.

        Whoever asks again closes the sockets of earlier attempts, with what has not left them.
        """
        early = any(member.step is Step.DONE and not member.drained for member, _ in self.receivers)
        closed = any(member.over or member.asks_again for member, _ in self.senders)
        return early or closed or any(m.has_lost_its_way for m in self.members())

    def _quiet_for(self, seconds: float) -> bool:
        """Every receiver has been waiting at its port, and no sender has changed, for so long.

        Subscribers are woken again and again by the marks of publishers that have finished: there only counters tell.
        """
        left = self.receivers_left
        return bool(left) and self._have_waited(left, seconds)

    def _have_waited(self, receivers: Iterable[tuple[Member, str]], seconds: float) -> bool:
        woken = {member.name for member, _ in self.receivers} if self.plan.kind == "marked" else set()
        times = [m.counted_s if m.name in woken else m.changed_s for m in self.members()]
        times += [stranger.changed_s for stranger in self._strangers_send]
        if not all(m.receives_at(port) for m, port in receivers):
            return False
        waited_s = self._crew.attended_s(max(times, default=0.0))
        return waited_s >= seconds and self._crew.found_asleep(self.members())

    def close(self) -> None:
        """Close the book with what it says now.

        What was not received is lost where somebody died or it was given up, else it is unread: nobody wanted it.
        """
        if self.closed:
            return
        self.closed = True
        self.closed_s = self._crew.now_s
        lost, unread, duplicates = self._losses()
        self._crew.publish(
            BookClosed(
                at_s=self._crew.now_s,
                book=self.plan.name,
                replies=self.plan.replies,
                sent=self.sent if self.plan.senders else None,
                received=self.received if self.plan.receivers else None,
                lost=lost,
                unread=unread,
                foreign=self._foreign(),
                duplicates=duplicates,
                redelivered=self.redelivered,
            )
        )
        if lost:
            self._tell_lost(lost)

    def _tell_lost(self, lost: int) -> None:
        if self.plan.kind == "counted":
            self._tell_loss(lost)
        elif self.plan.gaps != "count":
            self._tell_missed(lost)

    def _look_at_gaps(self) -> None:
        """Fail the run at the first gap."""
        missed = sum(member.count(port).missed for member, port in self.receivers)
        if missed:
            self._tell_missed(missed)

    def _missed(self) -> list[Missed]:
        return what_was_missed(self.plan, self.sent, self.senders, self.receivers, self.conduits)

    def _tell_missed(self, lost: int) -> None:
        """What subscribers missed fails nothing by itself: who is slow, or comes late, misses some.

        Where the file says that it does, the run is to end, and that is told once.
        """
        endpoint, where = self.plan.endpoints[0], f"endpoints.{self.plan.endpoints[0]}"
        text = f"{self.plan.name} lost {lost:,}: {who_missed(self._missed())}"
        if self.plan.gaps != "fail":
            self._tell(text, expected=True)
        elif not any(one.kind == "gaps" and one.endpoint == endpoint for one in self._crew.problems):
            self._crew.fail("gaps", f"{text} (gaps: fail)", None, endpoint=endpoint, where=f"{where}.gaps")

    def _losses(self) -> tuple[int | None, int | None, int | None]:
        """What was lost, what nobody wanted, and what came twice; None where that cannot be known."""
        if self.plan.sequenced:
            missed = missed_in_all(self._missed())
            return missed, None, sum(member.count(port).duplicates for member, port in self.receivers)
        gone = self._given_up or any(m.has_lost_its_way for m in self.members())
        if self.plan.kind != "counted":
            return None, None, None
        gap = max(0, self.sent - self.received)
        return (gap, 0, None) if gone else (0, gap, None)

    def _foreign(self) -> int:
        malformed = sum(member.count(port).foreign for member, port in self.receivers)
        surplus = max(0, self.received - self.sent) if self.plan.kind == "counted" else 0
        return malformed + surplus

    def _tell_loss(self, lost: int) -> None:
        what = f"{self.plan.name} {'replies ' if self.plan.replies else ''}lost {lost:,} of {self.sent:,}"
        text = f"{what}: {who_held(lost, self.receivers, self.senders, self.conduits)}"
        self._tell(text, expected=self.loss_is_expected)

    def _tell(self, text: str, *, expected: bool) -> None:
        endpoint = self.plan.endpoints[0]
        where = f"endpoints.{endpoint}"
        self._crew.problem("lost", text, endpoint=endpoint, where=where, expected=expected)


def who_held(
    lost: int,
    receivers: Sequence[tuple[Member, str]],
    senders: Sequence[tuple[Member, str]],
    conduits: Sequence[Member],
) -> str:
    """Where lost messages were, as far as the slots tell."""
    gone = [member for member, _ in receivers if member.has_lost_its_way]
    holders = [member.name for member in gone if member.lost_its_way and _held_one(member)][:lost]
    parts = [f"{name} held 1 unfinished" for name in holders]
    rest = lost - len(holders)
    if rest:
        whereabouts = _whereabouts(gone, [member for member, _ in receivers], senders, conduits, holders)
        parts.append(f"{rest:,} {'was' if rest == 1 else 'were'} {whereabouts}")
    return ", ".join(parts)


def _held_one(member: Member) -> bool:
    if member.failed is not None:
        return bool(member.failed.item)
    if member.reading.state is State.SLEEPING:
        return not member.asks_again  # a client that waits for its reply has none in hand
    return member.reading.state in (State.RUNNING, State.SENDING)


def _whereabouts(
    gone: list[Member],
    receivers: Sequence[Member],
    senders: Sequence[tuple[Member, str]],
    conduits: Sequence[Member],
    holders: list[str],
) -> str:
    dead_senders = [member for member, _ in senders if member.has_lost_its_way]
    left = [member for member in receivers if member.step is Step.DONE and not member.lost_its_way]
    # After a failure nobody waits for long: who was still at work leaves what was on the way to it.
    stopped = [m for m in receivers if m.stopped_well and not (m.finished or m.drained or m in gone)]
    were = f"{_names(stopped)}, which {'was' if len(stopped) == 1 else 'were'} stopped with the run"
    if gone:
        dead = "it" if holders == [gone[0].name] and len(gone) == 1 else _names(gone)
        return f"on the way to {dead}" + (f", or to {were}" if stopped else "")
    if dead_senders:
        return f"still with {_names(dead_senders)}"
    if any(member.has_lost_its_way for member in conduits):
        return f"in {_names([member for member in conduits if member.has_lost_its_way])}"
    if left:
        return f"on the way to {_names(left)}, which finished before the others"
    return f"on the way to {were}" if stopped else "on the way"


def _names(members: Sequence[Member]) -> str:
    return ", ".join(member.name for member in members)
