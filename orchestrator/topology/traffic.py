"""Which way the messages of each endpoint go, and which endpoints must be counted as one.

Pure. An endpoint's traffic has a forward direction, from those that start it to those that take it: PUSH to
PULL, PUB to SUB, REQ to REP, DEALER to ROUTER. Replies are the other direction of the same sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.topology.wiring import Wire
from orchestrator.topology.zeromq import PUBLISHES, RECEIVES, SENDS, SUBSCRIBES

_SEND = SENDS | {"REQ"}
_RECEIVE = RECEIVES | {"REP"}
_EITHER = frozenset({"DEALER", "ROUTER"})
_REPLYING = frozenset({"REQ", "REP", "DEALER", "ROUTER"})
_PUBLISHING = PUBLISHES | SUBSCRIBES


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One endpoint's wires by what they do; `kind` as in `plan.Link`."""

    endpoint: str
    kind: str
    senders: tuple[Wire, ...]
    receivers: tuple[Wire, ...]
    binders: tuple[Wire, ...]
    connectors: tuple[Wire, ...]

    @property
    def replies(self) -> bool:
        """Whether its sockets carry answers back."""
        return self.kind in ("request_reply", "dialogue")


def traffic(endpoint: str, wires: Iterable[Wire]) -> Traffic:
    """How messages go at an endpoint. A command's or an external's part follows from whom it meets."""
    here = [wire for wire in wires if wire.endpoint == endpoint]
    kinds = {wire.kind for wire in here if wire.kind}
    sends = {wire: _sends(wire, here) for wire in here}
    return Traffic(
        endpoint=endpoint,
        kind=_kind(kinds),
        senders=tuple(wire for wire in here if sends[wire] is True),
        receivers=tuple(wire for wire in here if sends[wire] is False),
        binders=tuple(wire for wire in here if wire.mode == "bind"),
        connectors=tuple(wire for wire in here if wire.mode == "connect"),
    )


def _kind(kinds: set[str]) -> str:
    if not kinds:
        return "unknown"
    if kinds & _PUBLISHING:
        return "publish_subscribe"
    if kinds & {"REQ", "REP"}:
        return "request_reply"
    return "dialogue" if kinds & _REPLYING else "pipeline"


def _sends(wire: Wire, here: Sequence[Wire]) -> bool | None:
    """Whether a wire starts the traffic; None where nothing tells."""
    if wire.kind in _SEND:
        return True
    if wire.kind in _RECEIVE:
        return False
    across = [other for other in here if other.mode != wire.mode]
    if wire.kind in _EITHER:
        return _either_sends(wire, across)
    told = {_sends(other, here) for other in across if other.kind}
    return not told.pop() if len(told) == 1 else None


def _either_sends(wire: Wire, across: Sequence[Wire]) -> bool:
    kinds = {other.kind for other in across}
    if kinds & _SEND:
        return False
    if kinds & _RECEIVE:
        return True
    if kinds & (_EITHER - {wire.kind}):
        return wire.kind == "DEALER"
    return wire.mode == "connect"


def joined(traffics: Sequence[Traffic], proxies: Iterable[str]) -> list[tuple[Traffic, ...]]:
    """Groups of endpoints that share a book: those that one port, or one proxy, holds together.

    A port with several endpoints has one socket and so one count; a proxy counts nothing.
    """
    through = set(proxies)
    holders: dict[tuple[str, str], list[str]] = {}
    for one in traffics:
        for key in _keys(one, through):
            holders.setdefault(key, []).append(one.endpoint)
    near: dict[str, set[str]] = {one.endpoint: set() for one in traffics}
    for endpoints in holders.values():
        for endpoint in endpoints[1:]:
            near[endpoints[0]].add(endpoint)
            near[endpoint].add(endpoints[0])
    rank = {one.endpoint: number for number, one in enumerate(traffics)}
    groups: list[tuple[Traffic, ...]] = []
    done: set[str] = set()
    for one in traffics:
        if one.endpoint not in done:
            reached = _reached(one.endpoint, near)
            done |= reached
            groups.append(tuple(traffics[index] for index in sorted(rank[name] for name in reached)))
    return groups


def _reached(start: str, near: Mapping[str, set[str]]) -> set[str]:
    """All endpoints that a chain of neighbours leads to."""
    reached, rest = {start}, [start]
    while rest:
        fresh = near[rest.pop()] - reached
        reached |= fresh
        rest += fresh
    return reached


def _keys(one: Traffic, proxies: set[str]) -> set[tuple[str, str]]:
    wires = (*one.binders, *one.connectors)
    return {(wire.node, "" if wire.node in proxies else wire.port) for wire in wires if wire.port}
