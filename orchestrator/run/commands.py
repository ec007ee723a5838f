"""Commands: all that the coordinator can ask for, as values. The runner carries them out."""

from __future__ import annotations

from typing import Literal

import msgspec

from orchestrator.run.events import Known
from orchestrator.run.plan import Plan
from orchestrator.run.requests import Answer
from roles.kit.messages import Down
from roles.kit.spec import ProcessSpec

SignalName = Literal["SIGTERM", "SIGKILL", "SIGSTOP", "SIGCONT"]


class Command(msgspec.Struct, frozen=True, tag=True):
    """Base of all commands."""


class Launch(Command, frozen=True):
    """Start a process. `addresses` are those that a command is told, by endpoint; a role hears them by Connect.

    `spec` is given where it is not the plan's: of a process that joins in the middle of the run. Under CURVE, `nodes`
    tells a command by address whose key it is to ask for.
    """

    process: str
    incarnation: int = 0
    addresses: dict[str, tuple[str, ...]] = {}
    spec: ProcessSpec | None = None
    nodes: dict[str, str] = {}


class Tell(Command, frozen=True):
    """Say something to a process on the control channel."""

    process: str
    message: Down


class Signal(Command, frozen=True):
    """Send a signal to a process."""

    process: str
    signal: SignalName


class Publish(Command, frozen=True):
    """Make an event known to the observers."""

    event: Known


class Keep(Command, frozen=True):
    """Keep this plan as the run's own, for whoever must go on with the run."""

    plan: Plan


class Reply(Command, frozen=True):
    """Answer somebody at another terminal."""

    answer: Answer
