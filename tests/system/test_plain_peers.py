"""Plain pyzmq scripts take each side of each pattern in place of our role, started by us or by somebody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from harness import SCRIPTS, Outcome, Project, wait_until

pytestmark = pytest.mark.slow

REQUEST_REPLY = """\
    p:
      codec: text
      endpoints: {hello: {address: 'tcp://127.0.0.1:%(first)d'%(idle)s}}
      nodes:
        server: %(server)s
        client: %(client)s
    """
PUBLISH_SUBSCRIBE = """\
    p:
      codec: text
      endpoints: {weather: {address: 'tcp://127.0.0.1:%(first)d'%(idle)s}}
      nodes:
        publisher: %(publisher)s
        subscriber: %(subscriber)s
    """
PIPELINE = """\
    p:
      codec: text
      endpoints:
        tasks: {address: 'tcp://127.0.0.1:%(first)d'%(idle)s}
        results: {address: 'tcp://127.0.0.1:%(second)d'%(idle)s}
      nodes:
        ventilator: %(ventilator)s
        worker: %(worker)s
        sink: %(sink)s
    """

OURS = {
    "server": "{role: server, bind: hello}",
    "client": "{role: client, connect: hello, replicas: 2, params: {requests: 10}}",
    "publisher": "{role: publisher, bind: weather, params: {call: 'own:weather', rate: 1000}}",
    "subscriber": "{role: subscriber, connect: weather, replicas: 2, params: {topics: ['10001 '], updates: 20}}",
    "ventilator": (
        "{role: ventilator, bind: tasks, connect: {start: results}, params: {count: 100, workload_ms: [1, 3]}}"
    ),
    "worker": "{role: worker, connect: [tasks, results], replicas: 3}",
    "sink": "{role: sink, bind: results, params: {start: true}}",
}

OWN = """\
    def weather():
        for number in range(5000):
            yield f"{10000 + number % 10} {number % 100} 50"
    """
"""Five seconds' worth, of which one update in ten is for 10001."""

IDLE = ", idle_after: 5s"


@dataclass(frozen=True)
class Side:
    """One script in place of one role.

    `says` is what it prints before it leaves; the ones that say nothing and do not `leave` go on for ever. `idle` tells
    how it must be started for its link to need an end of its own.
    """

    pattern: str
    wiring: str
    leaves: bool
    says: str = ""
    idle: tuple[str, ...] = ()


SIDES = {
    "server": Side(REQUEST_REPLY, "bind: hello", leaves=False),
    "client": Side(REQUEST_REPLY, "connect: hello", leaves=True, says="10 replies", idle=("external",)),
    "publisher": Side(PUBLISH_SUBSCRIBE, "bind: weather", leaves=False),
    "subscriber": Side(
        PUBLISH_SUBSCRIBE, "connect: weather", leaves=True, says="average temperature of 20 updates: 46.0"
    ),
    "ventilator": Side(PIPELINE, "bind: tasks, connect: results", leaves=True, idle=("external",)),
    "worker": Side(PIPELINE, "connect: [tasks, results]", leaves=False, idle=("external", "command")),
    "sink": Side(PIPELINE, "bind: results", leaves=True, says="100 results in"),
}


@dataclass(frozen=True)
class Places:
    """Where the endpoints of a pattern are."""

    first: int
    second: int

    def of(self, script: str) -> list[str]:
        """The addresses that a script is called with."""
        numbers = {
            "sink": [self.second],
            "worker": [self.first, self.second],
            "ventilator": [self.first, self.second],
        }
        return [f"tcp://127.0.0.1:{number}" for number in numbers.get(script, [self.first])]


@pytest.fixture
def places(free_port: Callable[[], int]) -> Places:
    return Places(free_port(), free_port())


def topology(project: Project, script: str, node: str, mode: str, places: Places) -> None:
    side = SIDES[script]
    idle = IDLE if mode in side.idle else ""
    nodes = OURS | {script: f"{{{node}, {side.wiring}}}"}
    project.write("own.py", OWN)
    project.topology(side.pattern % (nodes | {"first": places.first, "second": places.second, "idle": idle}))


def check_ours(outcome: Outcome, script: str) -> None:
    """What our roles on the other sides must have seen."""
    outcome.passed()
    seen = {
        "server": {"client-1": ("server", 10), "client-2": ("server", 10)},
        "client": {"server-1": ("clients", 10)},
        "publisher": {"subscriber-1": ("updates", 20), "subscriber-2": ("updates", 20)},
        "ventilator": {"sink-1": ("results", 101)},
        "worker": {"sink-1": ("results", 101)},
    }
    for process, (port, number) in seen.get(script, {}).items():
        assert outcome.received(process, port) == number, outcome.stderr
    if script == "sink":
        workers = [f"worker-{replica}" for replica in (1, 2, 3)]
        assert sum(outcome.sent(worker, "results") for worker in workers) == 100
        assert outcome.sent("ventilator-1", "start") == 1
    if script == "subscriber":
        assert outcome.sent("publisher-1", "updates") > 20


