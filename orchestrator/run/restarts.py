"""Who is started again after an end that nobody asked for, and when: the node's `restart` policy.

The delay doubles with each restart up to a limit, and begins anew once a process has lived for several times its last
delay: so it is never busy with nothing but starting. More restarts than the policy allows in its span of time are a
failure of the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.run.member import Member
from roles.kit.spec import LONGEST_BACKOFF_S

STABLE_TIMES = 10
"""A process that has lived so many times its last delay counts as stable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A process is to be started again, so much later: the `number`-th time within the policy's span."""

    delay_s: float
    number: int


@dataclass(slots=True)
class _History:
    times_s: list[float] = field(default_factory=list)
    delay_s: float = 0.0


class Restarts:
    """Decides for each process by its own history. Times are seconds since the run's start."""

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}

    def wants(self, member: Member, exit_code: int | None, signal: str | None) -> bool:
        """Whether the policy speaks of such an end at all."""
        policy = member.spec.restart.policy
        failed = signal is not None or exit_code != 0
        return policy == "always" or (policy == "on-failure" and failed)

    def again(self, member: Member, *, at_s: float) -> Again | None:
        """What the policy says of an end at `at_s`; None where there have been too many."""
        policy = member.spec.restart
        history = self._histories.setdefault(member.name, _History())
        history.times_s = [time_s for time_s in history.times_s if at_s - time_s < policy.within_s]
        if len(history.times_s) >= policy.most:
            return None
        lived_s = at_s - member.in_place_s if member.in_place_s is not None else 0.0
        stable = not history.delay_s or lived_s >= STABLE_TIMES * history.delay_s
        history.delay_s = policy.backoff_s if stable else min(2 * history.delay_s, LONGEST_BACKOFF_S)
        history.times_s.append(at_s)
        return Again(delay_s=history.delay_s, number=len(history.times_s))

    def recall(self, process: str, at_s: float, delay_s: float) -> None:
        """Note a restart that an earlier coordinator has decided on."""
        history = self._histories.setdefault(process, _History())
        history.times_s.append(at_s)
        history.delay_s = delay_s
