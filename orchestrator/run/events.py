"""Events: all that happens in a run, as values that carry their time.

Two kinds. What *reaches* the coordinator comes from the engine, the control channel, the slots, the clock and
the user. What it *makes known* goes to the observers, and the journal (`events.jsonl`) is nothing but these,
so a summary can be rebuilt from it. `at_s` counts seconds from the run's start.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orchestrator.run.outlines import (
    ExpectationOutline,
    FaultOutline,
    LinkOutline,
    ProcessOutline,
    StageOutline,
)
from orchestrator.run.plan import Plan
from orchestrator.run.requests import Known as Request
from roles.kit.messages import Up
from roles.kit.slot import Count, Reading


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="event"):
    """Base of all events."""

    at_s: float


# What reaches the coordinator.


class Began(Event, frozen=True, kw_only=True):
    """The run begins."""


class Launched(Event, frozen=True, kw_only=True):
    """The engine has started a process."""

    process: str
    pid: int
    incarnation: int = 0


class LaunchFailed(Event, frozen=True, kw_only=True):
    """The engine could not start a process."""

    process: str
    text: str


class Heard(Event, frozen=True, kw_only=True):
    """A process said something on the control channel."""

    process: str
    message: Up
    incarnation: int = 0


class Exited(Event, frozen=True, kw_only=True):
    """A process is no more. `signal` is its name (`SIGKILL`) where one ended it; `reading` is its slot's last word."""

    process: str
    exit_code: int | None
    signal: str | None = None
    reading: Reading = Reading()
    incarnation: int = 0


class Read(Event, frozen=True, kw_only=True):
    """The slots of all live processes, read one after another.

    `stopped` are those that a signal has stopped; null where nobody has looked. `awake` are those of the doubted that
    have work, as the kernel says.
    """

    readings: dict[str, Reading]
    stopped: frozenset[str] | None = None
    awake: frozenset[str] = frozenset()


class Interrupted(Event, frozen=True, kw_only=True):
    """The user asks to end: `SIGINT` or `SIGTERM`; the second time means at once."""

    signal: str


class Asked(Event, frozen=True, kw_only=True):
    """Somebody at another terminal asks for something."""

    request: Request


class TimedOut(Event, frozen=True, kw_only=True):
    """The run has taken longer than `--timeout` allows."""

    timeout_s: float


class Tick(Event, frozen=True, kw_only=True):
    """Time has passed."""


# What the coordinator makes known.


class RunStarted(Event, frozen=True, kw_only=True):
    """What is about to run. `started_at` is wall-clock time in UTC, RFC 3339."""

    run_id: str
    topology: str
    pattern: str
    description: str
    engine: str
    seed: int
    started_at: str
    stages: tuple[StageOutline, ...]
    processes: tuple[ProcessOutline, ...]
    links: tuple[LinkOutline, ...]
    expectations: tuple[ExpectationOutline, ...] = ()
    faults: tuple[FaultOutline, ...] = ()


class ProcessAdded(Event, frozen=True, kw_only=True):
    """A process that was not there from the beginning is about to join the run."""

    outline: ProcessOutline


class FaultFired(Event, frozen=True, kw_only=True):
    """Something was broken on purpose; `text` says what was done, to whom and why then.

    `fault` is its place in the run's `faults`, counted from 0.
    """

    fault: int
    text: str
    processes: tuple[str, ...]
    line: int | None = None


class ProcessLaunched(Event, frozen=True, kw_only=True):
    """A process runs."""

    process: str
    pid: int
    incarnation: int = 0


class AddressesKnown(Event, frozen=True, kw_only=True):
    """All addresses of an endpoint are bound."""

    endpoint: str
    addresses: tuple[str, ...]


class ProcessBound(Event, frozen=True, kw_only=True):
    """A process listens at these addresses, by endpoint."""

    process: str
    addresses: dict[str, str]
    incarnation: int = 0


class ProcessBegan(Event, frozen=True, kw_only=True):
    """A process was told to begin."""

    process: str
    incarnation: int = 0


class ProcessReady(Event, frozen=True, kw_only=True):
    """All connections of a process are in place, seen from its side."""

    process: str
    pid: int


class RunReady(Event, frozen=True, kw_only=True):
    """Every socket is in place and Go is sent; `connections` counts them."""

    connections: int


class RunDraining(Event, frozen=True, kw_only=True):
    """The sources are asked to finish and the rest drains. `why` is a signal's name, `duration` or `failure`."""

    why: str


class Progress(Event, frozen=True, kw_only=True):
    """How far the run is: a reading of every live process. Not kept in the journal."""

    readings: dict[str, Reading]


