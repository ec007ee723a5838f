"""Changes of a run that goes on: another number of processes, a new start of some, another plan. One after another.

Whoever is to go, or to be started again, is drained first and together, so that the senders are held once. Then those
that come do so stage by stage, and only when they are in place are the senders released.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.cells import name_list
from orchestrator.run.books import Book
from orchestrator.run.commands import Keep, Reply
from orchestrator.run.crew import Crew
from orchestrator.run.difference import Difference, difference, successor
from orchestrator.run.endings import sources
from orchestrator.run.events import ChangeEnded, ProcessAdded, RestartPlanned, RunChanged, RunStarted
from orchestrator.run.joining import Joining
from orchestrator.run.leaving import Leave
from orchestrator.run.member import Member, Step
from orchestrator.run.outline import process_outline
from orchestrator.run.plan import Plan
from orchestrator.run.requests import Answer, Become, Request, Restart, Scale
from orchestrator.run.scaling import scaled
from orchestrator.run.stopper import see_off
from orchestrator.run.targets import to_restart
from roles.kit.messages import Release

KEPT_ANSWERS = 64
"""So many answers are kept for askers who ask once more."""


@dataclass(slots=True)
class _Change:
    """One change under way. `before` is the plan to return to where it comes to nothing."""

    ticket: str
    before: Plan
    changes: tuple[str, ...]
    leave: Leave
    coming: list[Member] = field(default_factory=list)
    cancelled: list[Member] = field(default_factory=list)
    left: bool = False
    taken_up: bool = False


class Changes:
    """Takes requests for changes and carries them out. `adopt` makes a plan the run's own; `outline` tells of it."""

    def __init__(
        self,
        crew: Crew,
        books: Sequence[Book],
        joining: Joining,
        adopt: Callable[[Plan], None],
        outline: Callable[[], RunStarted],
    ) -> None:
        self._crew = crew
        self._books = books
        self._joining = joining
        self._adopt = adopt
        self._outline = outline
        self._waiting: deque[Request] = deque()
        self._now: _Change | None = None
        self._answers: dict[str, Answer] = {}

    @property
    def busy(self) -> bool:
        """Whether something is being changed, so that the slots should be read often."""
        return self._now is not None

    def take(self, request: Request) -> None:
        """Have something changed, unless it was asked for before."""
        ticket = request.ticket
        if ticket in self._answers:
            self._crew.order(Reply(self._answers[ticket]))
        elif not any(other.ticket == ticket for other in self._waiting) and not self._is_now(ticket):
            self._waiting.append(request)

    def look(self) -> None:
        """Go on with the change under way, or begin with the next."""
        if self._now is None and self._waiting:
            self._begin(self._waiting.popleft())
        if self._now is not None:
            self._go_on(self._now)

    def call_off(self) -> None:
        """The run is coming to its end: who is held sends again, who was to come need not."""
        change, self._now = self._now, None
        if change is not None:
            self._release(change)
            self._stay(change)
            self._end(change, "the run is coming to its end", done=False)
        while self._waiting:
            self._answer(self._waiting.popleft().ticket, "the run is coming to its end", done=False)

    def _stay(self, change: _Change) -> None:
        """Nobody leaves but who has begun to; who was to come again, and is gone, does, and new ones need not."""
        for member in change.leave.leavers:
            member.leaving = False
            delay_s = 0.0 if member.returns else member.back_after_s
            member.returns, member.back_after_s = False, None
            # What another coordinator has told it is not known.
            told = change.taken_up or member.ends_told or member.finish_told
            if delay_s is None or not (told or member.part_is_done):
                continue
            crew = self._crew
            crew.publish(
                RestartPlanned(at_s=crew.now_s, process=member.name, delay_s=delay_s, asked_for=True)
            )
            if member.over:
                self._joining.come_back(member, delay_s)
            else:  # it is seen off once it has done what it has
                member.awaited_back, member.away_s = True, delay_s
        for member in change.coming:
            if member.step is Step.PLANNED and not member.broke_off and member not in change.leave.leavers:
                self._joining.cancel(member)
                member.called_off = True
        for member in change.cancelled:
            if member.step is Step.PLANNED:
                member.called_off = False
                self._joining.bring(member)

    def recall(self, ended: ChangeEnded) -> None:
        """What was answered is answered again to whoever asks once more."""
        if ended.ticket:
            self._keep(Answer(ticket=ended.ticket, done=ended.done, text=ended.text, at_s=ended.at_s))

    def take_up(self, told: RunChanged, coming: Iterable[str], again: Iterable[str]) -> None:
        """Go on with a change of an earlier coordinator, and with those that are still to come, or come again."""
        crew, members = self._crew, self._crew.members
        to_start = [members[name] for name in again]
        leavers = [members[name] for name in told.leaving] + to_start
        for member in to_start:
            member.returns = True
        cancelled = [member for member in leavers if self._joining.cancel(member)]
        for member in leavers:
            if member.spec.command and not member.over:
                see_off(crew, member)  # it may have been told, and then its end is not its own
        # Some of them may have gone by now, and their senders been held since before that.
        leave = Leave(crew, self._books, leavers, sources(crew.plan))
        to_come = [*(members[name] for name in coming), *to_start]
        self._now = _Change(
            told.ticket,
            told.before,
            told.changes,
            leave,
            coming=to_come,
            cancelled=cancelled,
            taken_up=True,
        )

    def release_all(self) -> None:
        """Let everyone send again: an earlier coordinator may have held anybody."""
        for member in self._crew.roles():
            for port in member.spec.ports:
                self._crew.tell(member, Release(port=port.name))

    def _is_now(self, ticket: str) -> bool:
        return self._now is not None and self._now.ticket == ticket

    def _begin(self, request: Request) -> None:
        plan = self._crew.plan
        try:
            match request:
                case Scale(node=node, replicas=replicas):
                    self._become(request.ticket, scaled(plan, node, replicas))
                case Become(plan=other):
                    self._become(request.ticket, successor(other, plan))
                case Restart(target=target):
                    self._start_again(request.ticket, target)
                case _:
                    raise TypeError(f"cannot carry out {type(request).__name__}")
        except ValueError as error:
            self._answer(request.ticket, str(error), done=False)

    def _become(self, ticket: str, plan: Plan) -> None:
        found = difference(self._crew.plan, plan)
        if found.why_not:
            raise ValueError(f"cannot change the run: {found.why_not} (take it down, and up again)")
        if not found.changes:
            self._answer(ticket, "nothing to do: it runs so already", done=True)
            return
        before = self._crew.plan
        coming = self._newcomers(plan, found)
        self._adopt(plan)
        members = self._crew.members
        leaving = [members[name] for name in found.leaving]
        again = [members[name] for name in found.again]
        self._start(ticket, before, found.changes, leaving=leaving, again=again, coming=coming)

    def _newcomers(self, plan: Plan, found: Difference) -> list[Member]:
        """The members that are to come: new ones, and such as have been here and gone."""
        specs = {spec.name: spec for spec in plan.processes}
        coming = []
        for name in found.coming:
            member = self._crew.members.get(name)
            if member is None:
                member = self._crew.add(specs[name])
                self._crew.publish(ProcessAdded(at_s=self._crew.now_s, outline=process_outline(specs[name])))
            else:
                member.spec = specs[name]
                member.begin_again()
            coming.append(member)
        return coming

    def _start_again(self, ticket: str, target: str) -> None:
        again = [self._crew.members[name] for name in to_restart(self._crew.plan, target)]
        names = name_list([member.name for member in again])
        changes = (f"{names} {'starts' if len(again) == 1 else 'start'} again",)
        self._start(ticket, self._crew.plan, changes, leaving=[], again=again, coming=[])

    def _start(
        self,
        ticket: str,
        before: Plan,
        changes: tuple[str, ...],
        *,
        leaving: list[Member],
        again: list[Member],
        coming: list[Member],
    ) -> None:
        """Make it known first: from then on it is done, by this coordinator or the next."""
        crew = self._crew
        crew.publish(
            RunChanged(
                at_s=crew.now_s,
                changes=changes,
                outline=self._outline(),
                plan=crew.plan,
                before=before,
                ticket=ticket,
                coming=tuple(member.name for member in coming),
                leaving=tuple(member.name for member in leaving),
                again=tuple(member.name for member in again),
            )
        )
        crew.order(Keep(crew.plan))
        cancelled = [member for member in (*leaving, *again) if self._joining.cancel(member)]
        for member in again:
            member.returns = True
        here = [member for member in (*leaving, *again) if not member.over and not member.called_off]
        leave = Leave(crew, self._books, here, sources(crew.plan))
        self._now = _Change(ticket, before, changes, leave, coming=[*coming, *again], cancelled=cancelled)

    def _go_on(self, change: _Change) -> None:
        change.leave.look()
        if not change.left:
            why = change.leave.stuck()
            if why:
                self._give_up(change, why)
                return
            if not change.leave.over:
                return
            change.left = True
            for member in change.coming:
                if member.over:
                    member.begin_again()
                member.called_off = member.returns = False
        if self._all_came(change):
            self._now = None
            self._release(change)
            self._end(change, "; ".join(change.changes), done=True)

    def _all_came(self, change: _Change) -> bool:
        """Whether all are in place that are to come; those of a later stage come after those of an earlier one."""
        for member in sorted(change.coming, key=lambda member: member.spec.stage):
            in_place = member.step >= Step.WORKING or member.called_off
            stage = member.spec.stage
            if not in_place and all(
                other.has_bound or other.quiet for other in change.coming if other.spec.stage < stage
            ):
                self._joining.bring(member)
        return all(member.step >= Step.WORKING or member.called_off for member in change.coming)

    def _give_up(self, change: _Change, why: str) -> None:
        """No stream has been ended yet: all is as it was."""
        self._now = None
        self._release(change)
        self._stay(change)
        if change.before is not self._crew.plan:
            self._adopt(change.before)
        self._end(change, f"cannot change the run: {why}; all is as it was", done=False)
        self._crew.order(Keep(self._crew.plan))

    def _release(self, change: _Change) -> None:
        if change.taken_up:
            self.release_all()
        change.leave.release()

    def _end(self, change: _Change, text: str, *, done: bool) -> None:
        crew = self._crew
        crew.publish(ChangeEnded(at_s=crew.now_s, text=text, done=done, plan=crew.plan, ticket=change.ticket))
        if change.ticket:
            self._answer(change.ticket, text, done=done)

    def _answer(self, ticket: str, text: str, *, done: bool) -> None:
        answer = Answer(ticket=ticket, done=done, text=text, at_s=self._crew.now_s)
        self._keep(answer)
        self._crew.order(Reply(answer))

    def _keep(self, answer: Answer) -> None:
        self._answers[answer.ticket] = answer
        while len(self._answers) > KEPT_ANSWERS:
            del self._answers[next(iter(self._answers))]
