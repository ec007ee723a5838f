"""The file's format as pydantic models: every key, its short and long forms, in the file's own words.

The forms hold what is written; `build` turns them into the values of `model`. The JSON Schema comes from
here too, so that editors and this program agree. Errors are told in our words by `wording`.
"""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestrator.topology import durations
from orchestrator.topology.scalars import ScalarError, Value, resolve
from orchestrator.topology.tree import Expanded

TEXT, LISTED, MAPPED = "<text>", "<list>", "<mapping>"
TAGS = frozenset({TEXT, LISTED, MAPPED})
"""Names of the forms that a value may take; they stand in pydantic's paths and not in the file."""

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
MAX_REPLICAS = 10_000

LATER = {
    "pattern": ("expect", "faults"),
    "node": ("restart", "start_delay"),
    "endpoint": ("batch", "sequence", "delivery", "security"),
}
"""Keys of the format that this version does not support yet, by the level at which they stand."""


def settled(value: Value) -> Value:
    """The value as YAML reads it, where it came from a variable."""
    if not isinstance(value, Expanded):
        return value
    try:
        return resolve(value)
    except ScalarError:
        return str(value)


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "must be text")
    return str(value)


def _integer(value: Value) -> int:
    value = settled(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError("integer", "must be a whole number")
    return value


def _flag(value: Value) -> bool:
    value = settled(value)
    if not isinstance(value, bool):
        raise PydanticCustomError("flag", "must be true or false")
    return value


def _duration(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("duration", "must be a duration, as 250ms, 10s or 1m30s")
    try:
        return durations.parse_duration(str(value))
    except ValueError as error:
        raise PydanticCustomError("duration", "{said}", {"said": str(error)}) from error


def _command(value: Value) -> Value:
    """A command in one string, split as a shell would, without a shell."""
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise PydanticCustomError("command", "{said}", {"said": str(error).lower()}) from error
    if not words:
        raise PydanticCustomError("command", "it is empty")
    return words


def _shape(value: Value) -> str:
    if isinstance(value, dict | BaseModel):
        return MAPPED
    return LISTED if isinstance(value, list) else TEXT


def _listed(value: Value) -> Value:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Replicas = Annotated[int, Field(ge=1, le=MAX_REPLICAS), BeforeValidator(_integer)]
HighWaterMark = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_integer)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1), BeforeValidator(_integer)]
Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": durations.PATTERN, "examples": ["250ms", "10s", "1m30s"]}),
]
Texts = Annotated[
    list[Text],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
OneOrMore = Annotated[
    Annotated[Text, Tag(TEXT)] | Annotated[list[Text], Tag(LISTED)],
    Discriminator(lambda value: LISTED if isinstance(value, list) else TEXT),
]
Uses = Annotated[
    Annotated[Text, Tag(TEXT)]
    | Annotated[list[Text], Tag(LISTED)]
    | Annotated[dict[str, OneOrMore], Tag(MAPPED)],
    Discriminator(_shape),
]
Command = Annotated[
    list[Text],
    Field(min_length=1),
    BeforeValidator(_command),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
Kind = Literal["push", "pull", "pub", "sub", "req", "rep", "router", "dealer"]
Codec = Literal["bytes", "text", "json", "msgpack"]


class Form(BaseModel):
    """Base of the forms: a key that a form does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


Endpoint = Annotated[
    Annotated[Text, Tag(TEXT)] | Annotated[EndpointForm, Tag(MAPPED)],
    Discriminator(lambda value: MAPPED if isinstance(value, dict | EndpointForm) else TEXT),
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
    ready_within: Duration | None = Field(
        default=None, description="Fails the run if not in place after so long"
    )
    stop_grace_period: Duration = Field(default=5.0, description="From SIGTERM to SIGKILL")


class PatternForm(Form):
    """One group of endpoints and nodes that run together."""

    description: Text = Field(default="", description="What the pattern does, in one line")
    codec: Codec = Field(default="json", description="The default codec of the endpoints")
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
    allow: Texts = Field(default=[], description="Codes of lint rules that this pattern breaks on purpose")


class FileForm(Form):
    """A topology: patterns of ZeroMQ nodes and the endpoints at which they meet."""

    version: Literal[1] = Field(description="Version of this format")
    patterns: dict[Name, PatternForm] = Field(min_length=1, description="Groups that run together, by name")


def level_of(path: tuple[str | int, ...]) -> tuple[str, type[Form] | None]:
    """What stands at a path, as a word, and its form: `("node", NodeForm)`; ("", None) below these."""
    if not path:
        return "file", FileForm
    if len(path) == 2 and path[0] == "patterns":
        return "pattern", PatternForm
    if len(path) == 4 and path[2] == "nodes":
        return "node", NodeForm
    if len(path) == 4 and path[2] == "endpoints":
        return "endpoint", EndpointForm
    return "", None
