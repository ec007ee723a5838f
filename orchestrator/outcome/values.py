"""The values that `summary.json` is made of. Fields may be added, never renamed or moved.

`_s` values count from the run's start; what cannot be known is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the values below."""


class PortSummary(Part, frozen=True, kw_only=True):
    """A port's counters; a direction that the port has not is left out."""

    sent: int | UnsetType | None = UNSET
    received: int | UnsetType | None = UNSET
    bytes: int | None = None
    missed: int | UnsetType = UNSET
    gaps: int | UnsetType = UNSET
    duplicates: int | UnsetType = UNSET
    retried: int | UnsetType = UNSET
    late: int | UnsetType = UNSET


class Latency(Part, frozen=True, kw_only=True):
    """Round trips of requests: how many, and their quantiles in milliseconds, to about 3 %."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class NodeSummary(Part, frozen=True, kw_only=True):
    """What is known of a node's processes only together."""

    name: str
    processes: int
    latency: Latency | None = None


class Failure(Part, frozen=True, kw_only=True):
    """What a role raised, and what it was handling."""

    text: str
    traceback: str = ""
    item: str = ""


class LifeSummary(Part, frozen=True, kw_only=True):
    """One incarnation of a process that was started again; its counts are its own."""

    incarnation: int
    pid: int | None = None
    outcome: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    launched_s: float | None = None
    ended_s: float | None = None
    ports: dict[str, PortSummary] = {}


class ProcessSummary(Part, frozen=True, kw_only=True):
    """One process; where it was started again, its last incarnation.

    `share` is its part of what its node received (of what it sent, where it only sends), null for a node of
    one process. `rate_per_s` counts the same messages over the time that it worked. Counts, `busy_s` and `cpu_s`
    are those of all its incarnations, which `lives` tells apart where there is more than one. `finished_s` is when its
    part was done, `elapsed_s` how long that took from Go, or from its first launch if that came later.
    """

    name: str
    node: str
    role: str
    stage: int
    pid: int | None = None
    incarnation: int = 0
    restarts: int = 0
    outcome: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    launched_s: float | None = None
    ready_s: float | None = None
    ended_s: float | None = None
    busy_s: float | None = None
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    ports: dict[str, PortSummary] = {}
    result: dict[str, Any] = {}
    share: float | None = None
    rate_per_s: float | None = None
    failure: Failure | None = None
    latency: Latency | None = None
    finished_s: float | None = None
    elapsed_s: float | None = None
    lives: tuple[LifeSummary, ...] = ()
    unlogged_bytes: int = 0


class Replies(Part, frozen=True, kw_only=True):
    """The book of a request-reply link's way back."""

    sent: int | None = None
    received: int | None = None
    lost: int | None = None


class LinkSummary(Part, frozen=True, kw_only=True):
    """One endpoint. Its numbers are those of `book`, which endpoints share that a proxy joins, say."""

    endpoint: str
    addresses: tuple[str, ...]
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    sent: int | None = None
    received: int | None = None
    lost: int | None = None
    unread: int | None = None
    foreign: int | None = None
    duplicates: int | None = None
    redelivered: int | None = None
    kind: str = ""
    book: str = ""
    replies: Replies | UnsetType = UNSET


class Expectation(Part, frozen=True, kw_only=True):
    """A condition on the run and whether it held. A `default` is what must always hold; nobody has written it.

    `actual` is null where the measure is not known. Of a node's processes that differ it is a list.
    """

    path: str
    condition: str
    held: bool
    actual: Any = None
    line: int | None = None
    default: bool = False


class FaultSummary(Part, frozen=True, kw_only=True):
    """What was broken on purpose, when it was, and whom it hit; `fired_s` is null where it never came to it."""

    text: str
    fired_s: float | None
    processes: tuple[str, ...] = ()
    line: int | None = None


class ProblemSummary(Part, frozen=True, kw_only=True):
    """A reason for the run to fail, with its place in the topology where it has one; or a note of the same form."""

    kind: str
    process: str | None
    endpoint: str | None
    text: str
    code: str
    file: str | None
    line: int | None


class Summary(Part, frozen=True, kw_only=True):
    """One run, as `summary.json` holds it. `notes` are ends and losses that an expectation speaks of."""

    version: int = 1
    run_id: str
    topology: str
    pattern: str
    engine: str
    seed: int
    verdict: str
    started_at: str
    elapsed_s: float
    ready_s: float | None
    work_s: float | None
    speedup: float | None
    stages: tuple[tuple[str, ...], ...]
    processes: tuple[ProcessSummary, ...]
    links: tuple[LinkSummary, ...]
    expectations: tuple[Expectation, ...] = ()
    problems: tuple[ProblemSummary, ...] = ()
    notes: tuple[ProblemSummary, ...] = ()
    faults: tuple[FaultSummary, ...] = ()
    nodes: tuple[NodeSummary, ...] = ()
    exit_code: int = 0


def total_received(process: ProcessSummary) -> int | None:
    """What the process received at all its ports; null where it has none that receives."""
    return total(port.received for port in process.ports.values())


def total_sent(process: ProcessSummary) -> int | None:
    """What the process sent from all its ports; null where it has none that sends."""
    return total(port.sent for port in process.ports.values())


def total(values: Iterable[int | UnsetType | None]) -> int | None:
    """The sum of what is known; null where nothing is."""
    known = [value for value in values if isinstance(value, int)]
    return sum(known) if known else None


def rounded(value_s: float | None) -> float | None:
    """Seconds to a tenth of a millisecond; null where they are."""
    return None if value_s is None else round(value_s, 4)
