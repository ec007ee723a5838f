"""What the coordinator knows of one process: how far it has come, what its slot says, how it ended."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from orchestrator.run.events import Exited
from roles.kit.messages import Bound, Connect, Failed, Finished, Go, Held, Hello, Message, Ready, Up
from roles.kit.slot import Count, Reading, State, added
from roles.kit.spec import ProcessSpec

_WAITING = (State.RECEIVING, State.SENDING)


class Step(enum.IntEnum):
    """How far a process has come. Steps only go up; a process that ends does so from any of them."""

    PLANNED = 0
    LAUNCHING = 1
    LAUNCHED = 2
    GREETED = 3
    BOUND = 4
    CONNECTING = 5
    READY = 6
    WORKING = 7
    DONE = 8
    ENDED = 9


NEXT: dict[type[Message], tuple[Step, Step]] = {
    Hello: (Step.LAUNCHED, Step.GREETED),
    Bound: (Step.GREETED, Step.BOUND),
    Connect: (Step.BOUND, Step.CONNECTING),
    Ready: (Step.CONNECTING, Step.READY),
    Go: (Step.CONNECTING, Step.WORKING),
    Finished: (Step.WORKING, Step.DONE),
}
"""For each message the step from which on it counts, and the step to which it leads. What comes early is ignored."""


@dataclass(slots=True, eq=False)
class Member:
    """One process as the coordinator knows it. Times are seconds since the run's start."""

    spec: ProcessSpec
    step: Step = Step.PLANNED
    pid: int | None = None
    incarnation: int = 0
    reading: Reading = field(default_factory=Reading)
    changed_s: float = 0.0
    """When its slot last said something else."""

    counted_s: float = 0.0
    """When a counter in its slot did."""

    waited_s: float = 0.0
    """When it last said that it waits."""

    finished: bool = False
    failed: Failed | None = None
    exited: Exited | None = None
    finish_told: bool = False
    stop_told_s: float | None = None
    signals_sent: list[str] = field(default_factory=list)
    ends_told: set[str] = field(default_factory=set)
    joins: bool = False
    """It comes, or comes again, while the run goes on, outside stages and barrier."""

    paused: bool = False
    """By a fault: it either `resumes` or stands still for good."""

    resumes: bool = False
    doomed: bool = False
    """It has been sent a SIGKILL."""

    awaited_back: bool = False
    """It was ended in order to be started again after `away_s`."""

    away_s: float = 0.0
    called_off: bool = False
    """It will never be started."""

    launched_s: float | None = None
    """It runs since then."""

    in_place_s: float | None = None
    """Its sockets are in place since then."""

    held: dict[str, Held] = field(default_factory=dict)
    """The ports at which it has said that it sends nothing, as it said so last."""

    leaving: bool = False
    """It is on its way out of a run that goes on, unless it then `returns`."""

    returns: bool = False
    back_after_s: float | None = None
    """It died as it was leaving, and would have come back after so long."""

    drained: bool = False
    """Nothing was under way to it as it left."""

    broke_off: bool = False
    """An earlier incarnation did: what that held is gone."""

    stopped: bool = False
    """By somebody else's signal."""

    hung: str = ""
    """At what it was when it was killed for its `task_timeout`."""

    past: dict[str, Count] = field(default_factory=dict)
    """The counters of earlier incarnations, added up."""

    def begin_again(self) -> None:
        """Become the next incarnation, about to be launched; what the last one counted stays in the books."""
        for port, count in self.reading.ports.items():
            self.past[port] = added(self.past.get(port, Count()), count)
        self.broke_off = self.broke_off or (self.in_place_s is not None and not self.drained)
        self.incarnation += 1
        self.step, self.pid, self.reading = Step.PLANNED, None, Reading()
        self.failed = self.exited = self.stop_told_s = None
        self.finished = self.finish_told = self.paused = self.resumes = False
        self.doomed = self.awaited_back = self.called_off = self.stopped = False
        self.hung = ""
        self.leaving = self.returns = self.drained = False
        self.launched_s = self.in_place_s = self.back_after_s = None
        self.held = {}
        self.signals_sent, self.ends_told, self.joins = [], set(), True

    def heard(self, message: Up) -> bool:
        """Take the step that a message stands for; False where it comes out of order and counts for nothing."""
        needed, then = NEXT[type(message)]
        told_before_go = isinstance(message, Finished) and self.finish_told and self.step < needed
        if self.step is not needed and not told_before_go:
            return False
        self.step = then
        return True

    @property
    def name(self) -> str:
        """The process's name."""
        return self.spec.name

    @property
    def over(self) -> bool:
        """It runs no more."""
        return self.step is Step.ENDED

    @property
    def has_bound(self) -> bool:
        """Its present incarnation listens where it binds; of a command that runs, this is taken for granted."""
        return self.step >= (Step.BOUND if self.spec.is_role else Step.LAUNCHED) and not self.over

    @property
    def part_is_done(self) -> bool:
        """Its present incarnation will neither send nor receive again."""
        return self.step >= Step.DONE or self.failed is not None or self.called_off

    @property
    def quiet(self) -> bool:
        """It will neither send nor receive again, nor will a later incarnation of it."""
        return self.called_off or (self.part_is_done and not self.awaited_back and not self.returns)

    @property
    def lost_its_way(self) -> bool:
        """It failed, or ended before its part was done: what it held is gone."""
        if self.failed is not None:
            return True
        ended_by_signal = self.exited is not None and self.exited.signal is not None
        cut_down = ended_by_signal and self.spec.is_role and not self.finished
        return self.over and (cut_down or (self.stop_told_s is None and not self.left_well))

    @property
    def has_lost_its_way(self) -> bool:
        """It has lost its way, or one of its earlier incarnations had."""
        return self.lost_its_way or self.broke_off

    @property
    def left_well(self) -> bool:
        """It ended by itself, its part done."""
        clean = self.exited is not None and self.exited.exit_code == 0 and self.exited.signal is None
        return clean and (self.finished or not self.spec.is_role)

    @property
    def ended_by_us(self) -> bool:
        """A signal that we sent has ended it."""
        return self.exited is not None and self.exited.signal in self.signals_sent

    @property
    def stopped_well(self) -> bool:
        """It left because it was told to. A command may answer SIGTERM with an exit code of its own."""
        exited = self.exited
        if exited is None or exited.signal is not None or self.stop_told_s is None:
            return False
        return exited.exit_code == 0 or bool(self.spec.command)

    @property
    def waits(self) -> bool:
        """It waits for a message to come, or for one to go; or it stands still and nobody is known to let it go on."""
        if self.paused:
            return not self.resumes
        return self.stopped or self.reading.state in _WAITING

    def receives_at(self, port: str) -> bool:
        """It waits for a message at this very port."""
        waits_here = self.reading.state is State.RECEIVING and self.reading.port == port
        return waits_here and not self.stopped and not (self.paused and self.resumes)

    def sends_at(self, port: str) -> bool:
        """It waits for room for a message at this very port."""
        waits_here = self.reading.state is State.SENDING and self.reading.port == port
        return waits_here and not self.stopped and not self.paused

    @property
    def asks_again(self) -> bool:
        """It is a client that sends a request anew when no reply comes in time."""
        return self.spec.family == "client" and bool(self.spec.params.get("retry"))

    @property
    def was_restarted(self) -> bool:
        """This is not its first incarnation."""
        return self.incarnation > 0

    def count(self, port: str) -> Count:
        """The counters of one of its ports, over all incarnations; its peers are those of the present one."""
        now = self.reading.ports.get(port) or Count()
        return added(self.past[port], now) if port in self.past else now
