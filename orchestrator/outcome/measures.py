"""What a run has come to, by the paths that `expect` uses: `sink.received`, `worker.sent.jain`, `speedup`. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from msgspec import UNSET

from orchestrator.outcome.values import (
    Latency,
    LinkSummary,
    ProcessSummary,
    Summary,
    total,
    total_received,
    total_sent,
)
from orchestrator.topology.conditions import Actual
from orchestrator.topology.measure_names import (
    COUNTERS,
    LINK_MEASURES,
    NUMBERS,
    QUANTILES,
    REPLY_MEASURES,
    RUN_MEASURES,
)

Number = int | float

_FIELDS = {name: name for name in NUMBERS} | {"rate": "rate_per_s"}
_GREATEST = ("elapsed_s", "ready_s", "max_rss_bytes")
"""What several processes have in common is the greatest of these, and the sum of all other numbers."""


class Measures:
    """Every measure of a run by its path."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._nodes: dict[str, list[ProcessSummary]] = {}
        for process in summary.processes:
            self._nodes.setdefault(process.node, []).append(process)
        self._processes = {process.name: process for process in summary.processes}
        self._links = {link.endpoint: link for link in summary.links}
        self._latencies: dict[str, Latency | None] = {node.name: node.latency for node in summary.nodes}

    def values(self, path: str, *, apart: Set[str] = frozenset()) -> tuple[Any, ...]:
        """The values that must all meet a condition on this path; none where nothing is known.

        There is one, but for a node's `exit_code` and `result`, which are each process's own; those of the processes
        in `apart` are left out.
        """
        found = tuple(None if _is_nothing(value) else value for value in self._found(path, apart))
        return found if any(value is not None for value in found) else ()

    def value(self, path: str) -> Actual:
        """The one value at this path; None where there is none, or where a node's processes differ."""
        values = distinct(self.values(path))
        return values[0] if len(values) == 1 and isinstance(values[0], int | float | str) else None

    def started(self, node: str) -> frozenset[str]:
        """The processes of a node that were ever started."""
        processes = self._nodes.get(node, ())
        return frozenset(process.name for process in processes if process.outcome != "not_started")

    def process(self, path: str) -> str | None:
        """The one process that the path is about."""
        subject = path.partition(".")[0]
        return subject if subject in self._processes else None

    def endpoint(self, path: str) -> str | None:
        """The endpoint that the path is about."""
        subject = path.partition(".")[0]
        return subject if subject in self._links else None

    def _found(self, path: str, apart: Set[str]) -> Sequence[Any]:
        subject, _, rest = path.partition(".")
        if not rest:
            return [getattr(self._summary, subject)] if subject in RUN_MEASURES else []
        if subject in self._nodes:
            return self._of_node(subject, rest, apart)
        if subject in self._processes:
            process = self._processes[subject]
            if rest in QUANTILES:
                return [_quantile(process.latency, rest)]
            return _own([process], rest) or [number(process, rest)]
        return [_of_link(self._links[subject], rest)] if subject in self._links else []

    def _of_node(self, node: str, rest: str, apart: Set[str]) -> Sequence[Any]:
        processes = self._nodes[node]
        if rest in QUANTILES:
            return [_quantile(self._latencies.get(node), rest)]
        name, _, statistic = rest.partition(".")
        if name in ("exit_code", "result"):
            return _own([one for one in processes if one.name not in apart], rest)
        numbers = [value for one in processes if (value := number(one, name)) is not None]
        if not numbers or (statistic and statistic not in _STATISTICS):
            return []
        combine = _STATISTICS[statistic] if statistic else max if name in _GREATEST else sum
        return [combine(numbers)]


def distinct(values: Sequence[Any]) -> list[Any]:
    """The values without those that came before."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def number(process: ProcessSummary, name: str) -> Number | None:
    """A counter or another number of one process; None where it has none."""
    if name in ("received", "sent"):
        return (total_received if name == "received" else total_sent)(process)
    if name == "answered":
        return _answered(process)
    if name in COUNTERS:
        return total(getattr(port, name) for port in process.ports.values())
    value: Number | None = getattr(process, _FIELDS[name]) if name in _FIELDS else None
    return value


def _answered(process: ProcessSummary) -> int | None:
    """How many requests were answered: replies to what had been answered already are none."""
    received = total_received(process)
    return None if received is None else received - (total(p.duplicates for p in process.ports.values()) or 0)


def jain(numbers: Sequence[Number]) -> float:
    """How evenly something is shared out: 1 where all have the same, 1/n where one has it all."""
    squares = sum(value * value for value in numbers)
    return sum(numbers) ** 2 / (len(numbers) * squares) if squares else 1.0


_STATISTICS: dict[str, Callable[[Sequence[Number]], Number]] = {
    "min": min,
    "max": max,
    "mean": lambda numbers: sum(numbers) / len(numbers),
    "jain": jain,
}


def _own(processes: Sequence[ProcessSummary], path: str) -> list[Any]:
    """The exit codes of those processes that were started, or what those that have a result say of a key."""
    name, _, key = path.partition(".")
    if path == "exit_code":
        return [_exit_code(process) for process in processes if process.outcome != "not_started"]
    if name == "result" and key:
        return [_looked_up(process.result, key) for process in processes if process.result]
    return []


def _exit_code(process: ProcessSummary) -> int | str | None:
    """How it ended: one that we stopped ended well, whatever it said."""
    return 0 if process.outcome == "stopped" else process.signal or process.exit_code


def _looked_up(value: object, path: str) -> object:
    """What a mapping has under a key, which may have dots in it, or lead on into further mappings."""
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    dots = [index for index, char in enumerate(path) if char == "."]
    inner = (_looked_up(value.get(path[:dot]), path[dot + 1 :]) for dot in dots)
    return next((found for found in inner if found is not None), None)


def _of_link(link: LinkSummary, rest: str) -> int | None:
    if rest in REPLY_MEASURES:
        name = rest.partition(".")[2]
        value: int | None = None if link.replies is UNSET else getattr(link.replies, name)
        return value
    known: int | None = getattr(link, rest) if rest in LINK_MEASURES else None
    return known


def _quantile(latency: Latency | None, name: str) -> float | None:
    value: float | None = getattr(latency, name) if latency else None
    return value


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))
