"""Expectations: conditions on what a run has come to, judged when all is over. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set

from orchestrator.outcome.measures import Measures, distinct
from orchestrator.outcome.values import Expectation, ProblemSummary
from orchestrator.run.outlines import ExpectationOutline
from orchestrator.topology.conditions import Condition, parse_condition

_DIGITS = 4
"""Significant digits of what a reader is told; more where they make the difference."""

_KEPT_DIGITS = 6
"""Significant digits of what the summary keeps."""

_MOST_DIGITS = 17
_LONGEST_TEXT = 200


def judge(outlines: Sequence[ExpectationOutline], measures: Measures) -> tuple[Expectation, ...]:
    """Each expectation, with what its measure came to and whether that meets the condition.

    A line on the exit code of one process counts before that of its node.
    """
    written = {_subject(one.path) for one in outlines if _is_exit(one.path) and not one.default}
    return tuple(
        _judged(outline, measures, apart=written if _is_exit(outline.path) else set()) for outline in outlines
    )


def untried(outlines: Sequence[ExpectationOutline]) -> tuple[Expectation, ...]:
    """The expectations on a run that never got to work: none was met, and nothing is known of any."""
    return tuple(
        Expectation(path=one.path, condition=one.condition, held=False, line=one.line, default=one.default)
        for one in outlines
    )


def broken(
    expectations: Sequence[Expectation], measures: Measures, *, passed: bool, file: str
) -> tuple[ProblemSummary, ...]:
    """A problem for each expectation that was not met, but for what the run's own problems tell already.

    Unless it `passed` but for them, these speak of what must always hold, and of what broke off before it could be
    known.
    """
    return tuple(
        ProblemSummary(
            kind="expectation",
            process=measures.process(one.path),
            endpoint=measures.endpoint(one.path),
            text=_complaint(one, measures),
            code="expectation",
            file=None if one.line is None else file,
            line=one.line,
        )
        for one in expectations
        if not one.held and (passed or not (one.default or one.actual is None))
    )


def told(expectation: Expectation) -> str:
    """An expectation in one line: `worker.received.jain >= 0.9, was 0.998`; one that names its value as it is."""
    text = f"{expectation.path} {expectation.condition}"
    if expectation.actual is None:
        why = "which was not reported" if ".result." in expectation.path else "which is not known"
        return text if expectation.held else f"{text}, {why}"
    condition = parse_condition(expectation.condition)
    if expectation.held and condition.operator == "==" and not condition.references:
        return text
    return f"{text}, was {_shown(expectation.actual, condition, held=expectation.held)}"


def _judged(outline: ExpectationOutline, measures: Measures, *, apart: Set[str]) -> Expectation:
    condition = parse_condition(outline.condition)
    values = measures.values(outline.path, apart=apart)
    if values:
        held = all(condition.holds(value, measures.value) for value in values)
    else:
        held = _nobody_is_meant(outline, measures, apart)
    different = distinct([_kept(value, condition, measures) for value in values])
    return Expectation(
        path=outline.path,
        condition=outline.condition,
        held=held,
        actual=different[0] if len(different) == 1 else different or None,
        line=outline.line,
        default=outline.default,
    )


def _nobody_is_meant(outline: ExpectationOutline, measures: Measures, apart: Set[str]) -> bool:
    """Whether a line on a node's exit code has nobody left to speak of: all have lines of their own, or never ran."""
    started = measures.started(_subject(outline.path))
    return _is_exit(outline.path) and started <= apart and (outline.default or bool(started))


def _subject(path: str) -> str:
    return path.partition(".")[0]


def _is_exit(path: str) -> bool:
    return path.partition(".")[2] == "exit_code"


def _kept(value: object, condition: Condition, measures: Measures) -> object:
    """A value without the digits that nobody wants, unless it is they that decide."""
    if not isinstance(value, float):
        return value
    short = float(f"{value:.{_KEPT_DIGITS}g}")
    same = condition.holds(short, measures.value) == condition.holds(value, measures.value)
    return short if same else value


def _complaint(expectation: Expectation, measures: Measures) -> str:
    """What was expected, what it was, and what the other measures were that it was compared with."""
    condition = parse_condition(expectation.condition)
    others = [f"{path}: {_number(measures.value(path))}" for path in condition.references]
    return told(expectation) + (f" ({', '.join(others)})" if others else "")


def _shown(actual: object, condition: Condition, *, held: bool) -> str:
    if isinstance(actual, list):
        return ", ".join(_number(value) for value in actual)
    if isinstance(actual, float) and not condition.references:
        for digits in range(_DIGITS, _MOST_DIGITS):
            text = _number(actual, digits)
            if condition.holds(float(text), lambda _: None) == held:
                return text
    return _number(actual)


def _number(value: object, digits: int = _DIGITS) -> str:
    """A value as a condition would have it, without needless digits."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    text = str(value)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
