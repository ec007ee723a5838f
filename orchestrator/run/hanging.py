"""Who hangs: an item has been in its hands for longer than its node's `task_timeout`. It is ended, and seen dead.

Whoever waits for a message, or for room to send one, does not hang; neither does who works and counts. What is left is
who neither waits nor counts, and who is stopped. Before a process has ended none takes its place, so it is of no
matter whether it would have gone on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.directions import counts_received, counts_sent
from orchestrator.run.crew import Crew
from orchestrator.run.events import ProcessHung
from orchestrator.run.member import Member, Step
from roles.kit.slot import Count, State


@dataclass(slots=True)
class _Still:
    """Since these counters were seen, nothing has moved for `for_s` seconds; `busy_s` is what the slot said last."""

    incarnation: int
    counts: Mapping[str, Count]
    busy_s: float
    for_s: float = 0.0


class Hanging:
    """Looks at a crew after each reading of the slots. `goes_on` tells whether a fault lets a paused process go on."""

    def __init__(self, crew: Crew, goes_on: Callable[[Member], bool]) -> None:
        self._crew = crew
        self._goes_on = goes_on
        self._looked_s = 0.0
        self._still: dict[str, _Still] = {}

    def look(self) -> None:
        """End those that have been at one item for too long."""
        step_s, self._looked_s = self._crew.attended_s(self._looked_s), self._crew.now_s
        for member in self._crew.members.values():
            timeout_s = member.spec.task_timeout_s
            if timeout_s is None:
                continue
            if not self._stands_still(member):
                self._still.pop(member.name, None)
                continue
            counts, busy_s = member.reading.ports, member.reading.busy_s
            still = self._still.get(member.name)
            if still is None or (still.incarnation, still.counts) != (member.incarnation, counts):
                self._still[member.name] = _Still(member.incarnation, counts, busy_s)
                continue
            # It may have waited between two looks. A stopped one's slot tells nothing of time.
            stands = member.stopped or member.paused
            still.for_s = max(0.0, still.for_s + (step_s if stands else min(step_s, busy_s - still.busy_s)))
            still.busy_s = busy_s
            if still.for_s >= timeout_s:
                del self._still[member.name]
                self._end(member, still.for_s, timeout_s)

    def _stands_still(self, member: Member) -> bool:
        """Whether it may be at an item; one that is about to end, or is to leave, is seen off by others."""
        leaves = member.doomed or member.awaited_back or member.stop_told_s is not None
        if member.step is not Step.WORKING or member.failed is not None or leaves:
            return False
        if member.paused:
            return not self._goes_on(member)
        return member.stopped or member.reading.state is State.RUNNING

    def _end(self, member: Member, for_s: float, timeout_s: float) -> None:
        why = ", paused by a fault," if member.paused else ", stopped by a signal," if member.stopped else ""
        text = (
            f"hung at {at_hand(member)}{why} for {for_s:.1f} s (task_timeout: {timeout_s:g}s), and was killed"
        )
        member.hung, member.doomed = text, True
        self._crew.publish(
            ProcessHung(
                at_s=self._crew.now_s,
                process=member.name,
                pid=member.pid or 0,
                incarnation=member.incarnation,
                text=text,
            )
        )
        self._crew.strike(member, "SIGKILL")


def at_hand(member: Member) -> str:
    """The item that a process is at, by its number at its port: the one after those that it has handled, or has sent.

    The slot does not tell at which of several inlets the last one came.
    """
    inlets = [port for port in member.spec.ports if counts_received(port.kind)]
    outlets = [port for port in member.spec.ports if counts_sent(port.kind)]
    found = [f"item {member.count(port.name).received + 1:,} of port '{port.name}'" for port in inlets]
    found = found or [f"item {member.count(port.name).sent + 1:,} for port '{port.name}'" for port in outlets]
    return " or ".join(found) or "its work"
