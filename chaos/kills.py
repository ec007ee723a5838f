"""Workers, the sink and the ventilator are killed while they work, and every task has its result, once.

The pipeline is under `delivery: at_least_once`, and whoever is killed is started again. A kill comes once the sink's
file has so many lines, so that the kills are spread over the whole run, and the victim is drawn.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections import Counter
from pathlib import Path

from chaos.gate import Gate, Tally, dice
from chaos.harness import Outcome, Project, Run, wait_until

RESTART = "restart: {policy: on-failure, max: 100000, within: 60s, backoff: 0s}"
PIPELINE = """
    p:
      endpoints: {tasks: {address: ipc, delivery: at_least_once}, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 100}, RESTART}
        worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: "roles.functions:echo"}, RESTART}
        sink: {role: sink, bind: results, params: {into: done.jsonl}, RESTART}
""".replace("RESTART", RESTART)
HELD = """
    from roles.ventilator import Ventilator


    class Held(Ventilator):
        '''Keeps the last task until the file `killed` lies beside the topology, so that no kill comes too late.'''

        def everything(self):
            yield from range(1, self.count)
            while not (self.folder / "killed").exists():
                self.pause(0.005)
            yield self.count
"""
TASKS_OF_A_KILL = 1000

_WINDOW = 256
_RATE = 12_000
_WORKERS = ("worker-1", "worker-2", "worker-3")
_VICTIMS = (*_WORKERS, *_WORKERS, "sink-1", "ventilator-1")
_DEADLINE_S = 300.0
_INTO = "done.jsonl"


def pipeline(**changes: str) -> str:
    """The pipeline with words in it replaced."""
    text = PIPELINE
    words = {
        "ventilator": "params: {count: 100}",
        "worker": 'params: {call: "roles.functions:echo"}',
        "sink": "params: {into: done.jsonl}",
        "replicas": "replicas: 3",
        "restart": RESTART,
        "tasks": "{address: ipc, delivery: at_least_once}",
    }
    for old, new in changes.items():
        assert words[old] in text, old
        text = text.replace(words[old], new)
    return text


def results(project: Project) -> list[int]:
    """What the sink has written, when the run is over: numbers of tasks, one a line."""
    return [int(line) for line in (project.folder / _INTO).read_text().splitlines()]


def lines(project: Project) -> int:
    """How many results the sink's file has by now."""
    path = project.folder / f"{_INTO}.partial"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def not_once(project: Project, tasks: int) -> tuple[int, int]:
    """How many of the tasks have no result, and how many results are there too often or are no task's."""
    found = Counter(results(project))
    lost = sum(number not in found for number in range(1, tasks + 1))
    return lost, found.total() - (tasks - lost)


def run(seed: str, amount: int) -> Tally:
    """So many kills in one run."""
    with tempfile.TemporaryDirectory(prefix="kills-", dir="/tmp") as folder:
        project = Project(Path(folder))
        try:
            return play(project, seed, amount, amount * TASKS_OF_A_KILL)
        finally:
            project.close()


def play(project: Project, seed: str, kills: int, tasks: int) -> Tally:
    """One run with so many kills, spread over so many tasks."""
    endpoint = f"{{address: ipc, delivery: at_least_once, window: {_WINDOW}}}"
    text = pipeline(tasks=endpoint, ventilator=f"params: {{count: {tasks}, rate: {_RATE}}}")
    project.topology(text.replace("role: ventilator", 'role: "held:Held"'))
    project.write("held.py", HELD)
    tally, chance, killed = Tally(), dice(seed), Counter[str]()
    under_way = project.start("--timeout", "60m")
    try:
        under_way.wait_for("RunReady")
        for kill in range(kills):
            _wait_for_lines(project, under_way, (kill + 1) * tasks // (kills + 2))
            victim = chance.choice(_VICTIMS)
            launched = under_way.wait_for("ProcessLaunched", process=victim, incarnation=killed[victim])
            with contextlib.suppress(ProcessLookupError):  # that it had ended by itself is seen below
                os.kill(launched["pid"], signal.SIGKILL)
            killed[victim] += 1
            tally.tried += 1
        (project.folder / "killed").touch()
        outcome = under_way.outcome(_DEADLINE_S).passed()
    except AssertionError as fault:
        tally.faults.append(f"seed {seed}, after {tally.tried} of {kills} kills: {fault}")
        return tally
    wrong = _wrong(project, outcome, tally, killed, tasks)
    ended = len(under_way.events("ProcessEnded", signal="SIGKILL"))
    wrong += [f"{ended} were killed, not {kills}"] if ended != kills else []
    tally.faults += [f"seed {seed}, {kills} kills: {one}" for one in wrong]
    return tally


def _wait_for_lines(project: Project, under_way: Run, wanted: int) -> None:
    def is_due() -> bool:
        return lines(project) >= wanted or under_way.process.poll() is not None

    wait_until(is_due, f"{wanted} results", _DEADLINE_S)
    assert under_way.process.poll() is None, f"the run has ended by itself:\n{under_way.stderr}"


def _wrong(project: Project, outcome: Outcome, tally: Tally, killed: Counter[str], tasks: int) -> list[str]:
    lost, more = not_once(project, tasks)
    link = outcome.links["tasks"]
    redelivered = link["redelivered"] or 0
    # With a sink none of the work is lost, and with a source only what had not reached a worker yet.
    workers = sum(killed[name] for name in _WORKERS)
    most = workers * _WINDOW
    tally.counts.update({"tasks": tasks, "lost": lost, "twice in the file": more, "redelivered": redelivered})
    tally.counts["in the windows of the workers killed"] += workers * _WINDOW
    wrong = [f"{lost} of {tasks} tasks have no result"] if lost else []
    wrong += [f"{more} results are there too often"] if more else []
    wrong += [f"{redelivered} were redelivered, of {most}"] if redelivered > most else []
    booked = (link["sent"], link["received"], link["lost"], link["unread"], outcome.links["results"]["lost"])
    wrong += [f"the books: {outcome.summary['links']}"] if booked != (tasks, tasks, 0, 0, 0) else []
    return wrong


GATE = Gate(
    name="kills",
    title="SIGKILL of workers, sink and ventilator at work, under `delivery: at_least_once`",
    unit="kills",
    must="each task has one result in the sink's file; no more redelivered than the windows of the workers killed hold",
    once=50,
    full=1000,
    run=run,
)
