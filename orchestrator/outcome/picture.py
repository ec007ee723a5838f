"""Summary -> Mermaid flowchart: nodes and endpoints, and on the arrows what was sent, received and lost. Pure.

A summary counts by port, and does not say which port met which endpoint. So what a node sent to an endpoint is
known where it sends to no other, or where the endpoint's book tells what all the others leave over; elsewhere the
arrow bears no number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from orchestrator.cells import count, times
from orchestrator.mermaid import Direction, edge, quoted
from orchestrator.outcome.entries import failed_processes
from orchestrator.outcome.values import (
    LinkSummary,
    ProcessSummary,
    Summary,
    total,
    total_received,
    total_sent,
)

MAX_EDGES = 200
"""A picture of more arrows than this shows nothing, and Mermaid refuses one of more than 500."""

Counts = dict[tuple[str, str], int | None]
"""What passed between a node and an endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One direction of messages through an endpoint: who can have counted it, and what its book says."""

    endpoint: str
    nodes: tuple[str, ...]
    book: int | None


def picture(summary: Summary) -> str:
    """The flowchart, with a newline at its end; empty where there is nothing to show, or too much."""
    links = summary.links
    if not links or sum(len(_nodes(link)) for link in links) > MAX_EDGES:
        return ""
    groups: dict[str, list[ProcessSummary]] = {}
    for process in summary.processes:
        groups.setdefault(process.node, []).append(process)
    sent = _counts([way for link in links for way in _sendings(link, links)], groups, total_sent)
    received = _counts([way for link in links for way in _receivings(link, links)], groups, total_received)
    lines = ["flowchart LR"]
    bad = {process.node for process in failed_processes(summary)}
    lines += [f"  {_node(group, bad=name in bad)}" for name, group in groups.items()]
    lines += [f"  {_endpoint(link)}" for link in links]
    for link in links:
        lines += [f"  {_edge(name, link, sent, received)}" for name in _nodes(link)]
    return "\n".join([*lines, "  classDef bad stroke:#d1242f,stroke-width:3px"]) + "\n"


def _nodes(link: LinkSummary) -> list[str]:
    return list(dict.fromkeys((*link.senders, *link.receivers)))


def _sendings(link: LinkSummary, links: Sequence[LinkSummary]) -> list[_Way]:
    return _ways(link, links, "sent", (link.senders, link.receivers))


def _receivings(link: LinkSummary, links: Sequence[LinkSummary]) -> list[_Way]:
    return _ways(link, links, "received", (link.receivers, link.senders))


def _ways(
    link: LinkSummary, links: Sequence[LinkSummary], counted: str, nodes: tuple[tuple[str, ...], ...]
) -> list[_Way]:
    """The way there, and the way back where there are replies; `nodes` are those who have `counted` on each."""
    books = [link] if link.replies is UNSET else [link, link.replies]
    return [
        _Way(endpoint=link.endpoint, nodes=counting, book=_own(link, links, getattr(book, counted)))
        for book, counting in zip(books, nodes, strict=False)
    ]


def _own(link: LinkSummary, links: Sequence[LinkSummary], value: int | None) -> int | None:
    """A number of the endpoint's book, where no other endpoint shares it."""
    return value if sum(other.book == link.book for other in links) == 1 else None


def _counts(
    ways: Sequence[_Way],
    groups: dict[str, list[ProcessSummary]],
    counted: Callable[[ProcessSummary], int | None],
) -> Counts:
    whole = {name: total(map(counted, group)) for name, group in groups.items()}
    found: Counts = {}
    for way in ways:
        for node in way.nodes:
            elsewhere = any(node in other.nodes for other in ways if other.endpoint != way.endpoint)
            found[node, way.endpoint] = None if elsewhere else whole.get(node)
    for way in ways:
        unknown = [node for node in way.nodes if found[node, way.endpoint] is None]
        if way.book is not None and len(unknown) == 1 and whole.get(unknown[0]) is not None:
            rest = way.book - sum(found[node, way.endpoint] or 0 for node in way.nodes)
            found[unknown[0], way.endpoint] = rest if rest >= 0 else None
    return found


def _node(group: Sequence[ProcessSummary], *, bad: bool) -> str:
    first = group[0]
    name = times(first.node, len(group))
    label = name if first.role == first.node else f"{name}\n{first.role}"
    return f"n_{first.node}[{quoted(label)}]{':::bad' if bad else ''}"


def _endpoint(link: LinkSummary) -> str:
    """Losses stand on the arrow to the receiver; where there are several, at the endpoint."""
    lost = _lost(link)
    label = f"{link.endpoint}\n{lost}" if lost and len(link.receivers) != 1 else link.endpoint
    return f"e_{link.endpoint}([{quoted(label)}]){':::bad' if lost else ''}"


def _lost(link: LinkSummary) -> str:
    back = link.replies.lost if link.replies is not UNSET else None
    told = [f"{count(link.lost)} lost"] if link.lost else []
    return ", ".join([*told, *([f"{count(back)} replies lost"] if back else [])])


def _edge(node: str, link: LinkSummary, sent: Counts, received: Counts) -> str:
    sends, receives = sent.get((node, link.endpoint)), received.get((node, link.endpoint))
    told = [f"{count(sends)} sent"] if sends is not None else []
    told += [f"{count(receives)} received"] if receives is not None else []
    if link.receivers == (node,) and _lost(link):
        told.append(_lost(link))
    out, into = node in link.senders, node in link.receivers
    both = (out and into) or link.replies is not UNSET
    way: Direction = "both" if both else "out" if out else "in"
    return edge(f"n_{node}", f"e_{link.endpoint}", ", ".join(told), way)
