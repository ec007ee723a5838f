"""The tables of a run's report: one row a process, one row a link. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import UNSET

from orchestrator.cells import (
    NONE,
    Cell,
    Style,
    count,
    memory,
    percent,
    plural,
    rate,
    seconds,
    table,
    times,
)
from orchestrator.outcome.measures import number
from orchestrator.outcome.values import (
    LinkSummary,
    ProcessSummary,
    Replies,
    total,
)

MANY = 40
"""A node of more processes than this has one row for all of them."""

SHOWN_FAILURES = 20
_HEADER = ("PROCESS", "OUTCOME", "EXIT", "RECEIVED", "SENT")
_HEADER_REST = ("RATE", "SHARE", "BUSY", "CPU", "MEMORY")
_COUNTED = ("missed", "retried")
"""Counters with a column wherever somebody keeps them: that they stayed at 0 is news as well."""

_NOTABLE = ("restarts", "duplicates", "late")
"""Numbers with a column where there is anything to tell."""

_KINDS = {"failed": "bad", "killed": "bad", "not_started": "warn", "finished": "good"}


class Layout(Protocol):
    """Turns a header and rows into lines, as `cells.table` does."""

    def __call__(
        self, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, style: Style = ...
    ) -> list[str]:
        """The lines of the table, the header's among them."""
        ...


def process_lines(processes: Sequence[ProcessSummary], style: Style, *, layout: Layout = table) -> list[str]:
    """The exit table. A node of many processes has one row of sums, and a row for each of its that failed."""
    nodes: dict[str, list[ProcessSummary]] = {}
    for process in processes:
        nodes.setdefault(process.node, []).append(process)
    extra = _extra(processes)
    rows: list[list[Cell]] = []
    for group in nodes.values():
        rows += _many(group, extra) if len(group) > MANY else [_one(process, extra) for process in group]
    return layout((*_HEADER, *map(str.upper, extra), *_HEADER_REST), rows, style=style)


def _extra(processes: Sequence[ProcessSummary]) -> list[str]:
    """The columns that not every run has."""
    known = {name: [number(process, name) for process in processes] for name in (*_COUNTED, *_NOTABLE)}
    return [name for name in _COUNTED if any(value is not None for value in known[name])] + [
        name for name in _NOTABLE if any(known[name])
    ]


def _one(process: ProcessSummary, extra: Sequence[str]) -> list[Cell]:
    kind = _KINDS.get(process.outcome or "", "")
    return [
        Cell(process.name, "bold"),
        Cell(_outcome(process.outcome), kind),
        Cell(_exit(process), "bad" if kind == "bad" else ""),
        *_counts([process], extra),
        Cell(rate(process.rate_per_s)),
        Cell(percent(process.share)),
        Cell(seconds(process.busy_s)),
        Cell(seconds(process.cpu_s)),
        Cell(memory(process.max_rss_bytes)),
    ]


def _counts(group: Sequence[ProcessSummary], extra: Sequence[str]) -> list[Cell]:
    """The counters of one process, or summed over several."""
    sums = {name: _sum(number(process, name) for process in group) for name in ("received", "sent", *extra)}
    return [Cell(count(value), "warn" if value and name == "missed" else "") for name, value in sums.items()]


def _outcome(outcome: str | None) -> str:
    return (outcome or NONE).replace("_", " ")


def _exit(process: ProcessSummary) -> str:
    if process.signal:
        return process.signal
    return NONE if process.exit_code is None else str(process.exit_code)


def _many(group: Sequence[ProcessSummary], extra: Sequence[str]) -> list[list[Cell]]:
    failed = [process for process in group if _KINDS.get(process.outcome or "") == "bad"]
    rows = [_sums(group, extra), *(_one(process, extra) for process in failed[:SHOWN_FAILURES])]
    if len(failed) > SHOWN_FAILURES:
        rest = f"… {plural(len(failed) - SHOWN_FAILURES, 'more', 'more')}"
        rows.append([Cell(rest), *[Cell("")] * (len(rows[0]) - 1)])
    return rows


def _sums(group: Sequence[ProcessSummary], extra: Sequence[str]) -> list[Cell]:
    outcomes: dict[str, int] = {}
    for process in group:
        name = _outcome(process.outcome)
        outcomes[name] = outcomes.get(name, 0) + 1
    exits = sorted({_exit(process) for process in group})
    told = (
        ", ".join(f"{number:,} {name}" for name, number in outcomes.items())
        if len(outcomes) > 1
        else next(iter(outcomes))
    )
    return [
        Cell(times(group[0].node, len(group)), "bold"),
        Cell(told),
        Cell(exits[0] if len(exits) == 1 else NONE),
        *_counts(group, extra),
        Cell(rate(_sum(process.rate_per_s for process in group))),
        Cell(NONE),
        Cell(seconds(_sum(process.busy_s for process in group))),
        Cell(seconds(_sum(process.cpu_s for process in group))),
        Cell(memory(total(process.max_rss_bytes for process in group))),
    ]


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def link_lines(links: Sequence[LinkSummary], style: Style, *, layout: Layout = table) -> list[str]:
    """The table of books: one row each, another for the replies of a request-reply link."""
    books: dict[str, LinkSummary] = {}
    for link in links:
        books.setdefault(link.book or link.endpoint, link)
    if not books:
        return []
    extra = [
        name
        for name in ("unread", "foreign", "duplicates", "redelivered")
        if any(getattr(link, name) for link in books.values())
    ]
    rows: list[list[Cell]] = []
    for name, link in books.items():
        rows.append(_row(name, link, [Cell(count(getattr(link, column))) for column in extra]))
        if link.replies is not UNSET:
            rows.append(_row(f"{name} (replies)", link.replies, [Cell(NONE) for _ in extra]))
    return layout(("LINK", "SENT", "RECEIVED", "LOST", *map(str.upper, extra)), rows, style=style)


def _row(name: str, book: LinkSummary | Replies, more: list[Cell]) -> list[Cell]:
    lost = Cell(count(book.lost), "bad" if book.lost else "")
    return [Cell(name, "bold"), Cell(count(book.sent)), Cell(count(book.received)), lost, *more]
