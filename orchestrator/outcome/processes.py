"""What became of each process, and of each node's processes together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from orchestrator.directions import counts_received, counts_sent
from orchestrator.outcome.record import Life, Lives, Record
from orchestrator.outcome.values import (
    Failure,
    Latency,
    LifeSummary,
    NodeSummary,
    PortSummary,
    ProcessSummary,
    rounded,
    total_received,
    total_sent,
)
from orchestrator.run.outlines import ProcessOutline
from roles.kit.histogram import Histogram
from roles.kit.slot import Count


def process_summaries(record: Record) -> tuple[ProcessSummary, ...]:
    """Every process in launch order, with its share of what its node handled."""
    work_s = record.end.work_s if record.end else None
    processes = [
        _process(outline, record.lives(outline.name), record.go_s, work_s) for outline in record.outlines
    ]
    handled: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for process in processes:
        handled[process.node] = handled.get(process.node, 0) + (_handled(process) or 0)
        sizes[process.node] = sizes.get(process.node, 0) + 1
    return tuple(
        msgspec.structs.replace(
            process, share=_share(process, handled[process.node]) if sizes[process.node] > 1 else None
        )
        for process in processes
    )


def node_summaries(record: Record) -> tuple[NodeSummary, ...]:
    """Every node in launch order, with the round trips of all its processes."""
    nodes: dict[str, list[str]] = {}
    for outline in record.outlines:
        nodes.setdefault(outline.node, []).append(outline.name)
    return tuple(
        NodeSummary(
            name=node,
            processes=len(names),
            latency=_latency(record.lives(name).latencies for name in names),
        )
        for node, names in nodes.items()
    )


def speedup(
    processes: Sequence[ProcessSummary], outlines: Sequence[ProcessOutline], work_s: float | None
) -> float | None:
    """How much longer the work would have taken one worker: their busy times over the time that it took."""
    workers = [process for process, outline in zip(processes, outlines, strict=True) if _works(outline)]
    busy = [process.busy_s for process in workers if process.busy_s is not None]
    return round(sum(busy) / work_s, 3) if busy and work_s else None


def _works(outline: ProcessOutline) -> bool:
    users_own = ":" in outline.role and not outline.family
    return outline.family == "worker" or (users_own and outline.receives and outline.sends)


def _process(
    outline: ProcessOutline, lives: Lives, go_s: float | None, work_s: float | None
) -> ProcessSummary:
    life, ends = lives.last, lives.ends
    launched, finished, failed, ended = life.launched, life.finished, life.failed, life.ended
    process = ProcessSummary(
        name=outline.name,
        node=outline.node,
        role=outline.role,
        stage=outline.stage,
        pid=(ended.pid if ended else None) or (launched.pid if launched else None),
        incarnation=life.incarnation,
        restarts=max([one.incarnation for one in lives.launched], default=0),
        outcome=ended.outcome if ended else _unended(outline, life),
        exit_code=ended.exit_code if ended else None,
        signal=ended.signal if ended else None,
        launched_s=rounded(launched.at_s) if launched else None,
        ready_s=rounded(life.ready.at_s) if life.ready else None,
        ended_s=rounded(ended.at_s) if ended else None,
        busy_s=rounded(_sum(end.busy_s for end in ends)),
        cpu_s=rounded(_sum(end.cpu_s for end in ends)),
        max_rss_bytes=max([end.max_rss_bytes for end in ends if end.max_rss_bytes is not None], default=None),
        ports=_ports(outline, lives.counts),
        result=_plain((finished.result if finished else None) or {}),
        failure=Failure(text=failed.text, traceback=failed.traceback, item=failed.item) if failed else None,
        latency=_latency([lives.latencies]),
        finished_s=rounded(finished.at_s) if finished else None,
        elapsed_s=_elapsed_s(lives, go_s),
        lives=tuple(_life(outline, one) for one in lives.launched) if len(lives.launched) > 1 else (),
        unlogged_bytes=sum(end.unlogged_bytes for end in ends),
    )
    return msgspec.structs.replace(process, rate_per_s=_rate(process, lives, go_s, work_s))


def _life(outline: ProcessOutline, life: Life) -> LifeSummary:
    launched, ended = life.launched, life.ended
    return LifeSummary(
        incarnation=life.incarnation,
        pid=launched.pid if launched else None,
        outcome=ended.outcome if ended else None,
        exit_code=ended.exit_code if ended else None,
        signal=ended.signal if ended else None,
        launched_s=rounded(launched.at_s) if launched else None,
        ended_s=rounded(ended.at_s) if ended else None,
        ports=_ports(outline, ended.ports) if ended else {},
    )


def _unended(outline: ProcessOutline, life: Life) -> str | None:
    """How a process of which no end is known ended: an external was never ours to start or to reap."""
    return None if life.launched or outline.role == "external" else "not_started"


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    """The result as the journal keeps it, whatever a role has put in, so that all reports of it agree."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(result, enc_hook=str))
    return plain


