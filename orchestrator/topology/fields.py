"""The types of the file's keys: what each takes, how it is checked, and what the JSON Schema says of it.

Errors are told in our words by `wording`.
"""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestrator.topology import durations, sizes
from orchestrator.topology.model import Policy
from orchestrator.topology.scalars import ScalarError, Value, resolve
from orchestrator.topology.tree import Expanded
from roles.kit.spec import LONGEST_BACKOFF_S

TEXT, LISTED, MAPPED = "<text>", "<list>", "<mapping>"
TAGS = frozenset({TEXT, LISTED, MAPPED})
"""Names of the forms that a value may take; they stand in pydantic's paths and not in the file."""

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
MAX_REPLICAS = 10_000
MAX_BATCH = 1_000_000
MAX_WINDOW = 1_000_000
MAX_MESSAGE_SIZE_BYTES = 1024**4

POLICIES: tuple[str, ...] = get_args(Policy)


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


def _size(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("size", "must be a size, as 512KiB or 64MiB")
    try:
        return sizes.parse_size(str(value))
    except ValueError as error:
        raise PydanticCustomError("size", "{said}", {"said": str(error)}) from error


def _policy(value: Value) -> Value:
    """A restart policy. An unquoted `no` is false to YAML, and it means what it says all the same."""
    value = settled(value)
    if value is False:
        return "no"
    if value not in POLICIES:
        raise PydanticCustomError("policy", "must be a policy")
    return value


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
BatchSize = Annotated[int, Field(ge=1, le=MAX_BATCH), BeforeValidator(_integer)]
Window = Annotated[int, Field(ge=1, le=MAX_WINDOW), BeforeValidator(_integer)]
HighWaterMark = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_integer)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1), BeforeValidator(_integer)]
Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": durations.PATTERN, "examples": ["250ms", "10s", "1m30s"]}),
]
MessageSize = Annotated[
    int,
    Field(ge=1, le=MAX_MESSAGE_SIZE_BYTES),
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "pattern": sizes.PATTERN, "examples": ["512KiB", "64MiB", "1GiB"]}),
]
LastingDuration = Annotated[Duration, Field(gt=0, json_schema_extra={"not": {"pattern": "^[^1-9]*$"}})]
Backoff = Annotated[Duration, Field(le=LONGEST_BACKOFF_S)]
RestartPolicy = Annotated[Policy, BeforeValidator(_policy), WithJsonSchema({"enum": [*POLICIES, False]})]
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
Count = Annotated[int, Field(ge=1, le=2**63 - 1), BeforeValidator(_integer)]
_PLAIN = {"type": ["number", "boolean", "string"]}
Condition = Annotated[
    Any, WithJsonSchema({"anyOf": [_PLAIN, {"type": "array", "items": _PLAIN, "minItems": 1}]})
]
Kind = Literal["push", "pull", "pub", "sub", "req", "rep", "router", "dealer"]
