"""What a gate is: something that is tried again and again, of which nothing may be lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """How often something was tried, and each time that it went wrong, in words that lead to the cause.

    `tried` counts in the gate's unit. `note` is what else is worth knowing, a few words; `counts` is what else was
    counted, by what it is, and adds up over the rounds.
    """

    tried: int = 0
    faults: list[str] = field(default_factory=list)
    note: str = ""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """How often it went wrong."""
        return len(self.faults)

    def add(self, other: Tally) -> None:
        """Count another round in; its note is the newer one."""
        self.tried += other.tried
        self.faults += other.faults
        self.note = other.note or self.note
        self.counts.update(other.counts)  # which keeps what is zero

    @property
    def told(self) -> str:
        """The note, and what was counted."""
        counted = (f"{count:,} {what}" for what, count in self.counts.items())
        return "; ".join(filter(None, (self.note, ", ".join(counted))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One thing that must hold however often it is tried.

    `run` is given a seed and an amount in `unit`s, and tries about so many. `once` is how many make one round, `full`
    how many are wanted of a run that has time.
    """

    name: str
    title: str
    unit: str
    must: str
    once: int
    full: int
    run: Callable[[str, int], Tally]


def rounds(
    gates: Sequence[Gate], seed: int, now_s: Callable[[], float], until_s: float
) -> Iterator[tuple[Gate, Tally]]:
    """Go round all gates until each has had its full amount or the time is up; each has one round at least.

    Gives what came of each round. The gate that has had the least of the time is the next, so that a slow one does not
    take it from the others.
    """
    tried = dict.fromkeys((gate.name for gate in gates), 0)
    numbers, spent_s = tried.copy(), dict.fromkeys(tried, 0.0)
    while True:
        left = [gate for gate in gates if tried[gate.name] < gate.full]
        begun = [gate for gate in left if numbers[gate.name]]
        if not left or (len(begun) == len(left) and now_s() >= until_s):
            return
        gate = min(left, key=lambda one: (numbers[one.name] > 0, spent_s[one.name]))
        began_s = now_s()
        tally = gate.run(f"{seed}/{gate.name}/{numbers[gate.name]}", gate.once)
        spent_s[gate.name] += now_s() - began_s
        numbers[gate.name] += 1
        tried[gate.name] += tally.tried
        yield gate, tally


def dice(seed: str) -> random.Random:
    """Chance that repeats itself with the seed."""
    return random.Random(seed)
