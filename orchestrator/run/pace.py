"""How often the slots should be read: often when an end is near or somebody waits for a counter. Pure."""

from __future__ import annotations

from orchestrator.run.crew import Crew


def reading_pace_s(crew: Crew, *, at_rest: bool, hurries: bool, ending: bool) -> float:
    """Seconds from one reading of all slots to the next; `hurries` where somebody waits for what they say.

    Before the start and once all are told to leave, they only tell who is late: then the crew is `at_rest`.
    """
    alive = sum(not member.over for member in crew.members.values())
    seldom_s, often_s = max(0.05, 0.001 * alive), max(0.005, 0.00005 * alive)
    if at_rest:
        return seldom_s
    if hurries:
        return max(0.002, 0.00005 * alive)
    near = ending or any(member.quiet for member in crew.members.values())
    return often_s if near else seldom_s
