"""The file's format as pydantic models: every key, its short and long forms, in the file's own words.

The forms hold what is written; `build` turns them into the values of `model`. The JSON Schema comes from
here too, so that editors and this program agree. Errors are told in our words by `wording`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.fields import FieldInfo

from orchestrator.topology.fields import (
    MAPPED,
    TEXT,
    Backoff,
    BatchSize,
    Command,
    Condition,
    Count,
    Duration,
    Flag,
    HighWaterMark,
    Kind,
    LastingDuration,
    MessageSize,
    Name,
    Replicas,
    RestartPolicy,
    Seed,
    Text,
    Texts,
    Uses,
    Window,
)
from orchestrator.topology.model import Action, Codec, Delivery, Gaps, Security
from orchestrator.topology.scalars import Value
from roles.kit.spec import MAX_MESSAGE_BYTES


class Form(BaseModel):
    """Base of the forms: a key that a form does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class EndpointForm(Form):
    """An address at which sockets meet: one side binds, the other connects."""

    address: Text = Field(
        description="tcp://host:port, tcp://host:* (any free port), ipc (private), or ipc:///path",
        examples=["tcp://127.0.0.1:5557", "tcp://127.0.0.1:*", "ipc"],
    )
    codec: Codec | None = Field(default=None, description="How items become frames; the pattern's by default")
    hwm: HighWaterMark | None = Field(default=None, description="High-water mark in messages; 0 is no limit")
    idle_after: Duration | None = Field(
        default=None,
        description="Ends the stream when nothing has come for so long; for sides that are not ours",
    )
    batch: BatchSize = Field(
        default=1, description="Packs up to so many items into a frame, at endpoints of PUSH and PULL"
    )
    max_message: MessageSize = Field(
        default=MAX_MESSAGE_BYTES,
        description="The largest message: a larger one is refused where it is sent, and where it comes",
        json_schema_extra={"default": "64MiB"},
    )
    sequence: Flag = Field(
        default=False,
        description="Numbers the updates by publisher and topic, so that subscribers know what they missed",
    )
    delivery: Delivery = Field(
        default="best_effort",
        description="at_least_once: each task from here is done and its results kept, whichever processes die",
    )
    window: Window | None = Field(
        default=None,
        description="With at_least_once, the most tasks that a worker has and that are not acknowledged",
    )
    security: Security | None = Field(
        default=None,
        description="curve: encrypted, and open to none but the nodes that meet here; the pattern's by default",
    )
    insecure: Flag | None = Field(
        default=None, description="Lets other machines reach it although it is not under curve"
    )
    gaps: Gaps | None = Field(
        default=None,
        description="With `sequence`, what missed updates do: count (no more), warn (by default) or fail (the run)",
    )


def _short_or_long(value: Value) -> str:
    return MAPPED if isinstance(value, dict | Form) else TEXT


Endpoint = Annotated[
    Annotated[Text, Tag(TEXT)] | Annotated[EndpointForm, Tag(MAPPED)], Discriminator(_short_or_long)
]


class RestartForm(Form):
    """When a process that ends by itself is started again, and how often."""

    policy: RestartPolicy = Field(
        description="no, on-failure (after a signal or an exit code other than 0), or always"
    )
    most: Count = Field(
        default=5, alias="max", description="The most restarts `within` so long; one more fails the run"
    )
    within: LastingDuration = Field(default=60.0, description="How long a restart counts towards `max`")
    backoff: Backoff = Field(
        default=0.5, description="The first restart's delay; it doubles with each further one, up to 30s"
    )


Restart = Annotated[
    Annotated[RestartPolicy, Tag(TEXT)] | Annotated[RestartForm, Tag(MAPPED)], Discriminator(_short_or_long)
]


class NodeForm(Form):
    """One node: a role of ours or yours, a command, or a program that somebody else starts."""

    role: Text | None = Field(
        default=None, description="A built-in role, or module:Class", examples=["worker", "mine:Thinner"]
    )
    command: Command | None = Field(default=None, description="Any program, run without a shell")
    external: Flag = Field(default=False, description="Started by somebody else; awaited, never launched")
    bind: Uses = Field(
        default=[], description="Endpoints that this node binds: one, a list, or port: endpoint"
    )
    connect: Uses = Field(
        default=[], description="Endpoints that this node connects to: one, a list, or port: endpoint"
    )
    replicas: Replicas = Field(default=1, description="How many processes run this node")
    params: dict[str, Any] = Field(default={}, description="Parameters of the role")
    environment: dict[str, Text] = Field(default={}, description="Environment variables of the processes")
    options: dict[str, dict[str, Any]] = Field(
        default={},
        description="ZeroMQ socket options by port and name",
        examples=[{"tasks": {"SNDBUF": 65536}}],
    )
    ports: dict[str, Kind] = Field(
        default={}, description="The role's ports, where its source cannot be read"
    )
    depends_on: Texts = Field(default=[], description="Nodes that start earlier, beyond what the sockets say")
    start_delay: Duration | None = Field(
        default=None, description="Launched so long after all others have begun, who do not wait for it"
    )
    restart: Restart = Field(
        default="no",
        description="Whether a process that ends by itself is started again: no, on-failure or always",
        examples=["on-failure", {"policy": "on-failure", "max": 5, "within": "60s", "backoff": "500ms"}],
    )
    ready_within: Duration | None = Field(
        default=None, description="Fails the run if not in place after so long"
    )
    stop_grace_period: Duration = Field(
        default=5.0,
        description="How long it may take to leave once it is told to, a command by SIGTERM; then it is ended",
    )
    task_timeout: LastingDuration | None = Field(
        default=None,
        description="How long one item may be in the hands of a process; past it the process is killed, see restart",
        examples=["30s"],
    )


