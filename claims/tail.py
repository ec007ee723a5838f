"""Claim 18: a receiver that is a little slower than its sender, and looks at what is missing in the end."""

from __future__ import annotations

import time
from typing import Any

_WORK_NS = 5_000


def follow(total: dict[str, int] | None, number: int) -> dict[str, int]:
    """Fold consecutive numbers into how many there were and which was the last; each takes 5 microseconds."""
    until_ns = time.perf_counter_ns() + _WORK_NS
    while time.perf_counter_ns() < until_ns:
        pass
    return {"count": (total["count"] if total else 0) + 1, "last": number}


def report(total: dict[str, int] | None) -> dict[str, Any]:
    """How many numbers came, which was the last, and whether it was the beginning of the series without a hole."""
    if total is None:
        return {"count": 0, "last": 0, "unbroken": True}
    return {**total, "unbroken": total["count"] == total["last"]}
