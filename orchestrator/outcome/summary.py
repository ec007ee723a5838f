"""Events -> Summary: what `summary.json` holds.

Pure: the same events give the same summary, so a report can be rebuilt from the journal at any time. `_s`
values count from the run's start; what cannot be known is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from orchestrator.outcome.expect import broken, judge, untried
from orchestrator.outcome.measures import Measures
from orchestrator.outcome.processes import node_summaries, process_summaries, speedup
from orchestrator.outcome.record import Record
from orchestrator.outcome.values import (
    FaultSummary,
    LinkSummary,
    ProblemSummary,
    Replies,
    Summary,
    rounded,
)
from orchestrator.run.events import Known, ProblemFound
from orchestrator.run.outlines import LinkOutline

CUT_SHORT = "the record ends early: the run is still going on, or its orchestrator was ended"


def summarise(events: Iterable[Known]) -> Summary:
    """What became of a run, from the events that it made known.

    A record that ends early (the orchestrator was killed) is a failed run. Raises ValueError where no run
    begins in `events`.
    """
    record = Record(events)
    return _judged(_measured(record), record)


def _measured(record: Record) -> Summary:
    """All but the expectations; the verdict is the run's own."""
    start, end = record.start, record.end
    work_s = end.work_s if end else None
    processes = process_summaries(record)
    problems = [_problem(problem, start.topology) for problem in record.problems]
    if end is None:
        problems.append(
            _problem(ProblemFound(at_s=record.last_s, kind="record", text=CUT_SHORT), start.topology)
        )
    return Summary(
        run_id=start.run_id,
        topology=start.topology,
        pattern=start.pattern,
        engine=start.engine,
        seed=start.seed,
        verdict=end.verdict if end else "failed",
        started_at=start.started_at,
        elapsed_s=round(end.at_s if end else record.last_s, 4),
        ready_s=rounded(record.go_s),
        work_s=rounded(work_s),
        speedup=speedup(processes, record.outlines, work_s),
        stages=tuple(tuple(name for name, _, _ in stage.nodes) for stage in start.stages),
        processes=processes,
        links=tuple(_link(link, record) for link in start.links),
        problems=tuple(problems),
        notes=tuple(_problem(note, start.topology) for note in record.notes),
        faults=tuple(_fault(index, record) for index in range(len(start.faults))),
        nodes=node_summaries(record),
        exit_code=end.exit_code if end else 1,
    )


def _judged(summary: Summary, record: Record) -> Summary:
    """The summary with its expectations; those that were not met make a failed run of one that would have passed."""
    outlines = record.start.expectations
    if record.go_s is None or record.end is None:
        return msgspec.structs.replace(summary, expectations=untried(outlines))
    measures = Measures(summary)
    expectations = judge(outlines, measures)
    passed = summary.verdict == "passed"
    found = broken(expectations, measures, passed=passed, file=summary.topology)
    failed = passed and bool(found)
    return msgspec.structs.replace(
        summary,
        expectations=expectations,
        problems=(*summary.problems, *found),
        verdict="failed" if failed else summary.verdict,
        exit_code=1 if failed else summary.exit_code,
    )


def to_json(value: Summary | dict[str, Any]) -> bytes:
    """Readable JSON of a summary, or of what holds summaries: fields in their order, a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"


def _link(link: LinkOutline, record: Record) -> LinkSummary:
    book = record.books.get((link.book, False))
    back = record.books.get((link.book, True))
    answered = link.kind == "request_reply" or back is not None
    replies = Replies(sent=back.sent, received=back.received, lost=back.lost) if back else Replies()
    return LinkSummary(
        endpoint=link.endpoint,
        addresses=record.addresses.get(link.endpoint, ()),
        senders=link.senders,
        receivers=link.receivers,
        sent=book.sent if book else None,
        received=book.received if book else None,
        lost=book.lost if book else None,
        unread=book.unread if book else None,
        foreign=book.foreign if book else None,
        duplicates=book.duplicates if book else None,
        redelivered=book.redelivered if book else None,
        kind=link.kind,
        book=link.book,
        replies=replies if answered else UNSET,
    )


def _fault(index: int, record: Record) -> FaultSummary:
    """What was to be broken, and the first time that it was; who was hit at that time or later."""
    outline, fired = record.start.faults[index], record.fired.get(index, [])
    return FaultSummary(
        text=outline.text,
        fired_s=rounded(fired[0].at_s) if fired else None,
        processes=tuple(dict.fromkeys(name for event in fired for name in event.processes)),
        line=outline.line,
    )


def _problem(problem: ProblemFound, file: str) -> ProblemSummary:
    return ProblemSummary(
        kind=problem.kind,
        process=problem.process,
        endpoint=problem.endpoint,
        text=problem.text,
        code=problem.code or problem.kind,
        file=None if problem.line is None else file,
        line=problem.line,
    )
