"""The base of all roles, and the words in which a role declares its params."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from roles.kit.calls import load_function, takes_function
from roles.kit.control import Control
from roles.kit.ports import Port
from roles.kit.retry import Patience
from roles.kit.spec import Place, ProcessSpec

Duration = float
"""A param that is a duration, written with its unit (`250ms`, `1m30s`) and set in seconds."""

InputFile = str
"""A param that is the path of a file that must exist."""

InputFiles = str
"""A param that is a glob which must match at least one file."""

OutputFile = str
"""A param that is the path of a file to write."""

Retry: TypeAlias = Patience
"""A param that says when to ask again: `{timeout: 2.5s, attempts: 3}`, set as `{"timeout_s": 2.5, "attempts": 3}`."""


class Role:
    """What one process does. Declare ports and params in the class, and write `run`.

    Ports are class attributes (`tasks = Pull()`), params annotated ones (`rate: float | None = None`). `run`
    is called once every socket of the topology is in place; when it returns, this process has done its part.
    What it puts into `result` goes into the summary. `incarnation` counts how often its process was started again.
    """

    source: ClassVar[bool] = False

    def __init__(self, spec: ProcessSpec, place: Place, control: Control) -> None:
        self.spec = spec
        self.place = place
        self.control = control
        self.name = spec.name
        self.incarnation = 0
        self.result: dict[str, Any] | None = None
        for param, annotation in self.declared_params().items():
            value = spec.params.get(param)
            if value is not None:
                loaded = load_function(value, param=param) if takes_function(annotation) else value
                setattr(self, param, loaded)

    @functools.cached_property
    def folder(self) -> Path:
        """The topology's folder."""
        return Path(self.place.folder)

    @functools.cached_property
    def random(self) -> random.Random:
        """Chance that repeats itself with the seed.

        Replicas of a source share out one series, so they must draw the same one.
        """
        return random.Random(f"{self.place.seed}/{self.spec.node if self.source else self.spec.name}")

    def setup(self) -> None:
        """Get ready before any socket is opened; what is missing here ends the run before it begins."""

    def connected(self) -> None:
        """Called when the sockets are bound and connected, before the barrier. Most roles leave it alone."""

    def run(self) -> None:
        """Do the work; return at the end of the stream."""
        raise NotImplementedError(f"cannot run {type(self).__name__}: it has no method run")

    def close(self) -> None:
        """Called when the run is over, before the sockets are closed."""

    def pause(self, seconds: float) -> None:
        """Let time pass, but leave as soon as the role is to finish (raises `Finish`)."""
        self.control.pause(seconds)

    def path(self, value: str) -> Path:
        """A path as the topology means it: relative to the topology's folder."""
        return self.folder / Path(value).expanduser()

    def _note(self, what: str) -> Path:
        """Where this process notes for its next incarnations that something has happened; gone with the run."""
        return Path(self.place.sockets) / f"{what}-{self.name}"

    @classmethod
    def declared_ports(cls) -> dict[str, Port]:
        """The ports that the class and its bases declare, by name."""
        attributes: dict[str, Port] = {}
        for base in reversed(cls.__mro__):
            attributes |= {name: value for name, value in vars(base).items() if isinstance(value, Port)}
        return {port.name: port for port in attributes.values()}

    @classmethod
    def declared_params(cls) -> dict[str, str]:
        """The params that the class and its bases declare: their annotations as text, by name."""
        params: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            for name, annotation in getattr(base, "__annotations__", {}).items():
                text = annotation if isinstance(annotation, str) else str(annotation)
                if not name.startswith("_") and "ClassVar" not in text:
                    params[name] = text
        return params
