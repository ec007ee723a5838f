"""A service whose coordinator is killed too, by itself, with others, and again while it takes over.

Its pipeline is under `delivery: at_least_once`. Kills come in the order and after the number of results that chance
wants, one hard upon the other or far apart; nobody waits until who was killed is back. Then the service is taken down.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections import Counter
from pathlib import Path

from chaos.gate import Gate, Tally, dice
from chaos.harness import Project, Service, processes_with, wait_until
from chaos.kills import RESTART, lines, not_once, pipeline

_COORDINATOR = "coordinator"
_VICTIMS = (_COORDINATOR, _COORDINATOR, "worker-1", "worker-2", "worker-3", "sink-1", "ventilator-1")
_APART = (0, 0, 1, 50, 500)
"""So many results come between two kills."""

_RATE = 5000
_DEADLINE_S = 60.0


def run(seed: str, amount: int) -> Tally:
    """So many kills in one service."""
    with tempfile.TemporaryDirectory(prefix="services-", dir="/tmp") as folder:
        project = Project(Path(folder))
        try:
            return play(project, seed, amount)
        finally:
            project.close()


def play(project: Project, seed: str, kills: int) -> Tally:
    """One service with so many kills; whoever is not there when he is to be killed is killed when he is."""
    ventilator = f"params: {{count: 1000000000, rate: {_RATE}}}"
    project.topology(pipeline(ventilator=ventilator, restart=f"{RESTART}, ready_within: {_DEADLINE_S:g}s"))
    tally, chance, killed = Tally(), dice(seed), Counter[str]()
    service: Service | None = None
    try:
        service = project.up()
        for _ in range(kills):
            _wait_for_more(project, chance.choice(_APART))
            killed[_kill(service, chance.choice(_VICTIMS))] += 1
            tally.tried += 1
        _wait_for_more(project, 1)
        outcome = service.down().passed()
    except AssertionError as fault:
        found = service.events("ProblemFound", expected=False) if service is not None else []
        told = "; ".join([str(fault), *(event["text"] for event in found)])
        tally.faults.append(f"seed {seed}, after {tally.tried} of {kills} kills ({dict(killed)}): {told}")
        return tally
    link = outcome.links["tasks"]
    lost, more = not_once(project, link["sent"])
    tally.counts.update({"of coordinators": killed[_COORDINATOR], "tasks": link["sent"]})
    tally.counts.update({"lost": lost, "twice in the file": more})
    wrong = [f"{lost} of {link['sent']} tasks have no result"] if lost else []
    wrong += [f"{more} results are there too often"] if more else []
    booked = (link["received"], link["lost"], link["unread"], outcome.links["results"]["lost"])
    wrong += [f"the books: {outcome.summary['links']}"] if booked != (link["sent"], 0, 0, 0) else []
    tally.faults += [f"seed {seed}, {dict(killed)} killed: {one}" for one in wrong]
    return tally


def _wait_for_more(project: Project, results: int) -> None:
    wanted = lines(project) + results
    wait_until(lambda: lines(project) >= wanted, f"{wanted} results", _DEADLINE_S)


def _kill(service: Service, victim: str) -> str:
    """Kill one that is there and has not been killed; who it was."""

    def kill() -> bool:
        pid = service.coordinator() if victim == _COORDINATOR else _pid_of(service, victim)
        if not pid:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    wait_until(kill, f"{victim} there, to be killed", _DEADLINE_S)
    return victim


def _pid_of(service: Service, process: str) -> int:
    """Its number, 0 where it is not there; a number of the journal may be somebody else's by now."""
    launched = service.events("ProcessLaunched", process=process)
    pid = launched[-1]["pid"]
    return pid if pid in processes_with(service.marker) else 0


GATE = Gate(
    name="services",
    title="SIGKILL of the coordinator of a service, and of the others, one hard upon the other",
    unit="kills",
    must="each task that was given has one result in the sink's file, and the books balance when it is taken down",
    once=20,
    full=400,
    run=run,
)
