"""Drives the coordinator against the scripted world, in an order drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from orchestrator.engines.scripted import ScriptedWorld
from orchestrator.run import events
from orchestrator.run.commands import Command, Launch
from orchestrator.run.coordinator import Coordinator, Phase
from orchestrator.run.outline import run_started
from orchestrator.run.plan import Plan
from orchestrator.run.planner import make_plan
from orchestrator.run.recall import plan_of_the_past
from orchestrator.sources import SourceFinder
from orchestrator.topology.check import check

E = TypeVar("E")
LONGEST_STEPS = 20_000


def plan_of(text: str, pattern: str = "p") -> Plan:
    checked = check(text, environment={}, read_source=SourceFinder(Path()).read)
    return make_plan(checked, pattern, file="t.yaml")


@dataclass
class Drive:
    """One run, event by event. `kill_at` is the number of the step before which somebody is killed.

    The coordinator dies, once, with what it has told and nobody has heard yet, after a command that it `dies_after`.
    """

    plan: Plan
    seed: int
    messages_each: int = 6
    kill: str | None = None
    kill_at: int = 0
    serves: bool = False
    at_step: dict[int, Callable[[Drive], None]] = field(default_factory=dict)
    dies_after: Callable[[Command], bool] | None = None
    now_s: float = 0.0
    seen: list[events.Event] = field(default_factory=list)
    world_of: Callable[..., ScriptedWorld] = ScriptedWorld

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.world = self.world_of(self.plan, messages_each=self.messages_each)
        outline = run_started(self.plan, run_id="r", engine="scripted", seed=self.seed, started_at="")
        self.coordinator = Coordinator(self.plan, outline, sockets="/s", serves=self.serves)
        self.killed_s: float | None = None
        self.launches: list[Launch] = []

    def feed(self, *happened: events.Event) -> None:
        for event in happened:
            self.seen.append(event)
            for command in self.coordinator.handle(event):
                if isinstance(command, Launch):
                    self.launches.append(command)
                self.world.obey(command)
                if self.dies_after is not None and self.dies_after(command):
                    self.dies_after = None
                    self.take_over()
                    return

    def run(self) -> events.RunEnded:
        self.feed(events.Began(at_s=0.0))
        for step in range(LONGEST_STEPS):
            if self.coordinator.phase is Phase.OVER:
                break
            if step == self.kill_at and self.kill is not None:
                if not self.world.processes[self.kill].alive:
                    self.kill_at += 1
                else:
                    self.killed_s = self.now_s
                    self.feed(*self.world.kill(self.kill, self.now_s))
            if step in self.at_step:
                self.at_step[step](self)
            self.go_on()
        assert self.coordinator.phase is Phase.OVER, f"seed {self.seed}: never ended; {self.state()}"
        return next(event for event in self.published(events.RunEnded))

    def lose_coordinator(self, steps: int) -> None:
        """The coordinator dies, half of what it decided done; so many steps happen unseen; another takes over."""
        possible = [(name, happen) for name, happen in self.world.possible() if not self.is_starting(name)]
        event: events.Event = self.world.read(self.now_s)
        if possible and self.random.random() < 0.5:
            (event, *_) = [*self.random.choice(possible)[1](self.now_s), event]
        commands = self.coordinator.handle(event)
        for command in commands[: self.random.randrange(len(commands) + 1)]:
            self.world.obey(command)
        for _ in range(steps):
            possible = [
                (name, happen) for name, happen in self.world.possible() if not self.is_starting(name)
            ]
            if possible:
                self.now_s += 0.0001
                self.random.choice(possible)[1](self.now_s)
        self.take_over()

    def take_over(self) -> None:
        """The coordinator is gone, and another one comes."""
        self.world.lose_coordinator()
        past = [event for event in self.world.published if not isinstance(event, events.Progress)]
        plan = plan_of_the_past(self.plan, past)
        self.coordinator = Coordinator(plan, past[0], sockets="/s", serves=self.serves)
        commands = self.coordinator.resume(past, at_s=self.now_s, pid=2)
        running = [(member.name, member.incarnation) for member in self.coordinator.running()]
        for command in commands:
            self.world.obey(command)
        for name, incarnation in running:
            assert self.world.processes[name].incarnation == incarnation, f"seed {self.seed}: {name}"
            self.feed(*self.world.meet_coordinator(name, self.now_s))

    def is_starting(self, name: str) -> bool:
        return self.world.processes[name].step == "starting"

    def go_on(self) -> None:
        possible = self.world.possible()
        if not possible or self.random.random() < 0.2:
            self.now_s += self.random.choice((0.001, 0.02, 0.1))
            self.feed(self.world.read(self.now_s))
            return
        self.now_s += 0.0001
        _, happen = self.random.choice(possible)
        self.feed(*happen(self.now_s))

    def launches_of(self, name: str) -> int:
        return sum(event.process == name for event in self.published(events.ProcessLaunched))

    def published(self, kind: type[E]) -> list[E]:
        return [event for event in self.world.published if isinstance(event, kind)]

    def state(self) -> str:
        steps = {name: (p.step, p.state.name, p.port) for name, p in self.world.processes.items()}
        return f"{self.coordinator.phase.name} at {self.now_s:.2f} s: {steps}"
