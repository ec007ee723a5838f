"""Conditions: what a measure must be, as `expect` writes it. Pure.

One text stands for one condition everywhere: the file's forms are read into it, events and reports carry it,
and reading it again gives the same condition. `== 100`, `>= 0.9`, `!= EFSM`, `<= sink.sent`, `90..110`,
`one of 0, SIGKILL`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from orchestrator.topology import durations
from orchestrator.topology.measure_names import RUN_MEASURES
from orchestrator.topology.scalars import LONGEST_NUMBER, Value, shown

Operator = Literal["==", "!=", "<=", ">=", "<", ">"]
Unit = Literal["s", "ms", ""]
"""What durations become: seconds, milliseconds, or, where a measure is no time, an error."""

Actual = int | float | str | bool | None
"""What a measure came to; None is not known, and meets no condition."""

OPERATORS: tuple[Operator, ...] = ("==", "!=", "<=", ">=", "<", ">")

_ORDERS = ("<=", ">=", "<", ">")
_MISWRITTEN: dict[str, Operator] = {"=>": ">=", "=<": "<=", "<>": "!=", "!": "!=", "=": "=="}
_PATH = re.compile(r"[a-z][a-z0-9_]*(-[0-9]+)?(\.[A-Za-z0-9_-]+)+")
_NUMBER = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^",]*)\s*(,|\Z)')
_CONSTANTS = {"true": True, "false": False}
_UNITS = {"s": 1.0, "ms": 1000.0}


class ConditionError(ValueError):
    """Text that is no condition; `hint` says what to write."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Reference:
    """Another measure, by its path."""

    path: str


Operand = int | float | str | bool | Reference


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison, a range with both ends in it (`..`), or a choice (`one of`)."""

    operator: Operator | Literal["..", "one of"]
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        texts = [_shown(operand) for operand in self.operands]
        if self.operator == "..":
            return "..".join(texts)
        return f"{self.operator} {', '.join(texts)}"

    @property
    def references(self) -> tuple[str, ...]:
        """The paths of the other measures that it compares with."""
        return tuple(operand.path for operand in self.operands if isinstance(operand, Reference))

    def holds(self, actual: Actual, measure: Callable[[str], Actual]) -> bool:
        """Whether a measure meets the condition; `measure` gives the others by their paths."""
        if actual is None:
            return False
        values = [
            measure(operand.path) if isinstance(operand, Reference) else operand for operand in self.operands
        ]
        if self.operator == "..":
            low, high = values
            return _compare(actual, ">=", low) and _compare(actual, "<=", high)
        if self.operator == "one of":
            return any(_compare(actual, "==", value) for value in values)
        return _compare(actual, self.operator, values[0])


def is_path(text: str) -> bool:
    """Whether a text has the form of a measure's path."""
    return _PATH.fullmatch(text) is not None or text in RUN_MEASURES


def condition_of(written: Value, *, unit: Unit = "s") -> Condition:
    """The condition that a value in the file stands for; raises ConditionError.

    A text without an operator is that very text, but for durations, which become numbers of `unit`, and for
    ranges and choices. So `"10"` is text where 10 is a number.
    """
    if isinstance(written, list):
        if not written:
            raise ConditionError("an empty list allows nothing", hint="list the values that are allowed")
        return Condition("one of", tuple(_scalar(value, unit) for value in written))
    if isinstance(written, str):
        return _parsed(str(written).strip(), unit) or Condition("==", (_bare(str(written).strip(), unit),))
    return Condition("==", (_scalar(written, unit),))


def parse_condition(text: str) -> Condition:
    """The condition that `str` has made a text of; raises ConditionError where it is none."""
    condition = _parsed(text, "s")
    if condition is None:
        raise ConditionError(f"cannot read the condition '{text[:40]}'", hint='write "== 1"')
    return condition


def _parsed(text: str, unit: Unit) -> Condition | None:
    """A condition with an operator, a range or a choice; None for a text that is none of these."""
    choice = text.removeprefix("one of ")
    if choice != text:
        return Condition("one of", tuple(_operand(part, unit) for part in _split(choice)))
    for wrong, right in _MISWRITTEN.items():
        if text.startswith(wrong) and not text.startswith(OPERATORS[:4]):
            hint = f'write "{right} {text.removeprefix(wrong).strip()[:40] or 1}"'
            raise ConditionError(f"cannot read the condition '{text[:40]}'", hint=hint)
    for operator in OPERATORS:
        if text.startswith(operator):
            return _comparison(operator, text.removeprefix(operator).strip(), unit)
    low, dots, high = text.partition("..")
    ends = low.strip(), high.strip()
    if dots and all(_NUMBER.match(end) or is_path(end) for end in ends):
        return _range(*ends, unit)
    return None


