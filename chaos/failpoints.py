"""Each step of the acknowledged delivery's protocol is a place to die at, and every task has its result, once.

A process dies as it comes to a step for the first, a middle or the last time (`roles.kit.failpoints`), by SIGKILL or
as a machine does that loses its power; it is started again. A source, a worker and a sink die in each run, each at a
step that is drawn.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chaos.gate import Gate, Tally, dice
from chaos.harness import Project
from chaos.kills import not_once, pipeline
from roles.kit.failpoints import STEPS, VARIABLE

PROCESSES = {"source": "ventilator-1", "worker": "worker-1", "sink": "sink-1"}
"""Who comes to the steps whose names begin so."""

POSITIONS = ("first", "middle", "last")
_TASKS = (3, 5, 7)
_WINDOWS = (1, 2, 256)
_ACTIONS = ("kill", "kill", "power")
_RATE = 25
"""Slow, so that each task is mostly a message by itself."""

Trio = tuple[str, ...]
"""Steps at which processes of different kinds die in one run."""


def trios(chance: random.Random) -> Iterator[Trio]:
    """All steps, each once, mixed by chance so that no two in a trio are of one kind of process."""
    kinds = [sorted(step for step in STEPS if step.startswith(f"{kind}.")) for kind in PROCESSES]
    most = max(len(kind) for kind in kinds)
    mixed = [chance.sample([*kind, *[""] * (most - len(kind))], most) for kind in kinds]
    for steps in zip(*mixed, strict=True):
        yield tuple(filter(None, steps))


def run(seed: str, amount: int) -> Tally:
    """Rounds, until so many deaths were asked for: in each every step at every position, once."""
    chance, tally, asked = dice(seed), Tally(), 0
    while asked < amount:
        for steps, position in itertools.product(list(trios(chance)), POSITIONS):
            tasks, window, action = chance.choice(_TASKS), chance.choice(_WINDOWS), chance.choice(_ACTIONS)
            number = {"first": 1, "middle": (tasks + 1) // 2, "last": tasks}[position]
            asked += len(steps)
            with tempfile.TemporaryDirectory(prefix="failpoints-", dir="/tmp") as folder:
                project = Project(Path(folder))
                try:
                    one = play(project, steps, number, tasks=tasks, window=window, action=action)
                finally:
                    project.close()
            one.faults = [f"seed {seed}: {fault}" for fault in one.faults]
            tally.add(one)
    return tally


def play(
    project: Project, steps: Trio, number: int, *, tasks: int = 3, window: int = 256, action: str = "kill"
) -> Tally:
    """One run of so many tasks, in which processes die at these steps the so-manieth time; `tried` counts deaths.

    What a death or a busy machine has made one message of two is not there a last time: only at the first one all die.
    With a window of 1 a machine cannot do that, and somebody dies.
    """
    endpoint = f"{{address: ipc, delivery: at_least_once, window: {window}}}"
    ventilator = f"params: {{count: {tasks}, rate: {_RATE}}}"
    project.topology(pipeline(tasks=endpoint, ventilator=ventilator, replicas="replicas: 1"))
    fail = ",".join(f"{step}:{number}={action}" for step in steps)
    tally = Tally()
    try:
        under_way = project.start(environment={VARIABLE: fail})
        outcome = under_way.outcome().passed()
    except AssertionError as fault:
        tally.faults.append(f"{fail} of {tasks} tasks, window {window}: {fault}")
        return tally
    killed = {event["process"] for event in under_way.events("ProcessEnded", signal="SIGKILL")}
    wanted = {PROCESSES[step.partition(".")[0]] for step in steps}
    lost, more = not_once(project, tasks)
    link = outcome.links["tasks"]
    wrong = [f"{lost} tasks have no result, {more} results are there too often"] if lost or more else []
    wrong += [f"{link['received']} of {tasks} tasks were received"] if link["received"] != tasks else []
    reached = bool(killed) or (number > 1 and window > 1)
    if not reached or not killed <= wanted or (number == 1 and killed != wanted):
        wrong += [f"{sorted(killed)} died, of {sorted(wanted)}"]
    tally.tried = len(killed)
    tally.counts.update({"runs": 1, "lost": lost, "twice in the file": more})
    tally.faults = [f"{fail} of {tasks} tasks, window {window}: {one}" for one in wrong]
    return tally


GATE = Gate(
    name="failpoints",
    title="deaths at each of the protocol's 14 steps, the first, a middle and the last time, some by loss of power",
    unit="deaths",
    must="each task has one result in the sink's file",
    once=len(STEPS) * len(POSITIONS),
    full=20 * len(STEPS) * len(POSITIONS),
    run=run,
)
