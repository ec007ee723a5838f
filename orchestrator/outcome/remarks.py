"""What a report tells between tables and verdict: what held, what was broken on purpose, what went wrong. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cells import Style, name_list, plural, printable, width
from orchestrator.outcome.expect import told
from orchestrator.outcome.values import (
    FaultSummary,
    Latency,
    ProblemSummary,
    ProcessSummary,
    Summary,
    total_received,
    total_sent,
)

SHOWN_PROBLEMS = 30
SHOWN_EXPECTATIONS = 30
_WIDEST_PLACED = 90


def remark_lines(summary: Summary, style: Style) -> list[str]:
    """Round trips, the written expectations that held, faults, and what was expected to go wrong."""
    held = [one for one in summary.expectations if one.held and not one.default]
    return [
        *(_latency(node.name, node.latency, style) for node in summary.nodes if node.latency),
        *(style("good", f"✓ {printable(told(one))}") for one in held[:SHOWN_EXPECTATIONS]),
        *_rest(len(held) - SHOWN_EXPECTATIONS, "expectation"),
        *(_fault(fault, style) for fault in summary.faults),
        *_placed(summary.notes, mark="·", kind="", noun="note", style=style),
    ]


def problem_lines(summary: Summary, style: Style) -> list[str]:
    """Every reason for the run to fail, one line each."""
    lines = _placed(summary.problems, mark="✗", kind="bad", noun="problem", style=style)
    if summary.problems and summary.ready_s is None and not any(map(_moved, summary.processes)):
        lines.append("  nothing was sent.")
    return lines


def _placed(
    problems: Sequence[ProblemSummary], *, mark: str, kind: str, noun: str, style: Style
) -> list[str]:
    """One line each, the place in the topology in a column of its own."""
    shown = [(printable(problem.text), _where(problem)) for problem in problems[:SHOWN_PROBLEMS]]
    placed = [width(text) for text, where in shown if where and width(text) <= _WIDEST_PLACED]
    column = max(placed, default=0)
    lines = []
    for text, where in shown:
        gap = " " * (max(0, column - width(text)) + 3) if where else ""
        lines.append(style(kind, f"{mark} {text}") + gap + style("dim", where))
    return lines + _rest(len(problems) - SHOWN_PROBLEMS, noun)


def _rest(number: int, noun: str) -> list[str]:
    return [f"  … and {plural(number, f'more {noun}')} in summary.json"] if number > 0 else []


def _where(problem: ProblemSummary) -> str:
    return f"{problem.file}:{problem.line}" if problem.file and problem.line else ""


def _moved(process: ProcessSummary) -> bool:
    return bool(total_sent(process) or total_received(process))


def _latency(node: str, latency: Latency, style: Style) -> str:
    return f"{style('bold', node)}  {latency_text(latency)}"


def latency_text(latency: Latency) -> str:
    """How long requests took, in a few words."""
    trips = plural(latency.count, "round trip")
    return f"{trips}: p50 {_ms(latency.p50_ms)}, p99 {_ms(latency.p99_ms)}"


def _ms(value_ms: float) -> str:
    return f"{value_ms:.2f} ms" if value_ms < 100 else f"{value_ms:,.0f} ms"


def _fault(fault: FaultSummary, style: Style) -> str:
    return style("dim", printable(f"fault: {fault_text(fault)}"))


def fault_text(fault: FaultSummary) -> str:
    """What was to be broken, when it was, and whom it hit."""
    fired = "never fired" if fault.fired_s is None else f"fired at {fault.fired_s:.2f} s"
    hit = f", {name_list(fault.processes)}" if fault.processes else ""
    return f"{fault.text}: {fired}{hit}"
