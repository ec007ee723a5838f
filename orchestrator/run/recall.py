"""What a coordinator knows of a run that it has not begun: the journal, read from its first event to its last.

Its processes have gone on meanwhile, and the slots have kept the counts. What they have said since, they say again, and
what they have been told is told again; both count once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.run import events
from orchestrator.run.addresses import AddressBook
from orchestrator.run.books import Book
from orchestrator.run.crew import Crew
from orchestrator.run.faults import Faults
from orchestrator.run.member import Member, Step
from orchestrator.run.plan import Plan
from orchestrator.run.restarts import Restarts
from roles.kit.messages import Failed
from roles.kit.slot import Reading

ENDING_KINDS = ("killed", "hung", "failed", "exit", "setup", "bind", "launch", "timeout", "restarts", "gaps")
"""Problems of these kinds end a run; others are judged when it is over."""


@dataclass(slots=True)
class Recollection:
    """What came of it, beyond what the members, books and addresses have been made to remember.

    `back_s` has those that are to come again, with the time at which they are due. `change` is one that was begun
    and not ended; `coming` and `again` those that it has still to start, for the first time or anew.
    """

    went_s: float | None = None
    draining: str | None = None
    back_s: dict[str, float] = field(default_factory=dict)
    change: events.RunChanged | None = None
    coming: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    answers: list[events.ChangeEnded] = field(default_factory=list)


def plan_of_the_past(first: Plan, past: Iterable[events.Known]) -> Plan:
    """The plan by which a run goes now that began with the `first`: the last one that was made known."""
    plans = [event.plan for event in past if isinstance(event, events.RunChanged | events.ChangeEnded)]
    return next((plan for plan in reversed(plans) if plan is not None), first)


class Recall:
    """Takes in the events of the past, one after another."""

    def __init__(
        self, crew: Crew, addresses: AddressBook, books: Iterable[Book], faults: Faults, restarts: Restarts
    ) -> None:
        self.found = Recollection()
        self._crew = crew
        self._addresses = addresses
        self._books = {(book.plan.name, book.plan.replies): book for book in books}
        self._faults = faults
        self._restarts = restarts
        self._failed: dict[str, events.ProcessFailed] = {}
        self._specs = {spec.name: spec for spec in (*crew.plan.processes, *crew.plan.reserves)}

    def take(self, event: events.Known) -> None:
        """Remember one event."""
        crew, found = self._crew, self.found
        crew.now_s = max(crew.now_s, event.at_s)
        match event:
            case events.ProcessAdded():
                self._added(event)
            case events.RunReady():
                self._went(event)
            case events.RunDraining():
                found.draining, crew.draining = event.why, True
                crew.failing = crew.failing or event.why == "failure"
            case events.FaultFired():
                self._faults.recall(event)
            case events.BookClosed():
                book = self._books.get((event.book, event.replies))
                if book is not None:
                    book.recall_closed(event.at_s)
            case events.ProblemFound():
                self._problem(event)
            case events.RunChanged():
                found.change, found.coming, found.again = event, list(event.coming), list(event.again)
            case events.ChangeEnded():
                self._change_ended(event)
            case _:
                self._of_process(event)

    def _of_process(self, event: events.Known) -> None:
        name = getattr(event, "process", None)
        member = self._crew.members.get(name) if isinstance(name, str) else None
        if member is None:
            return
        match event:
            case events.ProcessLaunched():
                self._launched(member, event)
            case events.ProcessBound():
                member.step = max(member.step, Step.BOUND)
                for endpoint, address in event.addresses.items():
                    self._addresses.place(member, endpoint, address)
            case events.ProcessReady():
                self._in_place(member, event.at_s, ready=True)
            case events.ProcessFinished():
                member.step, member.finished = Step.DONE, True
            case events.ProcessBegan():
                self._in_place(member, event.at_s, began=True)
            case events.ProcessFailed():
                self._failed[member.name] = event
            case events.RestartPlanned():
                self._judged(member.name)
                self._restart_planned(member, event)
            case events.ProcessEnded():
                self._ended(member, event)
            case _:
                _stands_still(member, event)

    def _restart_planned(self, member: Member, event: events.RestartPlanned) -> None:
        member.awaited_back, member.away_s = True, event.delay_s
        if member.over:
            self.found.back_s[member.name] = event.at_s + event.delay_s
        if not event.asked_for:
            self._restarts.recall(member.name, event.at_s, event.delay_s)

    def _problem(self, event: events.ProblemFound) -> None:
        if event.process is not None:
            self._judged(event.process)
        if not event.expected:
            self._crew.problems.append(event)
            self._crew.failing = self._crew.failing or event.kind in ENDING_KINDS

    def _judged(self, process: str) -> None:
        """What a process has told of its failure counts once something follows from it; else it is heard again."""
        told, member = self._failed.pop(process, None), self._crew.members.get(process)
        if told is not None and member is not None:
            member.failed = Failed(kind="raised", text=told.text, item=told.item)

    def _added(self, event: events.ProcessAdded) -> None:
        """A process that has gone since, and was not to come again, is in no plan any more."""
        spec = self._specs.get(event.outline.name)
        if spec is not None and spec.name not in self._crew.members:
            self._crew.add(spec)
            for book in self._books.values():
                book.enrol(self._crew.members[spec.name])

    def _launched(self, member: Member, event: events.ProcessLaunched) -> None:
        while member.incarnation < event.incarnation:
            member.begin_again()
        member.joins = self.found.went_s is not None
        member.pid, member.step, member.launched_s = event.pid, Step.LAUNCHED, event.at_s
        member.called_off = False
        self.found.back_s.pop(member.name, None)
        for waiting in (self.found.coming, self.found.again):
            if member.name in waiting:
                waiting.remove(member.name)
        if member.spec.command:
            self._addresses.place_planned(member)
            self._in_place(member, event.at_s)

    def _in_place(self, member: Member, at_s: float, *, ready: bool = False, began: bool = False) -> None:
        if ready:
            member.step = max(member.step, Step.READY)
        if began or self.found.went_s is not None:
            member.step, member.in_place_s = max(member.step, Step.WORKING), at_s

    def _went(self, event: events.RunReady) -> None:
        self.found.went_s = event.at_s
        for member in self._crew.members.values():
            if member.step is Step.READY or (member.spec.command and member.step is Step.LAUNCHED):
                self._in_place(member, event.at_s)
            if member.spec.external:
                member.step = Step.WORKING

    def _ended(self, member: Member, event: events.ProcessEnded) -> None:
        if event.outcome == "not_started":
            member.called_off = True
            return
        while member.incarnation < event.incarnation:
            member.begin_again()
        member.exited = events.Exited(
            at_s=event.at_s,
            process=member.name,
            exit_code=event.exit_code,
            signal=event.signal,
            incarnation=event.incarnation,
        )
        member.reading = Reading(ports=event.ports, cpu_s=event.cpu_s or 0.0)
        member.changed_s, member.step, member.stopped = event.at_s, Step.ENDED, False
        if event.outcome in ("stopped", "finished") and event.signal is not None:
            member.signals_sent.append(event.signal)
        if event.outcome == "stopped":
            member.stop_told_s = event.at_s
        change = self.found.change
        if change is not None and member.name in (*change.leaving, *change.again):
            member.drained = event.outcome in ("stopped", "finished")
        if member.awaited_back:
            self.found.back_s[member.name] = event.at_s + member.away_s

    def _change_ended(self, event: events.ChangeEnded) -> None:
        change, self.found.change = self.found.change, None
        self.found.coming, self.found.again = [], []
        self.found.answers.append(event)
        if change is None or not event.done:
            return
        for name in change.leaving:
            self.found.back_s.pop(name, None)
            member = self._crew.members.get(name)
            if member is not None:
                member.leaving, member.awaited_back = True, False
                member.called_off = not member.over


def _stands_still(member: Member, event: events.Known) -> None:
    """It was stopped, or was about to be killed since it hung."""
    match event:
        case events.ProcessStopped():
            member.stopped = True
        case events.ProcessContinued():
            member.stopped = False
        case events.ProcessHung(text=text):
            member.hung = text
        case _:
            pass
