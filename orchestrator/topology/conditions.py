"""Conditions: what a measure must be, as `expect` writes it. Pure.

One text stands for one condition everywhere: the file's forms are read into it, events and reports carry it,
and reading it again gives the same condition. `== 100`, `>= 0.9`, `!= EFSM`, `<= sink.sent`, `90..110`,
`one of 0, SIGKILL`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from orchestrator.topology import durations
from orchestrator.topology.scalars import Value

Operator = Literal["==", "!=", "<=", ">=", "<", ">"]
Actual = int | float | str | bool | None
"""What a measure came to; None is not known, and meets no condition."""

OPERATORS: tuple[Operator, ...] = ("==", "!=", "<=", ">=", "<", ">")
RUN_MEASURES = ("elapsed_s", "ready_s", "work_s", "speedup")
"""Measures of the run as a whole, whose paths are single words."""

_PATH = re.compile(r"[a-z][a-z0-9_]*(-[0-9]+)?(\.[A-Za-z0-9_-]+)+")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONSTANTS = {"true": True, "false": False}


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
        shown = [_shown(operand) for operand in self.operands]
        if self.operator == "..":
            return "..".join(shown)
        return f"{self.operator} {', '.join(shown)}"

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


def condition_of(written: Value, *, milliseconds: bool = False) -> Condition:
    """The condition that a value in the file stands for; raises ConditionError.

    Durations in it become seconds, or milliseconds where the measure is told in them.
    """
    unit = 1000.0 if milliseconds else 1.0
    if isinstance(written, list):
        if not written:
            raise ConditionError("an empty list allows nothing", hint="list the values that are allowed")
        return Condition("one of", tuple(_scalar(value, unit) for value in written))
    if isinstance(written, str):
        return _parsed(str(written).strip(), unit, bare_text=True)
    return Condition("==", (_scalar(written, unit),))


def parse_condition(text: str) -> Condition:
    """The condition that `str` has made a text of; raises ConditionError where it is none."""
    return _parsed(text, 1.0, bare_text=False)


def _parsed(text: str, unit: float, *, bare_text: bool) -> Condition:
    choice = text.removeprefix("one of ")
    if choice != text:
        return Condition("one of", tuple(_operand(part.strip(), unit) for part in _split(choice)))
    for operator in OPERATORS:
        if text.startswith(operator):
            rest = text.removeprefix(operator).strip()
            if not rest:
                raise ConditionError(f"'{operator}' compares with nothing", hint=f'write "{operator} 1"')
            operand = _operand(rest, unit)
            if operator in ("<=", ">=", "<", ">") and isinstance(operand, str | bool):
                hint = "write a number, a duration or the path of another measure"
                raise ConditionError(f"cannot compare by '{operator}' with '{rest[:40]}'", hint=hint)
            return Condition(operator, (operand,))
    low, dots, high = text.partition("..")
    if dots and low and high:
        return _range(low.strip(), high.strip(), unit)
    if not bare_text:
        raise ConditionError(f"cannot read the condition '{text[:40]}'", hint='write "== 1"')
    if text[:1] in "=~!":
        raise ConditionError(f"cannot read the condition '{text[:40]}'", hint=f"use {', '.join(OPERATORS)}")
    if _PATH.fullmatch(text) or text in RUN_MEASURES:
        return Condition("==", (text,))
    return Condition("==", (_operand(text, unit),))


def _range(low: str, high: str, unit: float) -> Condition:
    ends = _operand(low, unit), _operand(high, unit)
    if any(isinstance(end, str | bool) for end in ends):
        raise ConditionError(f"cannot read the range '{low[:20]}..{high[:20]}'", hint='write "90..110"')
    if all(isinstance(end, int | float) for end in ends) and ends[0] > ends[1]:  # type: ignore[operator]
        raise ConditionError(f"nothing lies in {low[:20]}..{high[:20]}", hint=f'write "{high}..{low}"')
    return Condition("..", ends)


def _operand(text: str, unit: float) -> Operand:
    """A number, a duration in seconds, the path of another measure, or text."""
    if _NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise ConditionError(f"cannot read {text[:40]}: its quotes do not match") from error
    try:
        return durations.parse_duration(text) * unit
    except ValueError:
        return Reference(text) if _PATH.fullmatch(text) or text in RUN_MEASURES else text


def _split(text: str) -> list[str]:
    """The parts between commas that are in no quotes."""
    return [part for part in re.findall(r'"(?:[^"\\]|\\.)*"|[^,]+', text) if part.strip()]


def _scalar(value: Value, unit: float) -> Operand:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        try:
            return durations.parse_duration(str(value)) * unit
        except ValueError:
            return str(value)
    what = "nothing" if value is None else "a list" if isinstance(value, list) else "a mapping"
    raise ConditionError(
        f"cannot compare with {what}", hint='write a value, "<op> value", "low..high" or a list of values'
    )


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
    if operator == "==":
        return actual == wanted and (numbers or type(actual) is type(wanted))
    if operator == "!=":
        return actual != wanted
    if not numbers:
        return False
    left, right = float(actual), float(wanted)
    return {"<=": left <= right, ">=": left >= right, "<": left < right, ">": left > right}[operator]
