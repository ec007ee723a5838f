"""Lint of expectations: paths that name no measure or one that can never be known, and conditions that cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.conditions import Condition, ConditionError, Operand, Reference, is_path
from orchestrator.topology.expectations import condition_at, unit_of
from orchestrator.topology.measures import UNKNOWN, Kind, Vocabulary
from orchestrator.topology.measures_nodes import MeasureError
from orchestrator.topology.scalars import shown
from orchestrator.topology.suggest import nearest
from orchestrator.topology.tree import Finding, Path
from orchestrator.topology.view import View

SIGNALS = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGEMT", "SIGBUS", "SIGFPE", "SIGKILL"),
    *("SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGXCPU", "SIGXFSZ"),
    *("SIGVTALRM", "SIGPROF", "SIGIO", "SIGPOLL", "SIGPWR", "SIGSYS"),
)
"""Signals that end a process."""

HIGHEST_EXIT_CODE = 255

_FORMS = 'write 100, ">= 100", "90..110" or a list'
_TIMES = 'write 2s, "< 2s" or "1s..2s"'


def expectations(view: View) -> Iterator[Finding]:
    """Paths, conditions and what they compare with, each fault at its place."""
    if not view.expect:
        return
    vocabulary = Vocabulary(view)
    for path, written in view.expect.items():
        where = view.path("expect", path)
        if written is None:
            hint = 'give it one: 100, or ">= 100"'
            yield Finding(
                code="no-value", text=f"'{path[:60]}' has no condition", path=where, hint=hint, on="key"
            )
            continue
        kind = None
        try:
            kind = vocabulary.kind_of(path)
        except MeasureError as error:
            yield Finding(code=error.code, text=str(error), path=where, hint=error.hint, on="key")
            if error.code == UNKNOWN:
                continue
        try:
            condition = condition_at(path, written)
        except ConditionError as error:
            yield Finding(code="condition", text=str(error), path=where, hint=error.hint)
            continue
        yield from _compared(vocabulary, path, condition, kind, where)
        if kind is not None:
            yield from _of_the_kind(path, condition, kind, where)


def _compared(
    vocabulary: Vocabulary, path: str, condition: Condition, kind: Kind | None, where: Path
) -> Iterator[Finding]:
    """Other measures that a condition compares with, which must be there and be known too."""
    for other in condition.references:
        if other == path:
            yield Finding(code="condition", text=f"'{path[:60]}' is compared with itself", path=where)
            continue
        try:
            others = vocabulary.kind_of(other)
        except MeasureError as error:
            yield Finding(code=error.code, text=str(error), path=where, hint=error.hint)
            continue
        told = {kind, others} <= {"number", "share", "exit"}
        if told and (kind == "exit") is not (others == "exit"):
            text = f"cannot compare '{path[:60]}' with '{other[:60]}'"
            yield Finding(code="condition", text=text, path=where)


def _of_the_kind(path: str, condition: Condition, kind: Kind, where: Path) -> Iterator[Finding]:
    """What is compared with is something that the measure can be."""
    for operand in condition.operands:
        if isinstance(operand, Reference) or kind == "anything":
            continue
        told = _not_an_exit(operand) if kind == "exit" else _not_a_number(path, operand)
        if told is None and kind == "share":
            told = _not_a_share(path, operand)
        if told is not None:
            yield Finding(code="condition", text=told[0], path=where, hint=told[1])
            return


def _not_a_number(path: str, operand: Operand) -> tuple[str, str] | None:
    if isinstance(operand, int | float) and not isinstance(operand, bool):
        return None
    hint = _TIMES if unit_of(path) else _FORMS
    if isinstance(operand, str):
        text = operand.removesuffix("%").strip()
        if is_path(text):
            hint = f'write "== {text}"'
        elif operand.endswith("%") and _reads_as_number(text):
            hint = f"write a fraction: {float(text) / 100:g}"
        elif _reads_as_number(text):
            hint = "write it without quotes"
    return f"'{path[:60]}' is a number, not {shown(operand)}", hint


def _not_a_share(path: str, operand: Operand) -> tuple[str, str] | None:
    if not isinstance(operand, int | float) or 0 <= operand <= 1:
        return None
    hint = f"write {operand / 100:g}" if 1 < operand <= 100 else ""
    return f"'{path[:60]}' is a number from 0 to 1, not {operand}", hint


def _not_an_exit(operand: Operand) -> tuple[str, str] | None:
    if isinstance(operand, str):
        if operand in SIGNALS:
            return None
        if _reads_as_number(operand):
            return f"an exit code is a number, not {shown(operand)}", "write it without quotes"
        near = nearest(operand.upper().removeprefix("SIG"), [name.removeprefix("SIG") for name in SIGNALS])
        hint = f"did you mean 'SIG{near}'?" if near else "write a number, or a name as SIGKILL"
        return f"no signal that ends a process is called {shown(operand)}", hint
    if isinstance(operand, int) and not isinstance(operand, bool) and 0 <= operand <= HIGHEST_EXIT_CODE:
        return None
    hint = "for a signal write its name, as SIGKILL"
    return f"an exit code is a whole number from 0 to {HIGHEST_EXIT_CODE}, not {shown(operand)}", hint


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


RULES = (expectations,)
