"""What YAML makes of unquoted text: numbers, booleans, dates, or text after all."""

from __future__ import annotations

import datetime
import math
from typing import Any

import yaml

LONGEST_NUMBER = 40
"""Characters of the longest number that is read; longer ones are mistakes, and slow to convert."""

_LONGEST_QUOTED = 40

Value = Any
"""A plain value as YAML has them: None, bool, int, float, str, a list or a mapping of these."""

_resolver: Any = yaml.resolver.Resolver()
_constructor: Any = yaml.constructor.SafeConstructor()
_TAG = "tag:yaml.org,2002:"


class ScalarError(ValueError):
    """YAML takes the text for something that no topology can hold."""


def resolve(text: str) -> Value:
    """The plain value of unquoted text: None, bool, int, float or str.

    Raises ScalarError for dates, merge keys, numbers too large to hold and numbers that are not finite.
    """
    tag = _resolver.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAG)
    if tag in ("int", "float") and len(text) > LONGEST_NUMBER:
        raise ScalarError(f"cannot read a number of {len(text)} characters")
    if tag == "merge":
        raise ScalarError("cannot use the merge key '<<'")
    if tag not in ("int", "float", "bool", "null", "timestamp"):
        return text
    try:
        value = getattr(_constructor, f"construct_yaml_{tag}")(yaml.ScalarNode(_TAG + tag, text))
    except (ValueError, OverflowError) as error:
        raise ScalarError(f"cannot read '{text}': {error}") from error
    return _held(value, text)


def _held(value: Value, text: str) -> Value:
    """The value, where a topology can hold it."""
    if isinstance(value, datetime.date):
        raise ScalarError(f"cannot take {text}: to YAML it is a date")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ScalarError(f"cannot take {text}: it does not fit into 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ScalarError(f"cannot take {text}: it is not a finite number")
    return value


def quoted(text: str) -> str:
    """The text in quotes, as the file should have it; cut where it is long."""
    shown = text if len(text) <= _LONGEST_QUOTED else text[: _LONGEST_QUOTED - 1] + "…"
    return f"'{shown}'" if '"' in shown or "\\" in shown else f'"{shown}"'


def shown(value: Value) -> str:
    """A value in a message: text in quotes, YAML's own words for the rest."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value[:40]}'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else str(value)
