"""Lines under `expect` as conditions: what a value stands for depends on the measure that its path names. Pure."""

from __future__ import annotations

from orchestrator.topology.conditions import Condition, Unit, condition_of
from orchestrator.topology.fields import settled
from orchestrator.topology.measure_names import SPREADS
from orchestrator.topology.scalars import Value
from orchestrator.topology.tree import ExpandedQuoted


def condition_at(path: str, written: Value) -> Condition:
    """The condition that is written for the measure at `path`; raises ConditionError where it is none.

    A variable's text is read as YAML reads unquoted text; for a result, which may be text, not if it is quoted.
    """
    return condition_of(_settled(written, free=is_result(path)), unit=unit_of(path))


def unit_of(path: str) -> Unit:
    """The unit of a measure, which its name tells: `_s`, `_ms`, or none."""
    words = path.split(".")
    name = words[-1]
    if name in SPREADS and len(words) > 2 and not is_result(path):
        name = words[-2]
    if name.endswith("_ms"):
        return "ms"
    return "s" if name.endswith("_s") else ""


def is_result(path: str) -> bool:
    """Whether the measure is part of what a role gives as its result, and so may be anything."""
    return path.partition(".")[2].startswith("result.")


def _settled(written: Value, *, free: bool) -> Value:
    if isinstance(written, list):
        return [_settled(value, free=free) for value in written]
    if free and isinstance(written, ExpandedQuoted):
        return str(written)
    return settled(written)