ACTIONS: tuple[Action, ...] = get_args(Action)
"""What a fault can do; each but `scale` to a target."""

_TARGET = "a process, a node (all of its processes), or any NODE (one of them, drawn by the seed)"


def _one_of(*keys: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [key]} for key in keys]}


class FaultForm(Form):
    """Something to break on purpose: when (`at` or `when`), and one action."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [_one_of("at", "when"), _one_of(*ACTIONS)],
            "dependentSchemas": {"for": _one_of("pause", "restart")},
        }
    )

    at: Duration | None = Field(default=None, description="So long after all have begun")
    when: dict[str, Count] | None = Field(
        default=None,
        min_length=1,
        description="As soon as each of these counters is reached",
        examples=[{"worker-1.received": 500}],
    )
    kill: Text | None = Field(default=None, description=f"SIGKILL for {_TARGET}", examples=["worker-2"])
    terminate: Text | None = Field(default=None, description=f"SIGTERM for {_TARGET}")
    pause: Text | None = Field(default=None, description=f"Stops {_TARGET}", examples=["any worker"])
    resume: Text | None = Field(default=None, description="Lets a paused process, or a node's, go on")
    restart: Text | None = Field(default=None, description=f"SIGKILL for {_TARGET}, and a new start")
    scale: dict[str, Replicas] | None = Field(
        default=None,
        min_length=1,
        description="How many processes nodes are to have, more than before",
        examples=[{"worker": 6}],
    )
    for_: Duration | None = Field(
        default=None, alias="for", description="How long a pause lasts, or a restarted process stays away"
    )


def any_of(target: str) -> tuple[bool, str]:
    """Whether a fault's target is `any NODE`, and the name in it."""
    words = target.split()
    if len(words) == 2 and words[0] == "any":
        return True, words[1]
    return False, target.strip()


class PatternForm(Form):
    """One group of endpoints and nodes that run together."""

    description: Text = Field(default="", description="What the pattern does, in one line")
    codec: Codec = Field(default="json", description="The default codec of the endpoints")
    security: Security = Field(
        default="none", description="The default security of the endpoints: none or curve"
    )
    insecure: Flag = Field(
        default=False, description="Lets other machines reach endpoints that are not under curve"
    )
    endpoints: dict[Name, Endpoint] = Field(default={}, description="Where sockets meet, by name")
    nodes: dict[Name, NodeForm] = Field(min_length=1, description="What runs, by name")
    sync: Literal["barrier", "none"] = Field(
        default="barrier", description="Whether all start together, once connected"
    )
    close: Literal["balanced", "at_once"] = Field(
        default="balanced", description="When senders close their sockets"
    )
    duration: Duration | None = Field(default=None, description="Asks the sources to finish after so long")
    stall: Duration = Field(
        default=5.0, description="Fails the run when all wait and nothing changes for so long"
    )
    settle: Duration = Field(
        default=0.25, description="How long receivers wait before what is missing counts as lost"
    )
    seed: Seed | None = Field(default=None, description="Seed of all randomness")
    expect: dict[str, Condition] = Field(
        default={},
        description="What must be true of the run: a measure's path, and its value, a condition or a list",
        examples=[{"sink.received": 100, "worker.received.jain": ">= 0.9", "sink.elapsed_s": "< 10s"}],
    )
    faults: list[FaultForm] = Field(
        default=[],
        description="What to break on purpose, and when",
        examples=[[{"at": "2s", "kill": "worker-2"}]],
    )
    allow: Texts = Field(default=[], description="Codes of lint rules that this pattern breaks on purpose")


class FileForm(Form):
    """A topology: patterns of ZeroMQ nodes and the endpoints at which they meet."""

    version: Literal[1] = Field(description="Version of this format")
    patterns: dict[Name, PatternForm] = Field(min_length=1, description="Groups that run together, by name")


_MEMBERS: dict[str | int, tuple[str, type[Form]]] = {
    "nodes": ("node", NodeForm),
    "endpoints": ("endpoint", EndpointForm),
    "faults": ("fault", FaultForm),
}


def level_of(path: tuple[str | int, ...]) -> tuple[str, type[Form] | None]:
    """What stands at a path, as a word, and its form: `("node", NodeForm)`; ("", None) below these."""
    if not path:
        return "file", FileForm
    if len(path) == 2 and path[0] == "patterns":
        return "pattern", PatternForm
    if len(path) == 4:
        return _MEMBERS.get(path[2], ("", None))
    if path[2:3] == ("nodes",) and path[4:] == ("restart",):
        return "restart", RestartForm
    return "", None


def keys_of(form: type[Form]) -> dict[str, FieldInfo]:
    """The keys of a form as the file writes them."""
    return {field.alias or name: field for name, field in form.model_fields.items()}
