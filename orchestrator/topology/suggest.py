"""Did you mean: the nearest of the names that would have been right."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Iterable

LONGEST_NAME = 64
"""Longer names get no suggestion: comparing them would take long and help nobody."""

MOST_COMPARED = 500
"""How many known names of a similar length are compared."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or "" where no known name is near."""
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`, or ""."""
    if len(name) > LONGEST_NAME:
        return ""
    similar = (option for option in known if abs(len(option) - len(name)) <= 3)
    by_lower = {option.lower(): option for option in itertools.islice(similar, MOST_COMPARED)}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else ""


def meant_process(name: str, nodes: Collection[str], others: Iterable[str] = ()) -> str:
    """`did you mean 'worker-2'?` for `wroker-2`, or another of the names that are known; else ""."""
    node, dash, number = name.rpartition("-")
    near = nearest(node, nodes) if dash and number.isdecimal() else ""
    return f"did you mean '{near}-{number}'?" if near else did_you_mean(name, [*nodes, *others])


def did_you_mean_or_list(name: str, known: Iterable[str], what: str) -> str:
    """A suggestion, or else what there is: `ports: tasks, results`."""
    options = list(known)
    return did_you_mean(name, options) or (
        f"{what}: {', '.join(options)}" if options else f"it has no {what}"
    )