def _elapsed_s(lives: Lives, go_s: float | None) -> float | None:
    """From Go, or from its launch if that came later, until its part was done or it was no more."""
    begin_s, done = _begin_s(lives, go_s), next(reversed(lives.launched), None)
    event = (done.finished or done.ended) if done else None
    return None if event is None or begin_s is None else rounded(max(0.0, event.at_s - begin_s))


def _begin_s(lives: Lives, go_s: float | None) -> float | None:
    first = next((life.launched for life in lives.launched), None)
    return None if go_s is None or first is None else max(go_s, first.at_s)


def _ports(outline: ProcessOutline, counts: dict[str, Count]) -> dict[str, PortSummary]:
    if outline.family == "proxy":
        return {name: PortSummary(sent=None, received=None) for name in counts}
    return {name: _port(outline, name, count) for name, count in counts.items()}


def _port(outline: ProcessOutline, name: str, count: Count) -> PortSummary:
    kind = outline.ports.get(name, "")
    sends = counts_sent(kind) if kind else bool(count.sent) or not outline.receives
    receives = counts_received(kind) if kind else bool(count.received) or not outline.sends
    sequenced = name in outline.sequenced
    retries = outline.retries and kind == "REQ"
    return PortSummary(
        sent=count.sent if sends else UNSET,
        received=count.received if receives else UNSET,
        bytes=count.bytes_sent + count.bytes_received,
        missed=count.missed if sequenced else UNSET,
        gaps=count.gaps if sequenced else UNSET,
        duplicates=count.duplicates if sequenced or retries else UNSET,
        retried=count.retried if retries else UNSET,
        late=count.late if retries else UNSET,
    )


def _handled(process: ProcessSummary) -> int | None:
    received = total_received(process)
    return total_sent(process) if received is None else received


def _share(process: ProcessSummary, whole: int) -> float | None:
    handled = _handled(process)
    return None if handled is None or not whole else round(handled / whole, 4)


def _rate(process: ProcessSummary, lives: Lives, go_s: float | None, work_s: float | None) -> float | None:
    handled, begin_s = _handled(process), _begin_s(lives, go_s)
    if handled is None or begin_s is None or go_s is None or work_s is None or not lives.ends:
        return None
    span_s = min(go_s + work_s, lives.ends[-1].at_s) - begin_s
    return round(handled / span_s, 2) if span_s > 0 else None


def _latency(histograms: Iterable[Histogram]) -> Latency | None:
    """The quantiles of all these round trips; None where there was none."""
    merged = Histogram()
    for histogram in histograms:
        merged.merge(histogram.counts)
    if not merged.count:
        return None
    return Latency(
        count=merged.count,
        p50_ms=_ms(merged.quantile_ms(0.5)),
        p90_ms=_ms(merged.quantile_ms(0.9)),
        p99_ms=_ms(merged.quantile_ms(0.99)),
        max_ms=_ms(merged.max_ms),
    )


def _ms(value_ms: float | None) -> float:
    return round(value_ms or 0.0, 4)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
