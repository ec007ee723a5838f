"""What processes say and how they end: taken down in the crew, made known, and where it is unwanted, a failure."""

from __future__ import annotations

from collections.abc import Container

from orchestrator.run import events
from orchestrator.run.crew import Crew
from orchestrator.run.deliveries import Deliveries
from orchestrator.run.departures import death, process_ended
from orchestrator.run.joining import Joining
from orchestrator.run.launcher import Launcher
from orchestrator.run.member import Member, Step
from orchestrator.run.restarts import Again, Restarts
from orchestrator.run.stopper import see_off
from orchestrator.run.tolerance import Tolerance
from roles.kit.messages import Bound, Failed, Finished, Held, Hello, Ready, SetAside
from roles.kit.slot import Reading

SHOWN_LOGS = 5
"""Of so many processes it is told that their logs are not whole."""


class Reports:
    """Takes in the news of processes; a process that needs somebody to bring it into place is passed on."""

    def __init__(
        self,
        crew: Crew,
        launcher: Launcher,
        joining: Joining,
        tolerance: Tolerance,
        deliveries: Deliveries,
    ) -> None:
        self._crew = crew
        self._launcher = launcher
        self._joining = joining
        self._tolerance = tolerance
        self._deliveries = deliveries
        self.restarts = Restarts()
        self._unlogged_bytes: dict[str, int] = {}

    def take(
        self,
        event: events.Launched | events.LaunchFailed | events.Heard | events.Exited,
        *,
        interrupted: bool,
    ) -> None:
        """Take in the news of a process; where the user has `interrupted` the run, an end by us is no failure."""
        match event:
            case events.Launched():
                self._launched(event)
            case events.LaunchFailed():
                self._launch_failed(event)
            case events.Heard():
                self._heard(event)
            case events.Exited():
                self._exited(event, interrupted=interrupted)

    def _launched(self, event: events.Launched) -> None:
        member = self._crew.members[event.process]
        member.pid, member.step, member.launched_s = event.pid, Step.LAUNCHED, event.at_s
        self._crew.publish(
            events.ProcessLaunched(
                at_s=event.at_s, process=event.process, pid=event.pid, incarnation=event.incarnation
            )
        )
        self._guide(member).launched(member)

    def _launch_failed(self, event: events.LaunchFailed) -> None:
        member = self._crew.members[event.process]
        member.step = Step.PLANNED
        self._crew.fail("launch", event.text, member)

    def _heard(self, event: events.Heard) -> None:
        """What an earlier incarnation said no longer counts."""
        member, message = self._crew.members[event.process], event.message
        if member.over or event.incarnation != member.incarnation:
            return
        if isinstance(message, Hello) and message.pid != member.pid:
            return  # somebody of that name whom an earlier coordinator has started, and this one has ended
        if isinstance(message, Failed):
            if member.failed is None:
                self._role_failed(member, message)
        elif isinstance(message, Held):
            member.held[message.port] = message
        elif isinstance(message, SetAside):
            self._deliveries.set_aside(member, message)
        elif member.heard(message):
            self._step_taken(member, message)

    def _exited(self, event: events.Exited, *, interrupted: bool) -> None:
        """Where it is to come again, its end is no failure."""
        member = self._crew.members[event.process]
        if member.over or event.incarnation != member.incarnation:
            return
        self.note_reading(member, event.reading)
        if event.reading.unlogged_bytes:
            before_bytes = self._unlogged_bytes.get(member.name, 0)
            self._unlogged_bytes[member.name] = before_bytes + event.reading.unlogged_bytes
        member.exited = event
        member.changed_s = event.at_s
        member.step = Step.ENDED
        self._deliveries.takes_no_more(member)
        if not member.awaited_back:
            self._judge(member, event, interrupted=interrupted)
        member.stopped = False
        self._crew.publish(process_ended(member, event, went=self._launcher.went))
        if member.awaited_back:
            self._guide_back(member).come_back(member, member.away_s)

    def tell_unlogged(self) -> None:
        """Say once for all that logs are not whole."""
        if not self._unlogged_bytes:
            return
        names = list(self._unlogged_bytes)
        more = f" and {len(names) - SHOWN_LOGS} more" if len(names) > SHOWN_LOGS else ""
        whose = f"{', '.join(names[:SHOWN_LOGS])}{more}"
        unlogged_bytes = sum(self._unlogged_bytes.values())
        text = f"{unlogged_bytes:,} bytes that {whose} printed are in no log: it could not be written"
        self._crew.problem("log", text, expected=True)

    def _guide_back(self, member: Member) -> Launcher | Joining:
        """Before Go a process that comes again is awaited like all others."""
        return self._joining if self._launcher.went or member.joins else self._launcher

    def note_reading(self, member: Member, reading: Reading) -> None:
        """Take down what a slot says, and when it last said something else."""
        old = member.reading
        if (reading.state, reading.port, reading.ports) != (old.state, old.port, old.ports):
            member.changed_s = self._crew.now_s
        if reading.ports != old.ports:
            member.counted_s = self._crew.now_s
        member.reading = reading
        if member.waits:
            member.waited_s = self._crew.now_s

    def note_stopped(self, stopped: Container[str]) -> None:
        """Take down who is stopped by a signal that is none of ours, and make it known when that changes."""
        crew = self._crew
        for member in crew.members.values():
            runs = Step.LAUNCHED <= member.step < Step.ENDED and member.pid is not None
            stands = runs and not member.paused and member.name in stopped
            if not runs or stands is member.stopped:
                continue
            member.stopped = stands
            if not stands:
                member.changed_s = member.counted_s = crew.now_s
            if not member.paused:
                told = events.ProcessStopped if stands else events.ProcessContinued
                crew.publish(
                    told(
                        at_s=crew.now_s,
                        process=member.name,
                        pid=member.pid or 0,
                        incarnation=member.incarnation,
                    )
                )

    def _guide(self, member: Member) -> Launcher | Joining:
        """Who brings a process into place: the launcher those that go together, the other those that join."""
        return self._joining if member.joins else self._launcher

    def _step_taken(self, member: Member, message: object) -> None:
        crew, pid = self._crew, member.pid or 0
        if member.stop_told_s is not None:
            crew.repeat_stop(member)  # it was not there yet when it was told
        if isinstance(message, Bound):
            crew.publish(
                events.ProcessBound(
                    at_s=crew.now_s,
                    process=member.name,
                    addresses=message.addresses,
                    incarnation=member.incarnation,
                )
            )
            self._guide(member).bound(member, message)
        elif isinstance(message, Ready):
            crew.publish(events.ProcessReady(at_s=crew.now_s, process=member.name, pid=pid))
            self._guide(member).ready(member)
        elif isinstance(message, Finished):
            member.finished = True
            member.changed_s = crew.now_s
            self._deliveries.takes_no_more(member)
            crew.publish(
                events.ProcessFinished(
                    at_s=crew.now_s,
                    process=member.name,
                    pid=pid,
                    result=message.result,
                    latencies=message.latencies,
                    incarnation=member.incarnation,
                )
            )

    def _role_failed(self, member: Member, told: Failed) -> None:
        crew = self._crew
        member.failed = told
        member.changed_s = crew.now_s
        crew.publish(
            events.ProcessFailed(
                at_s=crew.now_s,
                process=member.name,
                pid=member.pid or 0,
                text=told.text,
                traceback=told.traceback,
                item=told.item,
            )
        )
        again = self._again_after(member, told)
        while_ = f" while handling {told.item}" if told.item else ""
        if again:
            self._start_again(member, again, f"{member.name} failed: {told.text}{while_}")
            see_off(crew, member)  # what it has sent is still to arrive
        elif told.kind == "bind":
            where = f"endpoints.{told.endpoint}"
            crew.fail("bind", f"{told.endpoint}: {told.text}", member, endpoint=told.endpoint, where=where)
        elif told.kind == "setup":
            where = f"nodes.{member.spec.node}.{told.where}"
            crew.fail("setup", f"{member.name}: {told.text}", member, where=where)
        else:
            text = f"{member.name} failed: {told.text}{while_}"
            expected = self._tolerance.allows_exit(member, told.exit_code, None)
            crew.fail("exit" if told.kind == "exit" else "failed", text, member, expected=expected)

    def _is_never_done(self, member: Member) -> bool:
        """A command that is always to run was not asked to leave."""
        always = bool(member.spec.command) and member.spec.restart.policy == "always"
        return always and member.stop_told_s is None and not self._crew.draining

    def _again_after(self, member: Member, told: Failed) -> Again | None:
        """A fault of the file shows at the first start, and does not go away by another one."""
        fault_of_the_file = told.kind == "setup" or (told.kind == "bind" and not member.was_restarted)
        return None if fault_of_the_file else self._again(member, told.exit_code, None)

    def _again(self, member: Member, exit_code: int | None, signal: str | None) -> Again | None:
        """Whether a process is to be started again; that there have been too many restarts is told."""
        if self._crew.failing or self._crew.ending or not self.restarts.wants(member, exit_code, signal):
            return None
        again = self.restarts.again(member, at_s=self._crew.now_s)
        if again is None:
            policy = member.spec.restart
            times = f"{policy.most} times within {policy.within_s:g} s"
            text = f"{member.name} was started again {times}, and is not any more (restart: max allows more)"
            self._crew.fail("restarts", text, member)
        return again

    def _start_again(self, member: Member, again: Again, text: str) -> None:
        """Have it come back, unless it comes back or leaves anyway; its end is told and fails nothing."""
        policy = member.spec.restart
        note = f"{text}: started again after {again.delay_s:g} s ({again.number} of {policy.most})"
        where = f"nodes.{member.spec.node}"
        self._crew.problem("restarted", note, process=member.name, where=where, expected=True)
        self._crew.publish(
            events.RestartPlanned(at_s=self._crew.now_s, process=member.name, delay_s=again.delay_s)
        )
        if member.leaving:
            member.back_after_s = again.delay_s
        else:
            member.awaited_back, member.away_s = True, again.delay_s

    def _judge(self, member: Member, exited: events.Exited, *, interrupted: bool) -> None:
        """Whether this end is a failure: it was not ours, or it had to be ours because the process would not go."""
        well = member.ended_by_us or member.left_well or member.stopped_well
        if member.failed is None and (not well or self._is_never_done(member)):
            kind, text = death(exited, is_role=member.spec.is_role, hung=member.hung)
            # What leaves early with 0 says that all is well: no line on exit codes can have meant that.
            died = exited.signal is not None or exited.exit_code != 0
            again = self._again(member, exited.exit_code, exited.signal)
            if again:
                self._start_again(member, again, f"{member.name} {text}")
                return
            expected = died and self._tolerance.allows_exit(member, exited.exit_code, exited.signal)
            where = f"nodes.{member.spec.node}.task_timeout" if kind == "hung" else ""
            self._crew.fail(kind, f"{member.name} {text}", member, where=where, expected=expected)
        elif member.ended_by_us and member.spec.is_role and not self._crew.problems and not interrupted:
            grace_s = member.spec.stop_grace_s
            was = " (it was stopped by a signal)" if member.stopped else ""
            text = f"{member.name} did not leave within {grace_s:g} s{was}: ended by {exited.signal}"
            self._crew.fail("failed", text, member)
