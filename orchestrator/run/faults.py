"""Faults: what the file breaks on purpose, at a time or when a counter is reached. Pure, like all of the coordinator.

A fault fires once. Whom `any NODE` hits is drawn from the run's seed, so that the same seed hits the same one
where the same ones are alive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orchestrator.run.books import Book
from orchestrator.run.crew import Crew
from orchestrator.run.events import FaultFired
from orchestrator.run.joining import Joining
from orchestrator.run.member import Member, Step
from orchestrator.run.plan import FaultPlan

_MOVES_THE_STOPPED = ("resume", "restart", "kill")
"""What ends a pause; a SIGTERM is not seen before that."""


class Faults:
    """The schedule of a plan's faults, and their execution."""

    def __init__(self, crew: Crew, books: Sequence[Book], joining: Joining, *, seed: int) -> None:
        self._crew = crew
        self._books = books
        self._joining = joining
        self._seed = seed
        self._pending = dict(enumerate(crew.plan.faults))
        self._resumes: list[tuple[float, Member]] = []
        self._reserves = {spec.name: spec for spec in crew.plan.reserves}

    @property
    def watches_counters(self) -> bool:
        """Whether a counter is awaited, so that the slots should be read often."""
        return any(fault.when for fault in self._pending.values())

    def look(self, since_go_s: float) -> None:
        """Let fire what is due, and let go on who has been paused for long enough."""
        for number, fault in list(self._pending.items()):
            if self._is_due(fault, since_go_s):
                del self._pending[number]
                self._fire(number, fault)
        for resume_s, member in list(self._resumes):
            if self._crew.now_s >= resume_s:
                self._resume(member)

    def resume_all(self) -> None:
        """Let everyone go on: who is to leave must be able to hear it."""
        self._resumes.clear()
        for member in self._crew.members.values():
            if member.paused:
                self._resume(member)

    def lets_go_on(self, member: Member) -> bool:
        """Whether a process that is paused is to go on, or to be ended, by a fault that is still to come."""
        later = [fault for fault in self._pending.values() if fault.action in _MOVES_THE_STOPPED]
        resumes = any(other is member for _, other in self._resumes)
        return resumes or any(member.name in fault.targets for fault in later)

    def recall(self, fired: FaultFired) -> None:
        """It has fired in the past; who is paused stays so for as long as was meant."""
        fault = self._pending.pop(fired.fault, None)
        if fault is None:
            return
        for name in fired.processes:
            member = self._crew.members.get(name)
            if member is None:
                continue
            if fault.action == "pause":
                member.paused, member.resumes = True, fault.for_s is not None
                if fault.for_s is not None:
                    self._resumes.append((fired.at_s + fault.for_s, member))
            elif fault.action == "resume":
                member.paused = member.resumes = False
                self._forget_resume(member)
            elif fault.action == "restart":
                member.awaited_back, member.away_s = True, fault.for_s or 0.0

    def tell_unfired(self) -> None:
        """A fault that never fired is a failure: nobody has seen what it was to show."""
        for fault in self._pending.values():
            came_to = ", ".join(
                f"{path} came to {self._counter(path):,} of {n:,}" for path, n in fault.when.items()
            )
            why = came_to or f"the run was over at {self._crew.now_s:.2f} s"
            self._problem(f"fault never fired: {fault.text} ({why})", fault)

    def _is_due(self, fault: FaultPlan, since_go_s: float) -> bool:
        if fault.at_s is not None:
            return since_go_s >= fault.at_s
        return all(self._counter(path) >= number for path, number in fault.when.items())

    def _counter(self, path: str) -> int:
        """What a counter says now: of a process, of a node's processes together, or of an endpoint."""
        subject, _, measure = path.rpartition(".")
        members = [
            member
            for member in self._crew.members.values()
            if subject in (member.name, member.spec.node) and member.spec.is_role
        ]
        if members:
            counts = [member.count(port.name) for member in members for port in member.spec.ports]
            return sum(count.sent if measure == "sent" else count.received for count in counts)
        books = [book for book in self._books if subject in book.plan.endpoints and not book.plan.replies]
        return sum(book.sent if measure == "sent" else book.received for book in books)

    def _fire(self, number: int, fault: FaultPlan) -> None:
        hit = self._scaled(fault) if fault.action == "scale" else self._hit(number, fault)
        if not hit:
            return
        names = tuple(member.name for member in hit)
        fired = FaultFired(
            at_s=self._crew.now_s, fault=number, text=fault.text, processes=names, line=fault.line
        )
        self._crew.publish(fired)
        for member in hit:
            self._do(fault, member)

    def _hit(self, number: int, fault: FaultPlan) -> list[Member]:
        """Those whom a fault hits. Where nobody is left whom it could hit, that is told."""
        members = [self._crew.members[name] for name in fault.targets if name in self._crew.members]
        fit = [member for member in members if _can_be_hit(fault.action, member)]
        if not fit:
            names = [name for name in fault.targets if name not in self._crew.members]
            why = "; ".join(
                [_why_not(member) for member in members[:3]] + [f"{n} is not there" for n in names[:3]]
            )
            self._problem(f"cannot {fault.text}: {why}", fault)
        if fault.one_of_them and fit:
            return [fit[_draw(f"{self._seed}/{number}", len(fit))]]
        return fit

    def _scaled(self, fault: FaultPlan) -> list[Member]:
        wanted = [
            spec
            for node, replicas in fault.scale.items()
            for spec in self._reserves.values()
            if spec.node == node and spec.replica <= replicas and spec.name not in self._crew.members
        ]
        if not wanted:
            self._problem(f"cannot {fault.text}: there are so many already", fault)
        return [self._joining.add(spec) for spec in wanted]

    def _do(self, fault: FaultPlan, member: Member) -> None:
        crew = self._crew
        match fault.action:
            case "kill":
                member.doomed = True
                crew.strike(member, "SIGKILL")
            case "terminate":
                crew.strike(member, "SIGTERM")
            case "pause":
                crew.strike(member, "SIGSTOP")
                self._forget_resume(member)
                member.paused = True
                member.resumes = fault.for_s is not None or self._will_be_resumed(member)
                if fault.for_s is not None:
                    self._resumes.append((crew.now_s + fault.for_s, member))
            case "resume":
                self._resume(member)
            case "restart":
                if member.over:
                    self._joining.come_back(member, fault.for_s or 0.0)
                else:
                    member.awaited_back = member.doomed = True
                    member.away_s = fault.for_s or 0.0
                    crew.strike(member, "SIGKILL")
            case "scale":
                pass

    def _will_be_resumed(self, member: Member) -> bool:
        """Whether its time will come for certain; a counter may stand still, and then so does the run."""
        later = [fault for fault in self._pending.values() if fault.action in _MOVES_THE_STOPPED]
        return any(member.name in fault.targets and fault.at_s is not None for fault in later)

    def _forget_resume(self, member: Member) -> None:
        """A time set by an earlier pause is over: what was done last counts."""
        self._resumes = [(resume_s, other) for resume_s, other in self._resumes if other is not member]

    def _resume(self, member: Member) -> None:
        self._forget_resume(member)
        member.paused = member.resumes = False
        member.changed_s = member.counted_s = self._crew.now_s
        self._crew.strike(member, "SIGCONT")

    def _problem(self, text: str, fault: FaultPlan) -> None:
        self._crew.problem("fault", text, line=fault.line, where="faults")


def _can_be_hit(action: str, member: Member) -> bool:
    """Whether it is there to be hit; one that has ended can still be started again."""
    if action == "restart" and member.over:
        return True
    running = Step.LAUNCHED <= member.step < Step.ENDED and not member.doomed
    return running and (action != "resume" or member.paused)


def _why_not(member: Member) -> str:
    if member.over:
        ended_s = member.exited.at_s if member.exited else member.changed_s
        return f"{member.name} ended at {ended_s:.2f} s"
    if member.awaited_back:
        return f"{member.name} is being started again"
    if member.doomed:
        return f"{member.name} has been killed already"
    if member.step < Step.LAUNCHED:
        return f"{member.name} has not been started {'again' if member.was_restarted else 'yet'}"
    return f"{member.name} is not paused"


def _draw(seed: str, among: int) -> int:
    """A number below `among` that looks like chance and follows from the seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % among
