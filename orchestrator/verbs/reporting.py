"""The verb `report`: every report of a run again, from its journal."""

from __future__ import annotations

from pathlib import Path

from orchestrator.observers.journal import JournalError, read_journal
from orchestrator.observers.tail import last_lines
from orchestrator.outcome.summary import CUT_SHORT, summarise, to_json
from orchestrator.outcome.text import report_text
from orchestrator.outcome.values import Summary
from orchestrator.rundir import EVENTS, SUMMARY, recorded_runs
from orchestrator.terminal import Terminal
from orchestrator.verbs.documents import check_target, outcome_document, worst, write_document
from orchestrator.verbs.fault import fault


def report(folder: Path, *, json: str | None, terminal: Terminal) -> int:
    """Rebuild the summary and the report of the run in `folder`, or of each in it; 0 where that can be."""
    check_target(json)
    found = recorded_runs(folder)
    if not found:
        text = f"cannot report: it has no {EVENTS}"
        raise fault(
            text, code="no-run", file=str(folder), hint="name the directory of a run, as .runs/latest"
        )
    summaries = []
    for place in found:
        summary = _rebuilt(place, terminal)
        summaries.append(summary)
        if json != "-":
            terminal.answer(_text(summary, place, terminal) + ("\n" if len(found) > 1 else ""))
    exit_code = worst(summary.exit_code for summary in summaries)
    write_document(outcome_document(exit_code=exit_code, runs=summaries, problems=[]), json, terminal)
    return 0


def _rebuilt(place: Path, terminal: Terminal) -> Summary:
    try:
        summary = summarise(read_journal(place / EVENTS))
    except (JournalError, ValueError) as error:
        raise fault(str(error), code="broken-record", file=str(place)) from error
    if any(problem.text == CUT_SHORT for problem in summary.problems):
        return summary  # the run may still be going on, and writes its own in the end
    try:
        (place / SUMMARY).write_bytes(to_json(summary))
    except OSError as error:
        terminal.tell(f"cannot write {place / SUMMARY}: {error.strerror}\n")
    return summary


def _text(summary: Summary, place: Path, terminal: Terminal) -> str:
    names = [process.name for process in summary.processes if process.outcome in ("failed", "killed")]
    logs = {name: last_lines(place / "logs" / f"{name}.log") for name in names}
    return report_text(summary, logs=logs, place=str(place), style=terminal.out_style)
