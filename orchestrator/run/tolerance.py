"""What the file expects to go wrong: a death or a loss of which a line under `expect` speaks is no failure by itself.

Whether the line holds is judged when all is over; here it only keeps the run going.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.run.member import Member
from orchestrator.run.plan import Plan
from orchestrator.topology.conditions import Actual, Condition, parse_condition


class Tolerance:
    """The written expectations of a plan on exit codes and losses."""

    def __init__(self, plan: Plan) -> None:
        self.adopt(plan)

    def adopt(self, plan: Plan) -> None:
        """Go by the expectations of another plan."""
        self._exits: dict[str, Condition] = {}
        self._losses: set[str] = set()
        for expectation in plan.expectations:
            subject, _, measure = expectation.path.rpartition(".")
            if expectation.default:
                continue
            if measure == "exit_code":
                self._exits[subject] = parse_condition(expectation.condition)
            elif measure == "lost":
                self._losses.add(subject)

    def allows_exit(self, member: Member, exit_code: int | None, signal: str | None) -> bool:
        """Whether a process may end so; a line of its own counts before its node's."""
        condition = self._exits.get(member.name) or self._exits.get(member.spec.node)
        actual: Actual = signal or exit_code
        return condition is not None and condition.holds(actual, lambda _: None)

    def speaks_of_loss(self, endpoints: Iterable[str]) -> bool:
        """Whether a line tells how much may be lost at one of these endpoints; replies are `<endpoint>.replies`."""
        return not self._losses.isdisjoint(endpoints)