def _comparison(operator: Operator, rest: str, unit: Unit) -> Condition:
    if not rest:
        raise ConditionError(f"'{operator}' compares with nothing", hint=f'write "{operator} 1"')
    operand = _operand(rest, unit)
    if operator in _ORDERS and isinstance(operand, str | bool):
        hint = "write a number, a duration or the path of another measure"
        raise ConditionError(f"cannot compare by '{operator}' with '{rest[:40]}'", hint=hint)
    return Condition(operator, (operand,))


def _range(low: str, high: str, unit: Unit) -> Condition:
    ends = _operand(low, unit), _operand(high, unit)
    if any(isinstance(end, str | bool) for end in ends):
        raise ConditionError(f"cannot read the range '{low[:20]}..{high[:20]}'", hint='write "90..110"')
    first, last = ends
    if isinstance(first, int | float) and isinstance(last, int | float) and first > last:
        raise ConditionError(
            f"nothing lies in {low[:20]}..{high[:20]}", hint=f'write "{high[:20]}..{low[:20]}"'
        )
    return Condition("..", ends)


def _operand(text: str, unit: Unit) -> Operand:
    """A number, a duration as a number, the path of another measure, or text."""
    if _NUMBER.fullmatch(text):
        return _number(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise ConditionError(f"cannot read {text[:40]}: its quotes do not match") from error
    percent = _PERCENT.fullmatch(text)
    if percent:
        fraction = f"{float(percent[1]) / 100:g}"
        raise ConditionError(f"cannot compare with '{text[:40]}'", hint=f"write a fraction: {fraction}")
    time = _time(text, unit)
    if time is not None:
        return time
    return Reference(text) if is_path(text) else text


def _number(text: str) -> int | float:
    if len(text) > LONGEST_NUMBER:
        raise ConditionError(f"cannot read a number of {len(text)} characters")
    bare = text.replace("_", "")
    value = float(bare) if set(bare) & set(".eE") else int(bare)
    if not math.isfinite(value):
        raise ConditionError(f"cannot take {text}: it is not a finite number")
    return value


def _time(text: str, unit: Unit) -> float | None:
    """A duration in the measure's unit; None for what is no duration."""
    try:
        seconds = durations.parse_duration(text)
    except ValueError:
        return None
    if not unit:
        hint = "durations are for measures in _s or _ms; write a number"
        raise ConditionError(f"cannot compare with the duration '{text[:40]}'", hint=hint)
    time = round(seconds * _UNITS[unit], 9)
    return int(time) if time.is_integer() else time


def _split(text: str) -> list[str]:
    """The parts between commas that are in no quotes; raises ConditionError where one is empty or broken."""
    parts: list[str] = []
    at, more = 0, True
    while more:
        found = _PART.match(text, at)
        part = found[1].strip() if found else ""
        if found is None or not part:
            hint = 'write "one of 0, SIGKILL", or a list'
            raise ConditionError(f"cannot read the choice '{text[:40]}'", hint=hint)
        parts.append(part)
        at, more = found.end(), found[2] == ","
    return parts


def _bare(text: str, unit: Unit) -> Operand:
    """A text without an operator: itself, or a duration where the measure is a time."""
    time = _time(text, unit) if unit else None
    return text if time is None else time


def _scalar(value: Value, unit: Unit) -> Operand:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _bare(str(value), unit)
    hint = 'write a value, "<op> value", "low..high" or a list of values'
    raise ConditionError(f"cannot compare with {shown(value)}", hint=hint)


def _shown(operand: Operand) -> str:
    if isinstance(operand, Reference):
        return operand.path
    if isinstance(operand, bool):
        return "true" if operand else "false"
    if isinstance(operand, str):
        plain = _WORD.fullmatch(operand) and operand not in (*_CONSTANTS, *RUN_MEASURES)
        return operand if plain else json.dumps(operand, ensure_ascii=False)
    return str(operand)


def _compare(actual: Actual, operator: Operator, wanted: Actual) -> bool:
    if wanted is None or actual is None:
        return False
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in (actual, wanted)
    )
    if operator in ("==", "!="):
        same = actual == wanted and (numbers or type(actual) is type(wanted))
        return same if operator == "==" else not same
    if not numbers:
        return False
    left, right = float(actual), float(wanted)
    return {"<=": left <= right, ">=": left >= right, "<": left < right, ">": left > right}[operator]
