"""The coordinator: events in, commands out. Pure: no socket, no file, no clock; time comes with the events.

A run goes through phases. STARTING launches stage by stage until Go. WORKING lets the books close. DRAINING
is the same with the sources asked to finish, because the user, a duration or a failure wants it. STOPPING
ends the processes. OVER is the end. Each event may bring the next phase; none goes back.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal

from orchestrator.run import events
from orchestrator.run.addresses import AddressBook
from orchestrator.run.changing import Changes
from orchestrator.run.commands import Command
from orchestrator.run.crew import Crew
from orchestrator.run.deliveries import Deliveries, makes_good
from orchestrator.run.departures import never_ran
from orchestrator.run.desk import Desk
from orchestrator.run.endings import Endings, awaited_commands
from orchestrator.run.faults import Faults
from orchestrator.run.hanging import Hanging
from orchestrator.run.joining import Joining
from orchestrator.run.launcher import Launcher
from orchestrator.run.member import Member, Step
from orchestrator.run.pace import reading_pace_s
from orchestrator.run.plan import Plan
from orchestrator.run.recall import Recall
from orchestrator.run.reports import Reports
from orchestrator.run.stopper import Stopper, see_off
from orchestrator.run.succession import Succession
from orchestrator.run.tolerance import Tolerance

DRAIN_AFTER_FAILURE_S = 1.5
PROGRESS_EVERY_S = 0.1
SIGTERM_DRAINS_WITHIN_S = 25.0
"""A service that is ended by a signal must be over before whoever sent it loses patience."""
_SIGNAL_CODES = {"SIGINT": 130, "SIGTERM": 143}
_PROBLEM_CODES = {"setup": 2, "bind": 3, "launch": 3}


class Phase(enum.IntEnum):
    """How far the run is."""

    STARTING = 0
    WORKING = 1
    DRAINING = 2
    STOPPING = 3
    OVER = 4


class Coordinator:
    """Decides what happens next in one run of one plan.

    Feed it every event through `handle` and carry out the commands that it returns, in order. `outline` is
    the first event to be published; `sockets` the run's private directory. A run that `serves` goes on until it is
    asked to end, however long nothing happens, and SIGTERM is such a request.
    """

    def __init__(self, plan: Plan, outline: events.RunStarted, *, sockets: str, serves: bool = False) -> None:
        self.phase = Phase.STARTING
        self._serves = serves
        self._outline = outline
        self._crew = Crew(plan)
        self._tolerance = Tolerance(plan)
        self._addresses = AddressBook(self._crew, sockets=sockets)
        self._launcher = Launcher(self._crew, self._addresses)
        self._succession = Succession(self._crew, self._addresses, self._tolerance, outline)
        self._books = self._succession.books
        self._endings = Endings(self._crew, self._books)
        self._joining = Joining(self._crew, self._addresses, self._enrol)
        self._faults = Faults(self._crew, self._books, self._joining, seed=outline.seed)
        self._deliveries = Deliveries(self._crew, self._books)
        self._hanging = Hanging(self._crew, self._faults.lets_go_on)
        self._reports = Reports(self._crew, self._launcher, self._joining, self._tolerance, self._deliveries)
        self._changes = Changes(
            self._crew, self._books, self._joining, self._adopt, self._succession.outline_now
        )
        self._desk = Desk(self._crew, self._changes, self._go_down)
        self._stopper = Stopper(self._crew)
        self._went_s: float | None = None
        self._cut_since_s: float | None = None
        self._draining_s = 0.0
        self._drained_s: float | None = None
        self._drain_due_s: float | None = None
        self._interrupted: str | None = None
        self._progress_s = 0.0

    def handle(self, event: events.Event) -> tuple[Command, ...]:
        """Take in one event; the commands that follow from it.

        Events of one process come in the order in which they happened.
        """
        self._crew.come_to(event.at_s)
        if self.phase is Phase.OVER:
            return ()
        match event:
            case events.Began():
                self._crew.publish(self._outline)
                self._addresses.begin()
            case events.Launched() | events.LaunchFailed() | events.Heard() | events.Exited():
                self._reports.take(event, interrupted=self._interrupted is not None)
            case events.Read():
                self._read(event)
            case events.Interrupted():
                self._interrupt(event.signal)
            case events.Asked():
                self._desk.take(event.request, self.phase.name.lower())
            case events.TimedOut():
                if self.phase < Phase.STOPPING:
                    text = f"time ran out after {event.timeout_s:g} s (--timeout allows more)"
                    self._crew.fail("timeout", text, None)
            case _:
                pass
        if self._crew.failing:
            self._begin_failing()
        self._advance(timed=isinstance(event, events.Tick | events.Read))
        return self._crew.take_commands()

    def resume(self, past: Sequence[events.Known], *, at_s: float, pid: int) -> tuple[Command, ...]:
        """Go on with a run whose coordinator is gone, from what it has made known; what is to be done first.

        `running` are then the processes that may still be there. An exit, or all that it has said before, follows for
        each of them.
        """
        self._addresses.begin()
        recall = Recall(self._crew, self._addresses, self._books, self._faults, self._reports.restarts)
        for event in past:
            recall.take(event)
        found, crew = recall.found, self._crew
        crew.take_commands()  # all of it is known
        crew.come_to(at_s)
        crew.come_after(1 + sum(isinstance(event, events.RunResumed) for event in past))
        crew.publish(events.RunResumed(at_s=crew.now_s, pid=pid))
        self._went_s = found.went_s
        for ended in found.answers:
            self._changes.recall(ended)
        if found.went_s is None:
            self._launcher.resume(found.back_s)
        else:
            self._launcher.went = True
            self.phase = Phase.DRAINING if found.draining else Phase.WORKING
            self._draining_s = crew.now_s
            self._joining.resume(found.back_s, found.went_s)
        self._see_off_who_come_back()
        self._deliveries.repeat(past)
        if found.change is None or found.draining:
            self._changes.release_all()
        else:
            self._changes.take_up(found.change, found.coming, found.again)
        if found.draining:
            self._joining.call_off()
            self._endings.finish_sources()
        if found.draining == "failure":
            self._cut_since_s = crew.now_s
        elif crew.failing and not found.draining:
            self._begin_failing()
        self._advance(timed=False)
        return crew.take_commands()

    def running(self) -> list[Member]:
        """The processes that have been launched and are not known to have ended."""
        return [
            member
            for member in self._crew.members.values()
            if Step.LAUNCHED <= member.step < Step.ENDED and not member.spec.external
        ]

    @property
    def wants_slots_every_s(self) -> float:
        """How often the slots should be read."""
        hurries = self._faults.watches_counters or self._changes.busy
        ending = self.phase is Phase.DRAINING
        return reading_pace_s(
            self._crew, at_rest=self.phase in (Phase.STARTING, Phase.STOPPING), hurries=hurries, ending=ending
        )

    @property
    def doubted(self) -> frozenset[str]:
        """Whom the next reading is to tell of in `awake`, where they are."""
        return frozenset(self._crew.doubted)

    def _enrol(self, member: Member) -> None:
        for book in self._books:
            book.enrol(member)
        self._endings.enrol(member)

    def _read(self, event: events.Read) -> None:
        readings = event.readings
        self._crew.note_awake(event.awake)
        for name, reading in readings.items():
            self._reports.note_reading(self._crew.members[name], reading)
        if event.stopped is not None:
            self._reports.note_stopped(event.stopped)
        if self.phase in (Phase.WORKING, Phase.DRAINING):
            if not self._crew.failing:
                self._hanging.look()
            for book in self._books:
                book.look()
            self._endings.look()
            self._deliveries.look()
            self._joining.look()
            self._look_for_rest()
        self._see_off_who_come_back()
        if self.phase is Phase.WORKING:
            self._faults.look(self._crew.now_s - (self._went_s or 0.0))
            self._changes.look()
        if self._crew.now_s - self._progress_s >= PROGRESS_EVERY_S and self._went_s is not None:
            self._progress_s = self._crew.now_s
            self._crew.publish(events.Progress(at_s=self._crew.now_s, readings=readings))

    def _see_off_who_come_back(self) -> None:
        """Those that have failed, or have done this incarnation's part, and come again; some need more than a word."""
        for member in self._crew.members.values():
            if member.awaited_back and member.part_is_done and not member.over:
                see_off(self._crew, member)

    def _go_down(self, at_once: bool) -> None:
        if at_once:
            self._break_off("SIGTERM")
        elif self.phase is Phase.STARTING:
            self._interrupt("SIGTERM")
        elif self.phase is Phase.WORKING:
            self._drain("down")

    def _adopt(self, plan: Plan) -> None:
        self._succession.adopt(plan)
        self._endings = Endings(self._crew, self._books)

    def _look_for_rest(self) -> None:
        """Nothing moves any more: after a failure that is the end of what could be drained, else it is a stall."""
        if self._serves and self.phase is Phase.WORKING:
            return  # a service may well have nothing to do
        resting_s = self._endings.resting_for_s()
        if resting_s is None or self._changes.busy:
            return
        members = self._crew.members.values()
        nobody_stopped = not any(member.stopped for member in members)
        missed = [m for m in members if m.has_lost_its_way]
        gone = nobody_stopped and not all(makes_good(self._books, member) for member in missed)
        if self._cut_since_s is not None or gone:
            moves_slowly = self._cut_since_s is None and any(book.moves_slowly for book in self._books)
            patience_s = self._crew.plan.stall_s if moves_slowly else self._crew.plan.settle_s
            if self._rests_for(patience_s, resting_s):
                self._endings.give_up()
        elif self._rests_for(self._crew.plan.stall_s, resting_s):
            self._endings.tell_stall()
            self._begin_failing()

    def _rests_for(self, patience_s: float, resting_s: float) -> bool:
        return resting_s >= patience_s and self._crew.found_asleep(self._crew.roles())

    def _interrupt(self, signal: str) -> None:
        if self._interrupted is not None:
            self._crew_away(kill=True)
            return
        if self._serves and self.phase is Phase.WORKING:
            self._drain_due_s = self._crew.now_s + SIGTERM_DRAINS_WITHIN_S
            self._drain("down")
            return
        if self._serves and self.phase is Phase.DRAINING:
            self._break_off(signal)
            return
        self._interrupted = signal
        if self.phase is Phase.STARTING:
            self._crew_away()
        elif self.phase is Phase.WORKING:
            self._drain(signal)

    def _break_off(self, signal: str) -> None:
        """Wait for nothing any more, but let everyone hear that it is over; what has been counted is kept."""
        self._interrupted = self._interrupted or signal
        self._crew_away()

    def _begin_failing(self) -> None:
        if self.phase is Phase.STARTING:
            self._crew_away()
        elif self.phase < Phase.STOPPING and self._cut_since_s is None:
            self._cut_since_s = self._crew.now_s
            self._drain("failure")

    def _drain(self, why: str) -> None:
        self.phase = max(self.phase, Phase.DRAINING)
        self._draining_s = self._crew.now_s
        self._crew.publish(events.RunDraining(at_s=self._crew.now_s, why=why))
        self._changes.call_off()
        self._joining.call_off()
        self._faults.resume_all()
        self._endings.finish_sources()

    def _crew_away(self, *, kill: bool = False) -> None:
        """Stop everyone at once."""
        self._come_to_the_stop()
        self._stopper.hurry()
        if kill:
            self._stopper.kill()

    def _come_to_the_stop(self) -> None:
        """From now on nobody is to come, nobody is to come again, and everyone must be able to hear."""
        self.phase = Phase.STOPPING
        self._crew.ending = True
        self._changes.call_off()
        self._joining.call_off(everyone=True)
        self._faults.resume_all()

    def _advance(self, *, timed: bool) -> None:
        """Go on as far as it goes. A stop goes on with the clock: a large crew is not looked through at each end."""
        if self.phase is Phase.STARTING:
            self._start()
        if self.phase in (Phase.WORKING, Phase.DRAINING):
            self._work()
        if self.phase is Phase.STOPPING and timed and self._stopper.advance():
            self._end()

    def _start(self) -> None:
        self._launcher.advance()
        if self._launcher.went:
            self._went_s = self._crew.now_s
            self._joining.begin()
            self.phase = Phase.WORKING
            return
        overdue = self._launcher.overdue
        if overdue:
            for member in overdue:
                self._tell_overdue(member, self._launcher.waited_s)
            self._crew_away()

    def _tell_overdue(self, member: Member, waited_s: float) -> None:
        after = f"{waited_s:.{1 if waited_s < 1 else 0}f} s"
        text = f"not ready after {after}: {self._launcher.what_is_missing(member)}"
        self._crew.problem("not_ready", text, process=member.name, where=f"nodes.{member.spec.node}")

    def _work(self) -> None:
        crew, plan = self._crew, self._crew.plan
        due_s = (self._went_s or 0.0) + plan.duration_s if plan.duration_s is not None else None
        if due_s is not None and crew.now_s >= due_s and self.phase is Phase.WORKING:
            self._drain("duration")
        overdue = self._joining.overdue
        if overdue and self._cut_since_s is None:
            for member in overdue:
                self._tell_overdue(member, member.spec.ready_within_s)
            self._begin_failing()
        if self.phase is Phase.DRAINING and self._cut_since_s is None:
            for member in self._endings.reluctant(self._draining_s):
                text = f"{member.name} did not finish within {member.spec.stop_grace_s:g} s of being asked to"
                self._crew.fail("failed", text, member)
                self._begin_failing()
        if self._drain_due_s is not None and crew.now_s >= self._drain_due_s:
            self._break_off("SIGTERM")
        elif self._cut_since_s is not None and crew.attended_s(self._cut_since_s) >= DRAIN_AFTER_FAILURE_S:
            self._crew_away()
        elif all(member.quiet for member in crew.roles()) and self._commands_are_done():
            self._come_to_the_stop()
            if self._cut_since_s is not None:
                self._stopper.hurry()

    def _commands_are_done(self) -> bool:
        """Commands that only receive have their grace to take in what is left; without any roles, all the time."""
        awaited = awaited_commands(self._crew)
        if not awaited:
            return True
        if self._drained_s is None:
            self._drained_s = self._crew.now_s
        if not any(True for _ in self._crew.roles()):
            return self.phase is Phase.DRAINING
        return self._crew.attended_s(self._drained_s) >= max(member.spec.stop_grace_s for member in awaited)

    def _end(self) -> None:
        crew = self._crew
        for book in self._books:
            book.close()
        if self._went_s is not None and self._interrupted is None:
            self._faults.tell_unfired()
        for member in crew.members.values():
            if not member.over and not member.was_restarted:
                crew.publish(
                    never_ran(member, came=member.spec.external and self._went_s is not None, at_s=crew.now_s)
                )
        self._reports.tell_unlogged()
        verdict, exit_code = self._verdict()
        self.phase = Phase.OVER
        crew.publish(
            events.RunEnded(at_s=crew.now_s, verdict=verdict, exit_code=exit_code, work_s=self._work_s())
        )

    def _verdict(self) -> tuple[Literal["passed", "failed", "interrupted"], int]:
        if self._interrupted is not None:
            return "interrupted", _SIGNAL_CODES.get(self._interrupted, 130)
        if not self._crew.problems:
            return "passed", 0
        return "failed", _PROBLEM_CODES.get(self._crew.problems[0].kind, 1)

    def _work_s(self) -> float | None:
        if self._went_s is None:
            return None
        return max([book.closed_s or 0.0 for book in self._books] + [self._went_s]) - self._went_s
