"""Runs as test cases: one for the run, one a process, one an expectation. Pure.

`failure` is what went wrong in a run, `error` what kept something from being tried, `skipped` what was not tried
through no fault of its own. A case has one of them at most, so that counting cases counts each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.outcome.entries import (
    Entry,
    Refusal,
    Run,
    failed_processes,
    interruption,
    place,
    problem_line,
    unjudged,
)
from orchestrator.outcome.expect import told
from orchestrator.outcome.remarks import fault_text
from orchestrator.outcome.values import Expectation, ProblemSummary, ProcessSummary, Summary

Bad = Literal["failure", "error", "skipped"]

UNTRIED = {"setup", "bind", "launch", "engine", "record"}
"""Kinds and codes of problems that kept a process, or the run, from being tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `bad` is None where it passed. `out` are the lines of its output."""

    group: str
    name: str
    time_s: float = 0.0
    bad: Bad | None = None
    kind: str = ""
    message: str = ""
    text: str = ""
    out: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The test cases of one pattern, or the one case of what was refused. `started_at` is in UTC."""

    name: str
    file: str
    cases: Sequence[Case]
    time_s: float = 0.0
    started_at: str = ""
    properties: dict[str, str] = field(default_factory=dict)


def suite(entry: Entry) -> Suite:
    """What became of the run, or of what never ran. A run that failed has a failure or an error in it."""
    if isinstance(entry, Refusal):
        return _refused(entry)
    summary = entry.summary
    first = _run_case(summary)
    failed = {process.name for process in failed_processes(summary)}
    others = [
        *(_process_case(process, entry, ended_badly=process.name in failed) for process in summary.processes),
        *(_expectation_case(expectation, summary) for expectation in summary.expectations),
    ]
    if summary.verdict == "failed" and not any(case.bad in ("failure", "error") for case in (first, *others)):
        first = _bad(first, "failure", "failed", f"the run failed, exit {summary.exit_code}")
    return Suite(
        name=summary.pattern,
        file=summary.topology,
        cases=[first, *others],
        time_s=summary.elapsed_s,
        started_at=summary.started_at,
        properties={
            "run_id": summary.run_id,
            "engine": summary.engine,
            "seed": str(summary.seed),
            "verdict": summary.verdict,
            "exit_code": str(summary.exit_code),
        },
    )


def _refused(refusal: Refusal) -> Suite:
    errors = refusal.errors
    case = _bad(
        Case(group=refusal.name, name="topology"),
        "error",
        ", ".join(dict.fromkeys(str(problem["code"]) for problem in errors)) or "topology",
        "; ".join(str(problem["text"]) for problem in errors) or refusal.text,
    )
    return Suite(name=refusal.name, file=refusal.file, cases=[replace(case, text=refusal.text)])


def _run_case(summary: Summary) -> Case:
    """What belongs to no process and to no expectation: losses, time that ran out, faults that never came."""
    names = {process.name for process in summary.processes}
    found = [problem for problem in _own(summary) if problem.process not in names]
    case = Case(group=summary.pattern, name="run", time_s=summary.elapsed_s, out=list(_run_notes(summary)))
    if found:
        return _with_problems(case, found)
    stopped = interruption(summary)
    return _bad(case, "skipped", "interrupted", stopped) if stopped else case


def _own(summary: Summary) -> list[ProblemSummary]:
    """The problems without those that expectations tell in cases of their own."""
    return [problem for problem in summary.problems if problem.kind != "expectation"]


def _run_notes(summary: Summary) -> Iterator[str]:
    for fault in summary.faults:
        yield f"fault: {fault_text(fault)}"
    for note in summary.notes:
        if not note.process:
            yield f"note: {problem_line(note)}"


def _process_case(process: ProcessSummary, run: Run, *, ended_badly: bool) -> Case:
    summary = run.summary
    notes = [note for note in summary.notes if note.process == process.name]
    case = Case(
        group=f"{summary.pattern}.{process.node}",
        name=process.name,
        time_s=_lifetime_s(process),
        out=[*(f"note: {problem_line(note)}" for note in notes), *run.logs.get(process.name, ())],
    )
    problems = [problem for problem in _own(summary) if problem.process == process.name]
    if problems:
        return _with_problems(case, problems, _failure_lines(process))
    if ended_badly:
        return _bad(case, "failure", process.outcome or "", _ended(process), _failure_lines(process))
    if process.outcome == "not_started":
        return _bad(case, "skipped", "not_started", f"{process.name} was never started")
    if process.outcome is None and process.role != "external":
        return _bad(case, "skipped", "unknown", f"how {process.name} ended is not known")
    if process.role == "external" and summary.ready_s is None:
        return _bad(case, "skipped", "external", "the run never began")
    return case


def _ended(process: ProcessSummary) -> str:
    how = f"by {process.signal}" if process.signal else f"with exit code {process.exit_code}"
    return f"{process.name} {process.outcome} {how}"


def _failure_lines(process: ProcessSummary) -> list[str]:
    failure = process.failure
    if failure is None:
        return []
    item = [f"was handling {failure.item}"] if failure.item else []
    return [*item, *failure.traceback.strip().splitlines()]


def _lifetime_s(process: ProcessSummary) -> float:
    if process.launched_s is None or process.ended_s is None:
        return 0.0
    return max(0.0, process.ended_s - process.launched_s)


def _expectation_case(expectation: Expectation, summary: Summary) -> Case:
    case = Case(group=f"{summary.pattern}.expect", name=f"{expectation.path} {expectation.condition}")
    why = unjudged(summary, expectation)
    if why:
        return _bad(case, "skipped", "expectation", why)
    if expectation.held:
        return case
    where = place(summary.topology, expectation.line)
    return _bad(case, "failure", "expectation", told(expectation), [where] if where else [])


def _bad(case: Case, bad: Bad, kind: str, message: str, more: Sequence[str] = ()) -> Case:
    return replace(case, bad=bad, kind=kind, message=message, text="\n".join((message, *more)))


def _with_problems(case: Case, problems: Sequence[ProblemSummary], more: Sequence[str] = ()) -> Case:
    """The first problem heads it, or the first that kept it from being tried, which makes it an error."""
    untried = [problem for problem in problems if UNTRIED & {problem.kind, problem.code}]
    head = (untried or problems)[0]
    failed = _bad(case, "error" if untried else "failure", head.code or head.kind, head.text)
    return replace(failed, text="\n".join((*map(problem_line, problems), *more)))
