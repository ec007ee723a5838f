"""One process of the scripted world: how far it has come, what it has counted, what it has been told."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.run import events
from roles.kit import messages
from roles.kit.slot import Count, Reading, State
from roles.kit.spec import ProcessSpec


@dataclass(slots=True)
class Scripted:
    """One process that follows the script of all roles: take, handle, pass on."""

    spec: ProcessSpec
    left_to_send: int
    step: str = "planned"
    inbox: list[messages.Down] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    askers: list[str] = field(default_factory=list)
    in_hand: str = ""
    awaits_reply: bool = False
    state: State = State.STARTING
    port: str = ""
    finishing: bool = False
    incarnation: int = 0
    stopped: bool = False
    hangs: bool = False
    busy_s: float = 0.0
    past: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    unaware_of: set[str] = field(default_factory=set)
    said: list[messages.Up] = field(default_factory=list)
    exited: events.Exited | None = None

    def begin_again(self, incarnation: int) -> None:
        """Be the next incarnation; what was on its way to the last one is gone with it."""
        for way, counts in (("sent", self.sent), ("received", self.received)):
            for port, count in counts.items():
                self.past[f"{way} {port}"] = self.past.get(f"{way} {port}", 0) + count
        self.incarnation, self.step, self.in_hand = incarnation, "planned", ""
        self.inbox, self.sent, self.received, self.waiting, self.ended = [], {}, {}, {}, set()
        self.askers, self.awaits_reply, self.finishing = [], False, False
        self.stopped, self.hangs, self.busy_s = False, False, 0.0
        self.state, self.port = State.STARTING, ""
        self.held, self.unaware_of, self.said, self.exited = {}, set(), [], None

    def total(self, way: str, port: str) -> int:
        """What all incarnations have `sent` or `received` at a port."""
        now = self.sent if way == "sent" else self.received
        return self.past.get(f"{way} {port}", 0) + now.get(port, 0)

    @property
    def alive(self) -> bool:
        """It has been launched and not ended."""
        return self.step not in ("planned", "gone")


def reading(process: Scripted) -> Reading:
    """What the process's slot would say."""
    ports = {
        port.name: Count(sent=process.sent.get(port.name, 0), received=process.received.get(port.name, 0))
        for port in process.spec.ports
    }
    return Reading(state=process.state, port=process.port, busy_s=process.busy_s, ports=ports)
