"""How a process ended, in the words of the record: its outcome, and what is told of a death. Pure."""

from __future__ import annotations

from typing import Literal

from orchestrator.run import events
from orchestrator.run.member import Member

Outcome = Literal["finished", "stopped", "failed", "killed", "not_started"]


def death(event: events.Exited, *, is_role: bool, hung: str = "") -> tuple[str, str]:
    """Kind and text of the problem that an unwanted end is; a role that leaves with 0 has not done its part.

    `hung` tells why it was killed, if that is what has ended it.
    """
    if hung and event.signal == "SIGKILL":
        return "hung", hung
    if event.signal is not None:
        return "killed", f"killed by {event.signal} at {event.at_s:.2f} s"
    if event.exit_code == 0 and is_role:
        return "failed", "left before its part was done (exit code 0)"
    return "failed", f"exited with code {event.exit_code}"


def outcome(member: Member) -> Outcome:
    """The outcome of a member that has exited: whose signal it was, whether it failed, whether its part was done."""
    if member.exited is not None and member.exited.signal is not None and not member.ended_by_us:
        return "killed"
    if member.failed is not None or not (member.ended_by_us or member.left_well or member.stopped_well):
        return "failed"
    if member.finished or (member.left_well and member.stop_told_s is None):
        return "finished"
    return "stopped"


def process_ended(member: Member, exited: events.Exited, *, went: bool) -> events.ProcessEnded:
    """The event that closes a process's part in the record; `went` says that there was a Go to count from."""
    reading, is_role = member.reading, member.spec.is_role
    return events.ProcessEnded(
        at_s=exited.at_s,
        process=member.name,
        pid=member.pid,
        incarnation=member.incarnation,
        outcome=outcome(member),
        exit_code=exited.exit_code,
        signal=exited.signal,
        busy_s=reading.busy_s if is_role and went else None,
        cpu_s=reading.cpu_s if is_role else None,
        max_rss_bytes=reading.max_rss_bytes or None,
        ports=reading.ports,
        unlogged_bytes=reading.unlogged_bytes,
    )


def never_ran(member: Member, *, came: bool, at_s: float) -> events.ProcessEnded:
    """The same for a process that was never launched; an external that `came` has done its part."""
    return events.ProcessEnded(
        at_s=at_s,
        process=member.name,
        pid=None,
        incarnation=member.incarnation,
        outcome="finished" if came else "not_started",
        exit_code=None,
        signal=None,
        busy_s=None,
        cpu_s=None,
        max_rss_bytes=None,
        ports={},
    )