class ProcessFinished(Event, frozen=True, kw_only=True):
    """A role has done its part; it holds its sockets until the run is over."""

    process: str
    pid: int
    result: dict[str, Any] | None = None
    latencies: dict[int, int] = {}
    incarnation: int = 0


class ProcessFailed(Event, frozen=True, kw_only=True):
    """A role raised or could not be set up; `item` is what it was handling."""

    process: str
    pid: int
    text: str
    traceback: str = ""
    item: str = ""


class ProcessStopped(Event, frozen=True, kw_only=True):
    """A signal has stopped a process that no fault of the file has paused; SIGCONT would let it go on."""

    process: str
    pid: int
    incarnation: int = 0


class ProcessContinued(Event, frozen=True, kw_only=True):
    """A process that was stopped goes on."""

    process: str
    pid: int
    incarnation: int = 0


class ProcessHung(Event, frozen=True, kw_only=True):
    """A process has been at one item for longer than its `task_timeout`, and is about to be killed; `text` tells it."""

    process: str
    pid: int
    incarnation: int
    text: str


class RestartPlanned(Event, frozen=True, kw_only=True):
    """A process that has ended, or is about to, will be started again, `delay_s` after that.

    It is `asked_for` where no policy wants it.
    """

    process: str
    delay_s: float
    asked_for: bool = False


class RunChanged(Event, frozen=True, kw_only=True):
    """The run is to become another while it goes on. `outline` is what it then is; `changes` say it in words.

    `coming` join it, `leaving` leave it, `again` are started again; the latter two are drained first. `plan` is what
    it goes by from now on, `before` what it went by until now. `ticket` names who has asked for it.
    """

    changes: tuple[str, ...]
    outline: RunStarted
    plan: Plan
    before: Plan
    ticket: str = ""
    coming: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


class ChangeEnded(Event, frozen=True, kw_only=True):
    """The last change is done, or has come to nothing, and all goes by `plan`, which then is the one before."""

    text: str
    done: bool = True
    plan: Plan | None = None
    ticket: str = ""


class RunResumed(Event, frozen=True, kw_only=True):
    """The coordinator was gone, and another has taken over."""

    pid: int


class BookClosed(Event, frozen=True, kw_only=True):
    """Nothing more will be counted. Null where it cannot be known; `lost` and `unread` share what was not received."""

    book: str
    replies: bool
    sent: int | None
    received: int | None
    lost: int | None
    unread: int | None
    foreign: int = 0
    duplicates: int | None = None
    redelivered: int | None = None


class ProcessEnded(Event, frozen=True, kw_only=True):
    """One incarnation of a process is no more, and why. `failed` and `killed` are failures unless they are expected."""

    process: str
    pid: int | None
    incarnation: int
    outcome: Literal["finished", "stopped", "failed", "killed", "not_started"]
    exit_code: int | None
    signal: str | None
    busy_s: float | None
    cpu_s: float | None
    max_rss_bytes: int | None
    ports: dict[str, Count]
    unlogged_bytes: int = 0


class ProblemFound(Event, frozen=True, kw_only=True):
    """A reason for the run to fail.

    `kind` is one of `killed`, `hung`, `failed`, `exit`, `restarts`, `restarted`, `lost`, `quarantined`, `gaps`,
    `stalled`, `not_ready`, `setup`, `bind`, `launch`, `fault`, `log` and `timeout`. `line` is the topology's line where
    there is one. What is `expected` is told and fails nothing: a line under `expect` speaks of it.
    """

    kind: str
    text: str
    process: str | None = None
    endpoint: str | None = None
    code: str = ""
    line: int | None = None
    expected: bool = False


class RunEnded(Event, frozen=True, kw_only=True):
    """The last event of a run; its verdict leaves out the expectations, which are judged afterwards.

    `work_s` is the span from Go to the last book closed, null where Go never came.
    """

    verdict: Literal["passed", "failed", "interrupted"]
    exit_code: int
    work_s: float | None


Known = (
    RunStarted
    | ProcessAdded
    | FaultFired
    | ProcessLaunched
    | AddressesKnown
    | ProcessBound
    | ProcessReady
    | ProcessBegan
    | RunReady
    | RunDraining
    | Progress
    | ProcessFinished
    | ProcessFailed
    | ProcessStopped
    | ProcessContinued
    | ProcessHung
    | RestartPlanned
    | RunChanged
    | ChangeEnded
    | RunResumed
    | BookClosed
    | ProcessEnded
    | ProblemFound
    | RunEnded
)
"""Every event that observers see."""
