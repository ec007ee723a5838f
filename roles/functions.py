"""Ready-made work: the plain functions that the demos call. Nothing here knows ZeroMQ."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

_ZIP_CODES = (10000, 10999)
_TEMPERATURES = (-80, 135)
_HUMIDITIES = (10, 60)


def sleep_ms(task: Any) -> None:
    """Work for as many milliseconds as the task says."""
    time.sleep(int(task) / 1000)


def world(request: Any) -> str:  # noqa: ARG001 - the guide's server answers whatever it is asked
    """The answer of the guide's server."""
    return "World"


def echo(request: Any) -> Any:
    """The request itself."""
    return request


def weather(generator: random.Random | None = None) -> Iterator[str]:
    """Weather without an end: `10001 23 56` is zip code, temperature, relative humidity.

    The guide draws from 100,000 zip codes; here they are 1,000 around New York, so that a subscriber to one
    of them need not wait so long. All have five digits: a shorter one would be a prefix of others, and let
    strangers through.
    """
    draw = (generator or random.Random()).randint
    while True:
        yield f"{draw(*_ZIP_CODES):05d} {draw(*_TEMPERATURES)} {draw(*_HUMIDITIES)}"


def sum_temperature(total: tuple[int, int] | None, update: str) -> tuple[int, int]:
    """Fold weather updates into their number and the sum of their temperatures."""
    number, degrees = total or (0, 0)
    return number + 1, degrees + int(update.split()[1])


def average_temperature(total: tuple[int, int] | None) -> dict[str, float | int]:
    """What `sum_temperature` came to: the number of updates and their average temperature."""
    number, degrees = total or (0, 0)
    average = degrees / number if number else 0.0
    print(f"average temperature of {number} updates: {average:.1f} F")
    return {"updates": number, "average_temperature": round(average, 1)}
