"""Sizes: `64MiB`, `512kB`, always with a unit."""

from __future__ import annotations

import re

_UNITS_BYTES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_WHOLE = re.compile(rf"([0-9]{{1,12}})({'|'.join(_UNITS_BYTES)})")

PATTERN = rf"^[0-9]*[1-9][0-9]*({'|'.join(_UNITS_BYTES)})$"
"""The same for JSON Schema."""


def parse_size(text: str) -> int:
    """Bytes from `1500B`, `512kB`, `64MiB` or `1GiB`; raises ValueError saying what to write."""
    found = _WHOLE.fullmatch(text)
    if not found:
        raise ValueError(f"cannot read '{text[:40]}' as a size: {_advice(text)}")
    return int(found[1]) * _UNITS_BYTES[found[2]]


def _advice(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,12}", text):
        return f"it has no unit (write {text}B or {text}KiB)"
    return "it is no whole number with a unit (write it as 1500B, 512KiB or 64MiB)"


def in_words(size_bytes: int) -> str:
    """Bytes as the file writes them: `64MiB`, `1500B`."""
    for unit in ("GiB", "MiB", "KiB", "GB", "MB", "kB"):
        if size_bytes % _UNITS_BYTES[unit] == 0:
            return f"{size_bytes // _UNITS_BYTES[unit]}{unit}"
    return f"{size_bytes}B"
