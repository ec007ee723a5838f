"""What somebody at another terminal can ask of a run that goes on, and the answers: values and their encoding.

A request has a ticket, the asker's own name for it: asked twice under one ticket, it is done once.
"""

from __future__ import annotations

import msgspec

from orchestrator.run.plan import Plan


class Request(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="asks"):
    """Base of all requests."""

    ticket: str


class Scale(Request, frozen=True, kw_only=True):
    """Run a node as so many processes; who is to go is drained first."""

    node: str
    replicas: int


class Restart(Request, frozen=True, kw_only=True):
    """Start a process, or all of a node, again; each is drained first."""

    target: str


class Become(Request, frozen=True, kw_only=True):
    """Run by another plan from now on; only what differs is touched."""

    plan: Plan


class Down(Request, frozen=True, kw_only=True):
    """Come to an end: the sources finish, the rest drains, the books are closed. `at_once`, nothing is waited for."""

    at_once: bool = False


class Look(Request, frozen=True, kw_only=True):
    """Tell how the processes are."""


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """One process as it is now. `since_s` is for how long it has been running, None where it does not.

    Counts are those of all its incarnations; None where its role counts none.
    """

    name: str
    node: str
    role: str
    state: str
    pid: int | None = None
    since_s: float | None = None
    incarnation: int = 0
    restarts: int = 0
    received: int | None = None
    sent: int | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request. `at_s` is the run's time; `processes` and `phase` answer a `Look`."""

    ticket: str
    done: bool
    text: str = ""
    at_s: float = 0.0
    phase: str = ""
    processes: tuple[ProcessState, ...] = ()


Known = Scale | Restart | Become | Down | Look

_requests = msgspec.json.Decoder(Known)
_answers = msgspec.json.Decoder(Answer)


def encode(value: Request | Answer) -> bytes:
    """One frame of JSON."""
    return msgspec.json.encode(value, enc_hook=str)


def decode_request(frame: bytes) -> Known:
    """The request in a frame; raises ValueError where it is none."""
    request: Known = _requests.decode(frame)
    return request


def decode_answer(frame: bytes) -> Answer:
    """The answer in a frame; raises ValueError where it is none."""
    answer: Answer = _answers.decode(frame)
    return answer
