"""What subscribers missed of updates that have numbers, as far as it can be known when publishers die. Pure.

The numbers tell of gaps, and an end mark how far its publisher went. One that has died leaves none, but its slot tells
how much it had sent; so whoever takes all that is sent has missed what it neither has nor has counted as missed. Of a
subscriber that has died nobody knows what it still had, and what was sent while it was away is no loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.run.member import Member
from orchestrator.run.plan import BookPlan

SHOWN_LOSERS = 5
"""Of so many subscribers it is told what each has missed."""

Ends = Sequence[tuple[Member, str]]
"""Members, and their ports on the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """What one subscriber missed: `by_numbers` in so many `gaps`, and in all, null where that cannot be known."""

    process: str
    by_numbers: int
    gaps: int
    in_all: int | None


def what_was_missed(
    plan: BookPlan, sent: int, senders: Ends, receivers: Ends, conduits: Iterable[Member]
) -> list[Missed]:
    """What each receiver of a book missed that has numbers; `sent` are the updates of all senders' incarnations."""
    others = [*(member for member, _ in senders), *conduits]
    somebody_died = any(member.has_lost_its_way for member in others)
    # Else not all that is sent is meant for everyone: one endpoint, or the two sides of a proxy.
    one_feed = len(plan.endpoints) == (2 if plan.conduits else 1)
    found = []
    for member, port in receivers:
        count = member.count(port)
        in_all: int | None = count.missed
        if member.has_lost_its_way:
            in_all = None
        elif somebody_died:
            takes_all = one_feed and member.finished and _takes_all(member)
            in_all = max(count.missed, sent - count.received - count.foreign) if takes_all else None
        found.append(Missed(process=member.name, by_numbers=count.missed, gaps=count.gaps, in_all=in_all))
    return found


def missed_in_all(missed: Iterable[Missed]) -> int | None:
    """The sum of all; None where one is not known."""
    numbers = [one.in_all for one in missed]
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def who_missed(missed: Iterable[Missed]) -> str:
    """Which subscribers missed how much, some of them by name."""
    parts = []
    for one in missed:
        tail = (one.in_all or 0) - one.by_numbers
        gaps = f"{one.gaps:,} {'gap' if one.gaps == 1 else 'gaps'}"
        told = [f"{one.by_numbers:,} in {gaps}"] if one.by_numbers else []
        told += [f"{tail:,} that a publisher which died had sent last"] if tail > 0 else []
        if told:
            parts.append(f"{one.process} missed {' and '.join(told)}")
    more = f", and {len(parts) - SHOWN_LOSERS:,} more" if len(parts) > SHOWN_LOSERS else ""
    return f"{', '.join(parts[:SHOWN_LOSERS])}{more}"


def _takes_all(member: Member) -> bool:
    """Whether it is a subscriber of ours that takes every update, up to the last one."""
    topics = member.spec.params.get("topics")
    everything = topics is None or "" in topics
    return member.spec.family == "subscriber" and everything and member.spec.params.get("updates") is None
