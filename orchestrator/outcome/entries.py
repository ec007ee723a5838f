"""What documents are made of: runs with what their processes wrote, and what was refused before it ran. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.outcome.values import Expectation, ProblemSummary, ProcessSummary, Summary

Told = dict[str, Any]
"""A problem as `--json` has it: code, severity, file, line, column, text, hint, path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that began. `logs` holds the last lines that each process wrote, by its name."""

    summary: Summary
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What never began: a pattern, or a whole file where none of it did. `text` is what the user was told."""

    name: str
    file: str
    text: str
    problems: Sequence[Told] = ()

    @property
    def errors(self) -> list[Told]:
        """Its problems without the warnings."""
        return [problem for problem in self.problems if problem["severity"] == "error"]


Entry = Run | Refusal


def place(file: str | None, line: int | None) -> str:
    """`FILE:LINE`, or nothing where there is no such place."""
    return f"{file}:{line}" if file and line else ""


def problem_line(problem: ProblemSummary) -> str:
    """A problem with its place at the end, in one line."""
    where = place(problem.file, problem.line)
    return f"{problem.text} ({where})" if where else problem.text


def interruption(summary: Summary) -> str:
    """By which signal a run was interrupted; nothing where it was not."""
    if summary.verdict != "interrupted":
        return ""
    return f"interrupted by {'SIGTERM' if summary.exit_code == 143 else 'SIGINT'}"


def unjudged(summary: Summary, expectation: Expectation) -> str:
    """Why nothing is said of an expectation: the run did not come to where it is known. Empty where it is judged."""
    if summary.ready_s is None:
        return "the run never began: not all connections were in place"
    if expectation.held:
        return ""
    broke_off = any(problem.kind != "expectation" for problem in summary.problems)
    if expectation.actual is None and broke_off:
        return "the run failed before it could be known"
    return interruption(summary)


def failed_processes(summary: Summary) -> list[ProcessSummary]:
    """The processes that ended badly, without those of which this was expected."""
    blamed = {problem.process for problem in summary.problems if problem.kind != "expectation"}
    excused = {note.process for note in summary.notes} - blamed
    return [
        process
        for process in summary.processes
        if process.outcome in ("failed", "killed") and process.name not in excused
    ]
