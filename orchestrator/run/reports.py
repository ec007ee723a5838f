"""What processes say and how they end: taken down in the crew, made known, and where it is unwanted, a failure."""

from __future__ import annotations

from orchestrator.run import events
from orchestrator.run.crew import Crew
from orchestrator.run.departures import death, process_ended
from orchestrator.run.joining import Joining
from orchestrator.run.launcher import Launcher
from orchestrator.run.member import Member, Step
from orchestrator.run.tolerance import Tolerance
from roles.kit.messages import Bound, Failed, Finished, Ready
from roles.kit.slot import Reading


class Reports:
    """Takes in the news of processes; a process that needs somebody to bring it into place is passed on."""

    def __init__(self, crew: Crew, launcher: Launcher, joining: Joining, tolerance: Tolerance) -> None:
        self._crew = crew
        self._launcher = launcher
        self._joining = joining
        self._tolerance = tolerance

    def launched(self, event: events.Launched) -> None:
        """A process runs."""
        member = self._crew.members[event.process]
        member.pid, member.step = event.pid, Step.LAUNCHED
        self._crew.publish(
            events.ProcessLaunched(
                at_s=event.at_s, process=event.process, pid=event.pid, incarnation=event.incarnation
            )
        )
        self._guide(member).launched(member)

    def launch_failed(self, event: events.LaunchFailed) -> None:
        """A process could not be started."""
        member = self._crew.members[event.process]
        member.step = Step.PLANNED
        self._crew.fail("launch", event.text, member)

    def heard(self, event: events.Heard) -> None:
        """A process said something; what an earlier incarnation said no longer counts."""
        member, message = self._crew.members[event.process], event.message
        if member.over or event.incarnation != member.incarnation:
            return
        if isinstance(message, Failed):
            self._role_failed(member, message)
        elif member.heard(message):
            self._step_taken(member, message)

    def exited(self, event: events.Exited, *, interrupted: bool) -> None:
        """A process is no more. Where it is to come again, its end is no failure."""
        member = self._crew.members[event.process]
        if member.over or event.incarnation != member.incarnation:
            return
        self.note_reading(member, event.reading)
        member.exited = event
        member.changed_s = event.at_s
        member.step = Step.ENDED
        if not member.awaited_back:
            self._judge(member, event, interrupted=interrupted)
        self._crew.publish(process_ended(member, event, went=self._launcher.went))
        if member.awaited_back:
            self._joining.come_back(member, member.away_s)

    def note_reading(self, member: Member, reading: Reading) -> None:
        """Take down what a slot says, and when it last said something else."""
        old = member.reading
        if (reading.state, reading.port, reading.ports) != (old.state, old.port, old.ports):
            member.changed_s = self._crew.now_s
        if reading.ports != old.ports:
            member.counted_s = self._crew.now_s
        member.reading = reading

    def _guide(self, member: Member) -> Launcher | Joining:
        """Who brings a process into place: the launcher those that go together, the other those that join."""
        return self._joining if member.joins else self._launcher

    def _step_taken(self, member: Member, message: object) -> None:
        crew, pid = self._crew, member.pid or 0
        if member.stop_told_s is not None:
            crew.repeat_stop(member)  # it was not there yet when it was told
        if isinstance(message, Bound):
            self._guide(member).bound(member, message)
        elif isinstance(message, Ready):
            crew.publish(events.ProcessReady(at_s=crew.now_s, process=member.name, pid=pid))
            self._guide(member).ready(member)
        elif isinstance(message, Finished):
            member.finished = True
            member.changed_s = crew.now_s
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
        if told.kind == "bind":
            where = f"endpoints.{told.endpoint}"
            crew.fail("bind", f"{told.endpoint}: {told.text}", member, endpoint=told.endpoint, where=where)
        elif told.kind == "setup":
            where = f"nodes.{member.spec.node}.{told.where}"
            crew.fail("setup", f"{member.name}: {told.text}", member, where=where)
        else:
            while_ = f" while handling {told.item}" if told.item else ""
            text = f"{member.name} failed: {told.text}{while_}"
            expected = self._tolerance.allows_exit(member, told.exit_code, None)
            crew.fail("exit" if told.kind == "exit" else "failed", text, member, expected=expected)

    def _judge(self, member: Member, exited: events.Exited, *, interrupted: bool) -> None:
        """Whether this end is a failure: it was not ours, or it had to be ours because the process would not go."""
        well = member.ended_by_us or member.left_well or member.stopped_well
        if member.failed is None and not well:
            kind, text = death(exited)
            # What leaves early with 0 says that all is well: no line on exit codes can have meant that.
            died = exited.signal is not None or exited.exit_code != 0
            expected = died and self._tolerance.allows_exit(member, exited.exit_code, exited.signal)
            self._crew.fail(kind, f"{member.name} {text}", member, expected=expected)
        elif member.ended_by_us and member.spec.is_role and not self._crew.problems and not interrupted:
            grace_s = member.spec.stop_grace_s
            text = f"{member.name} did not leave within {grace_s:g} s: ended by {exited.signal}"
            self._crew.fail("failed", text, member)
