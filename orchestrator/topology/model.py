"""The topology as values: what a file means, its short forms written out and its durations in seconds."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from roles.kit.spec import MAX_MESSAGE_BYTES

Codec = Literal["bytes", "text", "json", "msgpack"]
Security = Literal["none", "curve"]
Policy = Literal["no", "on-failure", "always"]
Delivery = Literal["best_effort", "at_least_once"]
Gaps = Literal["count", "warn", "fail"]
Action = Literal["kill", "terminate", "pause", "resume", "restart", "scale"]


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the values below: frozen, and a key that it does not know is an error.

    They are built from forms that pydantic has checked. As models of pydantic they would be checked twice, and their
    classes alone would take as long to make as everything else that `validate` does with a small file.
    """


class Expectation(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A measure of the run (`sink.received`) and what it must be, in the words of `conditions` (`== 100`)."""

    path: str
    condition: str


class Fault(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Something to break on purpose, `at_s` after Go, or once each of the counters in `when` is reached.

    `target` is a process or a node, and with `one_of_them` one process of that node. `for_s` goes with `pause`
    and `restart`. `scale` maps nodes to the replicas that they are to have.
    """

    action: Action
    at_s: float | None = None
    when: dict[str, int] = {}
    target: str = ""
    one_of_them: bool = False
    for_s: float | None = None
    scale: dict[str, int] = {}


class Endpoint(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A named address, or a set of them, at which sockets meet.

    With `sequence`, `gaps` says what missed updates do.
    """

    address: str
    codec: Codec | None = None
    hwm: int | None = None
    idle_after_s: float | None = None
    sequence: bool = False
    gaps: Gaps | None = None
    batch: int = 1
    delivery: Delivery = "best_effort"
    window: int | None = None
    max_message_bytes: int = MAX_MESSAGE_BYTES
    security: Security | None = None
    insecure: bool | None = None


class Restart(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a process that ends without being asked to is started again, the first time after `backoff_s`.

    More than `most` restarts within `within_s` are a failure of the run.
    """

    policy: Policy = "no"
    most: int = 5
    within_s: float = 60.0
    backoff_s: float = 0.5


class Node(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One entry under `nodes:`; it runs as `replicas` processes.

    Exactly one of `role`, `command` and `external` is set. `bind` and `connect` map a port to its
    endpoints; the port is "" where the file leaves it to the role to tell. One item may be in the hands of a process
    for `task_timeout_s`.
    """

    role: str | None = None
    command: tuple[str, ...] = ()
    external: bool = False
    bind: tuple[tuple[str, str], ...] = ()
    connect: tuple[tuple[str, str], ...] = ()
    replicas: int = 1
    params: dict[str, Any] = {}
    environment: dict[str, str] = {}
    options: dict[str, dict[str, int | str]] = {}
    ports: dict[str, str] = {}
    depends_on: tuple[str, ...] = ()
    start_delay_s: float | None = None
    restart: Restart = Restart()
    ready_within_s: float | None = None
    stop_grace_period_s: float = 5.0
    task_timeout_s: float | None = None


class Pattern(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One named group of endpoints and nodes that run together."""

    description: str = ""
    codec: Codec = "json"
    security: Security = "none"
    insecure: bool = False
    endpoints: dict[str, Endpoint] = {}
    nodes: dict[str, Node] = {}
    sync: Literal["barrier", "none"] = "barrier"
    close: Literal["balanced", "at_once"] = "balanced"
    duration_s: float | None = None
    stall_s: float = 5.0
    settle_s: float = 0.25
    seed: int | None = None
    expect: tuple[Expectation, ...] = ()
    faults: tuple[Fault, ...] = ()
    allow: tuple[str, ...] = ()

    def is_curve(self, endpoint: str) -> bool:
        """Whether an endpoint is under CURVE, by its own word or the pattern's."""
        return (self.endpoints[endpoint].security or self.security) == "curve"

    def most_replicas(self) -> dict[str, int]:
        """How many processes each node can come to have, those that a fault adds included."""
        most = {name: node.replicas for name, node in self.nodes.items()}
        for fault in self.faults:
            for name in fault.scale.keys() & most.keys():
                most[name] = max(most[name], fault.scale[name])
        return most


class Topology(Model, frozen=True, kw_only=True, omit_defaults=True):
    """The whole file: patterns by their names, in the order in which they are written."""

    version: Literal[1] = 1
    patterns: dict[str, Pattern] = {}
