"""The scripted world with acknowledged delivery: tasks have names here, and are given until their results are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from orchestrator.engines.scripted import QUEUE, ScriptedWorld
from orchestrator.engines.scripted_process import Scripted
from orchestrator.run import events
from orchestrator.run.plan import Plan
from roles.kit import messages
from roles.kit.slot import Count, Reading, State

Happen = Callable[[float], list[events.Event]]
Task = tuple[str, int]
Holder = tuple[str, int]
"""A worker and its incarnation."""


@dataclass
class Source:
    """What a source's journal holds, and what it has in mind of the tasks that are not over."""

    total: int
    given: int = 0
    acked: set[int] = field(default_factory=set)
    holders: dict[int, Holder | None] = field(default_factory=dict)
    again: int = 0


@dataclass
class Keeper:
    """What a sink has written down."""

    kept: list[Task] = field(default_factory=list)
    duplicates: int = 0


class DeliveryWorld(ScriptedWorld):
    """One endpoint of tasks, workers, one sink. `queues` are what is on its way to each process."""

    def __init__(self, plan: Plan, *, messages_each: int) -> None:
        super().__init__(plan, messages_each=messages_each)
        self.messages_each = messages_each
        self.sources: dict[str, Source] = {}
        self.keepers: dict[str, Keeper] = {}
        self.queues: dict[str, list[Task]] = {}

    def _part(self, process: Scripted) -> str:
        parts = [port.delivery for port in process.spec.ports]
        return "take" if "take" in parts else parts[0]

    def _queue(self, process: Scripted) -> list[Task]:
        return self.queues.setdefault(process.spec.name, [])

    def _source(self, name: str) -> Source:
        return self.sources.setdefault(name, Source(self.messages_each))

    def _work(self, process: Scripted) -> Happen | None:
        part = self._part(process)
        if part == "give":
            return self._give(process)
        return self._take_task(process) if part == "take" else self._keep(process)

    def _give(self, process: Scripted) -> Happen | None:
        source = self._source(process.spec.name)
        lost = [
            task for task, holder in source.holders.items() if not self._is_somewhere(process, task, holder)
        ]
        workers = [
            other
            for other in self.processes.values()
            if self._part(other) == "take"
            and other.step == "working"
            and len(self._queue(other)) < QUEUE
            and process.spec.name not in other.unaware_of
        ]
        has_new = source.given < source.total and not process.finishing and "tasks" not in process.held
        if workers and (lost or has_new):
            return lambda _: self._give_to(process, source, workers, lost)
        if not source.holders and (process.finishing or source.given >= source.total):
            return lambda at_s: self._finish(process, at_s)
        process.state, process.port = State.SENDING, "tasks"
        return None

    def _is_somewhere(self, process: Scripted, task: int, holder: Holder | None) -> bool:
        """Whether the task is with the worker that it was given to, or its result on the way; what a mark would tell."""
        if holder is None:
            return False
        worker = self.processes[holder[0]]
        sinks = [other for other in self.processes.values() if self._part(other) == "keep"]
        if any((process.spec.name, task) in self._queue(sink) for sink in sinks):
            return True
        here = (process.spec.name, task) in [*self._queue(worker), *worker.askers]
        if worker.incarnation == holder[1] and worker.alive:
            return here or not any(sink.step == "working" for sink in sinks)
        return True  # the source does not know, until it is told

    def _give_to(
        self, process: Scripted, source: Source, workers: list[Scripted], lost: list[int]
    ) -> list[events.Event]:
        self._turn += 1
        worker = workers[self._turn % len(workers)]
        if lost:
            task = lost[0]
            source.again += 1
        else:
            source.given += 1
            task = source.given
        source.holders[task] = worker.spec.name, worker.incarnation
        self._queue(worker).append((process.spec.name, task))
        process.state = State.RUNNING
        return []

    def _take_task(self, process: Scripted) -> Happen | None:
        if process.in_hand:
            return lambda _: self._pass_on(process)
        if self._queue(process):
            return lambda _: self._take_one(process)
        if "tasks" in process.ended or process.finishing:
            return lambda at_s: self._finish(process, at_s)
        process.state, process.port = State.RECEIVING, "tasks"
        return None

    def _take_one(self, process: Scripted) -> list[events.Event]:
        process.state, process.in_hand = State.RUNNING, "tasks"
        process.askers = [self._queue(process).pop(0)]  # type: ignore[list-item]
        return []

    def _pass_on(self, process: Scripted) -> list[events.Event]:
        sinks = [other for other in self.processes.values() if self._part(other) == "keep"]
        sinks = [sink for sink in sinks if sink.step == "working" and len(self._queue(sink)) < QUEUE]
        if not sinks or "results" in process.held:
            process.state, process.port = State.SENDING, "results"
            return []
        (task,) = process.askers
        self._queue(sinks[0]).append(task)  # type: ignore[arg-type]
        process.sent["results"] = process.sent.get("results", 0) + 1
        process.received["tasks"] = process.received.get("tasks", 0) + 1
        process.in_hand, process.askers, process.state = "", [], State.RUNNING
        return []

    def _keep(self, process: Scripted) -> Happen | None:
        if self._queue(process):
            return lambda _: self._keep_one(process)
        if "results" in process.ended:
            return lambda at_s: self._finish(process, at_s)
        process.state, process.port = State.RECEIVING, "results"
        return None

    def _keep_one(self, process: Scripted) -> list[events.Event]:
        keeper = self.keepers.setdefault(process.spec.name, Keeper())
        name, task = self._queue(process).pop(0)
        if (name, task) in keeper.kept:
            keeper.duplicates += 1
        else:
            keeper.kept.append((name, task))
        if self.processes[name].alive:
            self._source(name).acked.add(task)
            self._source(name).holders.pop(task, None)
        process.state = State.RUNNING
        return []

    def _hear(self, process: Scripted, at_s: float) -> list[events.Event]:
        if isinstance(process.inbox[0], messages.Gone):
            gone = process.inbox.pop(0)
            if gone.finished:
                return []
            source = self._source(process.spec.name)
            for task, holder in source.holders.items():
                if holder == (gone.process, gone.incarnation):
                    source.holders[task] = None
            return []
        return super()._hear(process, at_s)

    def _exit(
        self, process: Scripted, at_s: float, exit_code: int | None, signal: str | None
    ) -> list[events.Event]:
        exited = super()._exit(process, at_s, exit_code, signal)
        self._queue(process).clear()
        if self._part(process) == "give":
            source = self._source(process.spec.name)
            source.holders = dict.fromkeys(source.holders)
        return [self._with_reading(process, one) for one in exited]

    def meet_coordinator(self, name: str, at_s: float) -> list[events.Event]:
        return [self._with_reading(self.processes[name], one) for one in super().meet_coordinator(name, at_s)]

    def _with_reading(self, process: Scripted, event: events.Event) -> events.Event:
        if not isinstance(event, events.Exited):
            return event
        return msgspec.structs.replace(event, reading=self._reading(process))

    def read(self, at_s: float) -> events.Read:
        alive = {name: self._reading(process) for name, process in self.processes.items() if process.alive}
        return events.Read(at_s=at_s, readings=alive)

    def _reading(self, process: Scripted) -> Reading:
        part, name = self._part(process), process.spec.name
        if part == "give":
            source = self._source(name)
            count = Count(sent=source.given, acked=len(source.acked), redelivered=source.again, cumulative=1)
            source.again = source.again if process.alive else 0
            ports = {"tasks": count}
        elif part == "keep":
            keeper = self.keepers.setdefault(name, Keeper())
            count = Count(received=len(keeper.kept), duplicates=keeper.duplicates, cumulative=1)
            keeper.duplicates = keeper.duplicates if process.alive else 0
            ports = {"results": count}
        else:
            received, sent = process.received.get("tasks", 0), process.sent.get("results", 0)
            ports = {"tasks": Count(received=received), "results": Count(sent=sent)}
        return Reading(state=process.state, port=process.port, ports=ports)
