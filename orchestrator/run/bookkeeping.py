"""Which books a pattern has: what is counted as one, who counts it, and how it ends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal

import msgspec

from orchestrator.run.plan import BookPlan, End
from orchestrator.topology.model import Gaps, Pattern
from orchestrator.topology.traffic import Traffic
from orchestrator.topology.wiring import Wire

_STRICTNESS: tuple[Gaps, ...] = ("count", "warn", "fail")

Processes = Callable[[str], tuple[str, ...]]
"""Gives the processes of a node."""


def book_name(group: Iterable[Traffic]) -> str:
    """The name of the book that these endpoints share."""
    return "+".join(one.endpoint for one in group)


def book_plans(
    group: Sequence[Traffic], pattern: Pattern, *, proxies: Collection[str], processes: Processes
) -> list[BookPlan]:
    """The books of endpoints that are joined: one, and another for the replies where there are any."""
    senders = [wire for one in group for wire in one.senders]
    receivers = [wire for one in group for wire in one.receivers]
    kind = _kind(group, pattern)
    idle = [pattern.endpoints[one.endpoint].idle_after_s for one in group]
    conduits = dict.fromkeys(wire.node for wire in senders if wire.node in proxies)
    forward = BookPlan(
        name=book_name(group),
        endpoints=tuple(one.endpoint for one in group),
        kind=kind,
        sequenced=kind == "marked" and all(pattern.endpoints[one.endpoint].sequence for one in group),
        gaps=_strictest(pattern.endpoints[one.endpoint].gaps for one in group),
        retried=_is_retried(senders, pattern),
        senders=_ends(senders, proxies, processes),
        receivers=_ends(receivers, proxies, processes),
        conduits=tuple(process for node in conduits for process in processes(node)),
        strangers_send=_strangers(senders, processes),
        strangers_receive=_strangers(receivers, processes),
        idle_after_s=max((seconds for seconds in idle if seconds is not None), default=None),
    )
    if not any(one.replies for one in group):
        return [forward]
    return [forward, _way_back(forward)]


def _way_back(forward: BookPlan) -> BookPlan:
    return msgspec.structs.replace(
        forward,
        replies=True,
        senders=forward.receivers,
        receivers=forward.senders,
        strangers_send=forward.strangers_receive,
        strangers_receive=forward.strangers_send,
    )


def _kind(group: Iterable[Traffic], pattern: Pattern) -> Literal["counted", "marked", "open"]:
    nodes = {wire.node for one in group for wire in (*one.binders, *one.connectors)}
    if not all(pattern.nodes[node].role for node in nodes):
        return "open"
    return "marked" if any(one.kind == "publish_subscribe" for one in group) else "counted"


def _strictest(written: Iterable[Gaps | None]) -> Gaps:
    """What gaps do on a link of several endpoints; where nothing is written they are told."""
    return max((gaps for gaps in written if gaps is not None), key=_STRICTNESS.index, default="warn")


def _is_retried(senders: Iterable[Wire], pattern: Pattern) -> bool:
    """Whether everyone who asks asks again, so that no lost request matters."""
    asking = [wire.node for wire in senders if wire.kind == "REQ"]
    return bool(asking) and all(pattern.nodes[node].params.get("retry") for node in asking)


def _ends(wires: Iterable[Wire], proxies: Collection[str], processes: Processes) -> tuple[End, ...]:
    ports = dict.fromkeys((wire.node, wire.port) for wire in wires if wire.port)
    return tuple(
        (process, port) for node, port in ports if node not in proxies for process in processes(node)
    )


def _strangers(wires: Iterable[Wire], processes: Processes) -> tuple[str, ...]:
    nodes = dict.fromkeys(wire.node for wire in wires if not wire.port)
    return tuple(process for node in nodes for process in processes(node))
