"""Which port of which node meets which endpoint: the file's `bind` and `connect` resolved against the roles' ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PortShape:
    """A port as a role declares it; `kind` is the socket kind in capitals. An optional port may stay unconnected."""

    kind: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamShape:
    """A parameter as a role declares it: its annotation as source text, and whether it has a default."""

    annotation: str = "Any"
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleShape:
    """What a role's source says of it: its ports and params in their order.

    `family` is the built-in role that it is or derives from (`worker`), empty where there is none. A `source` begins
    streams even where it also receives.
    """

    ports: dict[str, PortShape] = field(default_factory=dict)
    params: dict[str, ParamShape] = field(default_factory=dict)
    family: str = ""
    source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One use of an endpoint by a node. `port` and `kind` are empty for a command or an external."""

    node: str
    port: str
    kind: str
    endpoint: str
    mode: Literal["bind", "connect"]
