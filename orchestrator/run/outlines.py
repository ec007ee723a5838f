"""A run as its observers know it before anything has happened: values. `outline` makes them of a plan."""

from __future__ import annotations

import msgspec


class ProcessOutline(msgspec.Struct, frozen=True, kw_only=True):
    """A process as the observers know it; `role` is `command` or `external` where it runs none of ours.

    `ports` maps each of its ports to its socket kind, which tells a counter that stayed at 0 from one that
    there is none of. So do `sequenced`, the ports that look at numbers, and `retries` of a client.
    """

    name: str
    node: str
    role: str
    family: str = ""
    replica: int = 1
    stage: int = 1
    receives: bool = False
    sends: bool = False
    ports: dict[str, str] = {}
    sequenced: tuple[str, ...] = ()
    retries: bool = False


class StageOutline(msgspec.Struct, frozen=True, kw_only=True):
    """A stage as it is shown: per node its name, replicas and what it does, as `binds tasks`."""

    nodes: tuple[tuple[str, int, str], ...]
    why: str = ""


class LinkOutline(msgspec.Struct, frozen=True, kw_only=True):
    """A link before it has carried anything; `book` names the book that counts it."""

    endpoint: str
    kind: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    book: str


class ExpectationOutline(msgspec.Struct, frozen=True, kw_only=True):
    """What must be true of the run; a `default` always must, and was not written."""

    path: str
    condition: str
    line: int | None = None
    default: bool = False


class FaultOutline(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be broken on purpose, as a reader is told it."""

    text: str
    line: int | None = None
