"""What an engine is: it starts, signals and reaps processes. All else is the run protocol's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.run.events import Event
from roles.kit.spec import Place, ProcessSpec

Clock = Callable[[], float]
"""Seconds since the run's start."""


class EngineError(Exception):
    """The engine or the machine cannot run this; told to the user as it is, exit code 3."""

    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that an earlier orchestrator has started."""

    spec: ProcessSpec
    pid: int
    incarnation: int


class Engine(Protocol):
    """Runs processes. Commands go in by name; all news comes out of `poll`."""

    def open(self, place: Place, specs: Sequence[ProcessSpec]) -> None:
        """Get ready to run these, and perhaps more of their nodes; raises EngineError where the machine cannot."""
        ...

    def adopt(self, running: Mapping[str, Running]) -> None:
        """Look after processes that an earlier orchestrator of this run has started, and end all others of it.

        `Exited` follows for those that are no more.
        """
        ...

    def start(self, spec: ProcessSpec, *, incarnation: int) -> None:
        """Start a process. `Launched` or `LaunchFailed` follows."""
        ...

    def signal(self, process: str, name: str) -> None:
        """Send a signal by its name; a process that is no more is passed over."""
        ...

    def fileno(self) -> int:
        """A descriptor that can be read while a process's end awaits `poll`."""
        ...

    def poll(self) -> list[Event]:
        """What has happened since: `Launched`, `LaunchFailed`, `Exited` (its reading is the runner's to add)."""
        ...

    def close(self) -> None:
        """End whatever still runs, and forget it."""
        ...


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine by name, and how it is made for one run."""

    name: str
    make: Callable[[Clock], Engine]
