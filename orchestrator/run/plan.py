"""The plan as values: one pattern, its processes in launch order, its links and its books. `planner` makes it."""

from __future__ import annotations

from typing import Literal

import msgspec

from roles.kit.spec import ProcessSpec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the values below."""


class Stage(Value, frozen=True, kw_only=True):
    """Nodes that launch together, and why they do so at this point."""

    nodes: tuple[str, ...]
    processes: tuple[str, ...]
    why: str = ""


class Link(Value, frozen=True, kw_only=True):
    """All traffic of one endpoint: its nodes, each side's, its addresses as planned (`{sockets}` left in).

    `kind` is the pattern of its sockets: `pipeline`, `publish_subscribe`, `request_reply`, `dialogue`
    (dealers and routers), or `unknown` where only commands and externals meet. `book` names the book that
    counts it.
    """

    endpoint: str
    kind: str
    addresses: tuple[str, ...]
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    binders: tuple[str, ...]
    connectors: tuple[str, ...]
    book: str


End = tuple[str, str]
"""One end of a book: the names of a process and of its port."""


class BookPlan(Value, frozen=True, kw_only=True):
    """What is counted as one: all ports that endpoints, proxies and ports of several endpoints join together.

    `name` is its endpoints joined by `+`; a book of replies has `replies: true` and the same name. `counted`
    books balance; `marked` ones (publish-subscribe) end by the publishers' marks; `open` ones have a side
    that keeps no counts. `conduits` are the proxies within; `strangers_send` and `strangers_receive` the
    commands and externals at each side.
    """

    name: str
    endpoints: tuple[str, ...]
    replies: bool = False
    kind: Literal["counted", "marked", "open"] = "counted"
    senders: tuple[End, ...] = ()
    receivers: tuple[End, ...] = ()
    conduits: tuple[str, ...] = ()
    strangers_send: tuple[str, ...] = ()
    strangers_receive: tuple[str, ...] = ()
    idle_after_s: float | None = None


class Plan(Value, frozen=True, kw_only=True):
    """One pattern, ready to run. `cycles` are the groups of processes whose data goes round.

    `lines` maps a key's path below the pattern (`nodes.worker`, `endpoints.tasks`,
    `nodes.worker.params.call`) to its line in the file.
    """

    topology: str
    pattern: str
    description: str = ""
    processes: tuple[ProcessSpec, ...] = ()
    stages: tuple[Stage, ...] = ()
    links: tuple[Link, ...] = ()
    books: tuple[BookPlan, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    barrier: bool = True
    hold: bool = True
    duration_s: float | None = None
    stall_s: float = 5.0
    settle_s: float = 0.25
    seed: int | None = None
    lines: dict[str, int] = {}
