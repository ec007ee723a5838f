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
    commands and externals at each side. `sequenced` ones know what their subscribers missed, and `gaps` says what
    that does; in those that are `retried` clients ask again, so that a lost request is no loss.
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
    sequenced: bool = False
    gaps: Literal["count", "warn", "fail"] = "warn"
    retried: bool = False


class ExpectationPlan(Value, frozen=True, kw_only=True):
    """What must be true of the run: the measure at `path` (`sink.received`) meets the condition (`== 100`).

    A `default` is one that nobody has written: it holds unless a line says otherwise. `line` is the topology's, null
    also where an option has set it.
    """

    path: str
    condition: str
    line: int | None = None
    default: bool = False


class FaultPlan(Value, frozen=True, kw_only=True):
    """What is broken on purpose, when `at_s` after Go or as soon as each counter in `when` is reached.

    `targets` names the processes; with `one_of_them` the seed draws one of those that run. `for_s` is how long a
    `pause` lasts, and how long a process that is to `restart` stays away. `scale` maps nodes to the number of
    processes that they are to have.
    """

    action: Literal["kill", "terminate", "pause", "resume", "restart", "scale"]
    text: str
    at_s: float | None = None
    when: dict[str, int] = {}
    targets: tuple[str, ...] = ()
    one_of_them: bool = False
    for_s: float | None = None
    scale: dict[str, int] = {}
    line: int | None = None


class Plan(Value, frozen=True, kw_only=True):
    """One pattern, ready to run. `cycles` are the groups of processes whose data goes round.

    `reserves` are the processes that a fault may add to the run; they have slots, and stand in no stage. `retired` are
    those that have left it since it began: what they counted stays in the books.

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
    expectations: tuple[ExpectationPlan, ...] = ()
    faults: tuple[FaultPlan, ...] = ()
    reserves: tuple[ProcessSpec, ...] = ()
    retired: tuple[ProcessSpec, ...] = ()
    lines: dict[str, int] = {}
