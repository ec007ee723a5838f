"""What all verbs answer alike: the version of their JSON documents, and one exit code of several."""

from __future__ import annotations

from collections.abc import Iterable

VERSION = 1
"""Of the JSON documents."""

_WORST_FIRST = (130, 143, 3, 2, 1)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several runs: interrupted goes before 3, then 2, then 1."""
    seen = set(codes)
    return next((code for code in _WORST_FIRST if code in seen), max(seen, default=0))
