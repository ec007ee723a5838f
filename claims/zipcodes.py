"""Claim 7: updates that begin with a zip code, and a count of whose they were."""

from __future__ import annotations

from collections.abc import Iterator


def updates(digits: int, count: int = 20_000, rounds: int = 3) -> Iterator[str]:
    """Weather for each zip code from 1 to `count`, `rounds` times, the code padded with zeros to `digits`."""
    for _ in range(rounds):
        for zip_code in range(1, count + 1):
            yield f"{zip_code:0{digits}} {zip_code % 40} {zip_code % 50 + 10}"


def tally(total: dict[str, int] | None, update: str, zip_code: str) -> dict[str, int]:
    """Count the updates for `zip_code`, and those of strangers."""
    total = total or {"own": 0, "strangers": 0}
    total["own" if update.partition(" ")[0] == zip_code else "strangers"] += 1
    return total


def told(total: dict[str, int] | None) -> dict[str, int]:
    """The tally as the subscriber's result, whether or not anything came."""
    return total or {"own": 0, "strangers": 0}
