"""Events -> Summary: what `summary.json` holds.

Pure: the same events give the same summary, so a report can be rebuilt from the journal at any time. `_s`
values count from the run's start; what cannot be known is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from orchestrator.directions import counts_received, counts_sent
from orchestrator.outcome.record import Record
from orchestrator.outcome.values import (
    Failure,
    LinkSummary,
    PortSummary,
    ProblemSummary,
    ProcessSummary,
    Replies,
    Summary,
    total_received,
    total_sent,
)
from orchestrator.run.events import (
    Known,
    LinkOutline,
    ProblemFound,
    ProcessLaunched,
    ProcessOutline,
)
from roles.kit.slot import Count

CUT_SHORT = "the record ends early: the run is still going on, or its orchestrator was ended"


def summarise(events: Iterable[Known]) -> Summary:
    """What became of a run, from the events that it made known.

    A record that ends early (the orchestrator was killed) is a failed run. Raises ValueError where no run
    begins in `events`.
    """
    record = Record(events)
    start, end = record.start, record.end
    work_s = end.work_s if end else None
    processes = _compared([_process(outline, record) for outline in record.outlines], record, work_s)
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
        ready_s=_rounded(record.go_s),
        work_s=_rounded(work_s),
        speedup=_speedup(processes, record.outlines, work_s),
        stages=tuple(tuple(name for name, _, _ in stage.nodes) for stage in start.stages),
        processes=processes,
        links=tuple(_link(link, record) for link in start.links),
        problems=tuple(problems),
        exit_code=end.exit_code if end else 1,
    )


def to_json(value: Summary | dict[str, Any]) -> bytes:
    """Readable JSON of a summary, or of what holds summaries: fields in their order, a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"


def _process(outline: ProcessOutline, record: Record) -> ProcessSummary:
    name = outline.name
    launched, ready = record.launched.get(name), record.ready.get(name)
    finished, failed, ended = record.finished.get(name), record.failed.get(name), record.ended.get(name)
    incarnation = max(ended.incarnation if ended else 0, launched.incarnation if launched else 0)
    return ProcessSummary(
        name=name,
        node=outline.node,
        role=outline.role,
        stage=outline.stage,
        pid=(ended.pid if ended else None) or (launched.pid if launched else None),
        incarnation=incarnation,
        restarts=incarnation,
        outcome=ended.outcome if ended else _unended(outline, launched),
        exit_code=ended.exit_code if ended else None,
        signal=ended.signal if ended else None,
        launched_s=_rounded(launched.at_s) if launched else None,
        ready_s=_rounded(ready.at_s) if ready else None,
        ended_s=_rounded(ended.at_s) if ended else None,
        busy_s=_rounded(ended.busy_s) if ended else None,
        cpu_s=_rounded(ended.cpu_s) if ended else None,
        max_rss_bytes=ended.max_rss_bytes if ended else None,
        ports=_ports(outline, ended.ports) if ended else {},
        result=(finished.result if finished else None) or {},
        failure=Failure(text=failed.text, traceback=failed.traceback, item=failed.item) if failed else None,
    )


def _unended(outline: ProcessOutline, launched: ProcessLaunched | None) -> str | None:
    """How a process of which no end is known ended: an external was never ours to start or to reap."""
    return None if launched or outline.role == "external" else "not_started"


def _ports(outline: ProcessOutline, counts: dict[str, Count]) -> dict[str, PortSummary]:
    if outline.family == "proxy":
        return {name: PortSummary(sent=None, received=None) for name in counts}
    return {name: _port(outline, name, count) for name, count in counts.items()}


def _port(outline: ProcessOutline, name: str, count: Count) -> PortSummary:
    kind = outline.ports.get(name, "")
    sends = counts_sent(kind) if kind else bool(count.sent) or not outline.receives
    receives = counts_received(kind) if kind else bool(count.received) or not outline.sends
    return PortSummary(
        sent=count.sent if sends else UNSET,
        received=count.received if receives else UNSET,
        bytes=count.bytes_sent + count.bytes_received,
    )


def _compared(
    processes: Sequence[ProcessSummary], record: Record, work_s: float | None
) -> tuple[ProcessSummary, ...]:
    """The processes with their shares and rates, which take the others and the run into account."""
    totals: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for process in processes:
        totals[process.node] = totals.get(process.node, 0) + (_handled(process) or 0)
        sizes[process.node] = sizes.get(process.node, 0) + 1
    return tuple(
        msgspec.structs.replace(
            process,
            share=_share(process, totals[process.node]) if sizes[process.node] > 1 else None,
            rate_per_s=_rate(process, record.go_s, work_s),
        )
        for process in processes
    )


def _handled(process: ProcessSummary) -> int | None:
    received = total_received(process)
    return total_sent(process) if received is None else received


def _share(process: ProcessSummary, whole: int) -> float | None:
    handled = _handled(process)
    return None if handled is None or not whole else round(handled / whole, 4)


def _rate(process: ProcessSummary, go_s: float | None, work_s: float | None) -> float | None:
    handled = _handled(process)
    if handled is None or go_s is None or work_s is None or process.ended_s is None:
        return None
    span_s = min(work_s, process.ended_s - go_s)
    return round(handled / span_s, 2) if span_s > 0 else None


def _speedup(
    processes: Sequence[ProcessSummary], outlines: Sequence[ProcessOutline], work_s: float | None
) -> float | None:
    """How much longer the work would have taken one worker: their busy times over the time that it took."""
    workers = [process for process, outline in zip(processes, outlines, strict=True) if _works(outline)]
    busy = [process.busy_s for process in workers if process.busy_s is not None]
    return round(sum(busy) / work_s, 3) if busy and work_s else None


def _works(outline: ProcessOutline) -> bool:
    users_own = ":" in outline.role and not outline.family
    return outline.family == "worker" or (users_own and outline.receives and outline.sends)


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
        kind=link.kind,
        book=link.book,
        replies=replies if answered else UNSET,
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


def _rounded(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s, 4)
