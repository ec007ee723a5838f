"""The stop: in reverse launch order, first a word, then SIGTERM, then SIGKILL."""

from __future__ import annotations

from orchestrator.run.crew import Crew
from orchestrator.run.member import Member, Step
from roles.kit.messages import Stop
from roles.kit.slot import State

GRACE_AFTER_FAILURE_S = 0.5
GRACE_OF_LEAVERS_S = 3.0
"""One that has failed or finished leaves by itself, with the exit code that tells so; a hurry allows it more."""

KILL_AFTER_S = 0.5
"""From SIGTERM to SIGKILL."""

AT_A_TIME = 128
"""So many are on their way out at most, unless there is a hurry: of a thousand that leave at once most would only wait
for a processor, and their grace would pass."""


class Stopper:
    """Stops a crew stage by stage, or all at once."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._hurried = False
        self._left: list[int] | None = None

    def hurry(self) -> None:
        """Stop everyone at once from now on, with little grace."""
        self._hurried = True

    def kill(self) -> None:
        """End everyone now."""
        self._hurried = True
        for member in self._alive():
            member.stop_told_s = self._crew.now_s if member.stop_told_s is None else member.stop_told_s
            self._crew.signal(member, "SIGKILL")

    def advance(self) -> bool:
        """Go on with the stop; True once nobody is left."""
        alive = self._alive()
        if self._left is None:
            self._left = sorted({member.spec.stage for member in alive}, reverse=True)
        while self._left and not any(member.spec.stage == self._left[0] for member in alive):
            self._left = self._left[1:]
        if not self._hurried:
            alive = [member for member in alive if member.spec.stage in self._left[:1]]
            alive = self._next_of(alive)
        for member in alive:
            see_off(self._crew, member, hurried=self._hurried)
        return not alive

    @staticmethod
    def _next_of(alive: list[Member]) -> list[Member]:
        """Those who have been told to leave, and as many more as there is room for."""
        told = [member for member in alive if member.stop_told_s is not None]
        others = [member for member in alive if member.stop_told_s is None]
        return told + others[: max(0, AT_A_TIME - len(told))]

    def _alive(self) -> list[Member]:
        return [
            member
            for member in self._crew.members.values()
            if not member.over and not member.spec.external and member.step > Step.PLANNED
        ]


def see_off(crew: Crew, member: Member, *, hurried: bool = False) -> None:
    """Stop one process, a step further each time: first a word, when its grace is over SIGTERM, then SIGKILL."""
    if member.stop_told_s is None:
        crew.tell(member, Stop(hurried=hurried))
        member.stop_told_s = crew.now_s
        if member.spec.command:
            crew.signal(member, "SIGTERM")
        return
    told_s = crew.attended_s(member.stop_told_s)
    grace_s = member.spec.stop_grace_s
    if hurried:
        grace_s = min(grace_s, GRACE_OF_LEAVERS_S if _leaves(member) else GRACE_AFTER_FAILURE_S)
    if told_s >= grace_s:
        crew.signal(member, "SIGTERM")
    if told_s >= grace_s + KILL_AFTER_S:
        crew.signal(member, "SIGKILL")


def _leaves(member: Member) -> bool:
    """Its role is over; all that is left to it is to go."""
    return member.failed is not None or member.reading.state is State.FINISHED
