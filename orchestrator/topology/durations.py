"""Durations: `250ms`, `1m30s`, always with a unit."""

from __future__ import annotations

import re

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WHOLE = re.compile(
    r"(?=[0-9])(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m(?!s))?(?:[0-9]{1,9}(?:\.[0-9]{1,9})?s)?(?:[0-9]{1,9}(?:\.[0-9]{1,9})?ms)?"
)
_PART = re.compile(r"([0-9.]+)(ms|[hms])")

PATTERN = r"^(?=[0-9])([0-9]+h)?([0-9]+m(?!s))?([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?$"
"""The same for JSON Schema."""


def in_words(seconds: float) -> str:
    """Seconds as the file writes them: `250ms`, `30s`."""
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def parse_duration(text: str) -> float:
    """Seconds from `250ms`, `10s`, `1.5s`, `1m30s` or `2h`; raises ValueError saying what to write."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"cannot read '{text[:40]}' as a duration: {_advice(text)}")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def _advice(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return f"it has no unit (write {text}s or {text}ms)"
    return "it is no number with a unit (write it as 250ms, 10s, 1m30s or 2h)"
