"""Conditions made wrong: for one that a measure meets, others of its kind that the measure does not meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestrator.topology.conditions import Actual, Condition, Reference, parse_condition


def wrong_conditions(text: str, values: Sequence[Actual]) -> list[str]:
    """The condition with each of its operands in turn changed so that these values no longer meet it."""
    return [str(wrong) for wrong in _wrong(parse_condition(text), values)]


def _wrong(condition: Condition, values: Sequence[Actual]) -> Iterator[Condition]:
    """Numbers are moved past what was measured, and nothing else is changed."""
    match condition.operator:
        case "==":
            yield replace(condition, operands=(_another(values[0]),))
        case "!=":
            yield replace(condition, operands=(values[0],))
        case "one of":
            yield replace(condition, operands=tuple(_another(value) for value in values))
        case ">=" | ">":
            yield replace(condition, operands=(_number(max(values)) + 1,))
        case "<=" | "<":
            yield replace(condition, operands=(_number(min(values)) - 1,))
        case "..":
            low, high = condition.operands
            beyond = _number(max(values)) + 1
            yield replace(condition, operands=(beyond, max(beyond, high) if _is_number(high) else beyond))
            below = _number(min(values)) - 1
            yield replace(condition, operands=(min(below, low) if _is_number(low) else below, below))


def _another(value: Actual) -> int | float | str | bool:
    if isinstance(value, bool):
        return not value
    return value + 1 if _is_number(value) else f"{value} not"


def _number(value: Actual) -> int | float:
    assert _is_number(value), value
    return value


def _is_number(value: Actual | Reference) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