@pytest.mark.parametrize("script", SIDES)
def test_as_a_command(project: Project, places: Places, script: str) -> None:
    arguments = ", ".join([sys.executable, str(SCRIPTS / f"{script}.py"), *map(repr, places.of(script))])
    topology(project, script, f"command: [{arguments}]", "command", places)
    outcome = project.run()
    check_ours(outcome, script)
    process = outcome.processes[f"{script}-1"]
    if SIDES[script].leaves:
        assert (process["outcome"], process["exit_code"]) == ("finished", 0)
        assert outcome.log(f"{script}-1").startswith(SIDES[script].says)
    else:
        assert (process["outcome"], process["signal"]) == ("stopped", "SIGTERM")


def press_enter(script: subprocess.Popen[bytes]) -> None:
    assert script.stdin is not None
    script.stdin.write(b"\n")
    script.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("first", ["script-first", "run-first"])
@pytest.mark.parametrize("script", SIDES)
def test_as_an_external(project: Project, places: Places, script: str, first: str) -> None:
    topology(project, script, "external: true", "external", places)
    if first == "script-first":
        peer = project.script(script, *places.of(script))
        run = project.start()
    else:
        run = project.start()
        run.wait_for("ProcessLaunched")
        peer = project.script(script, *places.of(script))
    run.wait_for("RunReady")
    if script == "ventilator":
        press_enter(peer)
    outcome = run.outcome()
    check_ours(outcome, script)
    assert outcome.processes[f"{script}-1"]["pid"] is None
    if SIDES[script].leaves:
        assert peer.wait(20) == 0
        log = project.folder / f"{script}-0.log"
        wait_until(lambda: log.read_text().startswith(SIDES[script].says), "what the script says", 5)
    else:
        assert peer.poll() is None, "who started it is who stops it"


@pytest.mark.parametrize(
    ("script", "address"),
    [
        ("client", "ipc"),
        ("client", "tcp://127.0.0.1:*"),
        ("server", "ipc"),
        ("subscriber", "tcp://127.0.0.1:*"),
        ("publisher", "ipc"),
        ("sink", "ipc"),
        ("ventilator", "ipc"),
    ],
)
def test_a_command_is_told_the_addresses(project: Project, script: str, address: str) -> None:
    """Called without arguments, the scripts take `TOPOLOGY_<ENDPOINT>`."""
    side = SIDES[script]
    command = f"command: [{sys.executable}, {SCRIPTS / f'{script}.py'}]"
    project.write("own.py", OWN)
    nodes = OURS | {script: f"{{{command}, {side.wiring}}}"}
    text = side.pattern.replace("tcp://127.0.0.1:%(first)d", address)
    text = text.replace("tcp://127.0.0.1:%(second)d", address)
    project.topology(text % (nodes | {"idle": ""}))
    check_ours(project.run(), script)


LATE = """\
    import json
    import os
    import time
    from pathlib import Path

    from roles.worker import Worker


    class LateWorker(Worker):
        def connected(self):
            '''Looks at its connections only after the ventilator has come and gone.'''
            until_s = time.monotonic() + 30
            while not self.has_left("ventilator-1"):
                assert time.monotonic() < until_s
                time.sleep(0.01)

        def has_left(self, process):
            lines = Path(os.environ["JOURNAL"]).read_text().splitlines(keepends=True)
            events = [json.loads(line) for line in lines if line.endswith("\\n")]
            return any(event["event"] == "ProcessEnded" and event["process"] == process for event in events)
    """


def test_a_command_may_leave_before_the_others_are_ready(project: Project, places: Places) -> None:
    """It has sent all that it had; nobody waits for it to come back."""
    arguments = ", ".join(
        [sys.executable, str(SCRIPTS / "ventilator.py"), *map(repr, places.of("ventilator"))]
    )
    project.write("late.py", LATE)
    nodes = OURS | {
        "ventilator": f"{{command: [{arguments}], bind: tasks, connect: results}}",
        "worker": "{role: 'late:LateWorker', connect: [tasks, results], replicas: 2}",
    }
    project.topology(PIPELINE % (nodes | {"first": places.first, "second": places.second, "idle": ""}))
    journal = project.folder / "runs" / "1" / "events.jsonl"
    run = project.start(environment={"JOURNAL": str(journal)})
    outcome = run.outcome().passed()
    assert outcome.received("sink-1", "results") == 101
    ended_s = run.events("ProcessEnded", process="ventilator-1")[0]["at_s"]
    assert ended_s < run.wait_for("RunReady")["at_s"]
