"""The verb `report`: every report of a run again, from its journal."""

from __future__ import annotations

from pathlib import Path

from orchestrator.observers.journal import JournalError, read_journal
from orchestrator.observers.tail import last_lines
from orchestrator.outcome.entries import Run
from orchestrator.outcome.summary import CUT_SHORT, summarise, to_json
from orchestrator.outcome.text import report_text
from orchestrator.outcome.values import Summary
from orchestrator.run.planfile import first_line
from orchestrator.rundir import EVENTS, SUMMARY, recorded_runs, write_whole
from orchestrator.terminal import Terminal
from orchestrator.verbs.documents import Outcome, on_stdout, outcome_documents, write_documents
from orchestrator.verbs.fault import fault
from orchestrator.verbs.tails import tails


def report(
    folder: Path,
    *,
    terminal: Terminal,
    json: str | None = None,
    junit: str | None = None,
    markdown: str | None = None,
) -> int:
    """Rebuild the summary and the reports of the run in `folder`, or of each in it.

    0 where that can be, 3 where a document cannot be written.
    """
    documents = outcome_documents(json=json, junit=junit, markdown=markdown)
    found = recorded_runs(folder)
    if not found:
        text = f"cannot report: it has no {EVENTS}"
        raise fault(
            text, code="no-run", file=str(folder), hint="name the directory of a run, as .runs/latest"
        )
    outcome = Outcome()
    for place, summary in _in_order([(place, _rebuilt(place, terminal)) for place in found]):
        outcome.entries.append(Run(summary=summary, logs=tails(summary, place)))
        outcome.codes.append(summary.exit_code)
        if not on_stdout(documents):
            terminal.answer(told(summary, place, terminal) + ("\n" if len(found) > 1 else ""))
    return write_documents(documents, outcome, terminal)


def _in_order(runs: list[tuple[Path, Summary]]) -> list[tuple[Path, Summary]]:
    """The runs as they came: by their starts, and within a second by the places of their patterns in the file."""
    return sorted(runs, key=lambda run: (run[1].started_at, first_line(run[0]), run[1].pattern))


def _rebuilt(place: Path, terminal: Terminal) -> Summary:
    summary = recorded(place)
    if any(problem.text == CUT_SHORT for problem in summary.problems):
        return summary  # the run may still be going on, and writes its own in the end
    try:
        write_whole(place / SUMMARY, to_json(summary))
    except OSError as error:
        terminal.tell(f"cannot write {place / SUMMARY}: {error.strerror}\n")
    return summary


def recorded(place: Path) -> Summary:
    """What the journal of a run makes of it; raises CommandError where it cannot be read."""
    try:
        return summarise(read_journal(place / EVENTS))
    except (JournalError, ValueError) as error:
        raise fault(str(error), code="broken-record", file=str(place)) from error


def told(summary: Summary, place: Path, terminal: Terminal, *, shown: str = "", several: bool = False) -> str:
    """The report of a run, for stdout. `shown` is its directory as the user is told it."""
    names = [process.name for process in summary.processes if process.outcome in ("failed", "killed")]
    logs = {name: last_lines(place / "logs" / f"{name}.log") for name in names}
    return report_text(
        summary, logs=logs, place=shown or str(place), style=terminal.out_style, several=several
    )
