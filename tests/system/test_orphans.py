"""The orchestrator is killed: a second later nobody is left of its run, and the next run is not disturbed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Project, Run, wait_until

from chaos.orphans import left_of

TIMES = 20

TOPOLOGY = """
    orphans:
      codec: text
      endpoints:
        tasks: tcp://127.0.0.1:{port}
        results: ipc://{folder}/results
      nodes:
        ventilator: {{role: ventilator, bind: tasks, params: {{count: 100000, rate: 500}}}}
        worker: {{role: worker, connect: [tasks, results], replicas: 3, params: {{call: "work:{work}"}}}}
        sink: {{role: sink, bind: results}}
        program: {{command: [{python}, program.py]}}
"""
WORK = """
    def busy(task):
        '''One loop in C that never lets go of the interpreter: no thread of this process can run.'''
        return sum(range(10**15)) if task == "7" else task


    def plain(task):
        return task
"""
PROGRAM = """
    import time

    while True:
        time.sleep(1)
"""
NAMES = ("sink-1", "worker-1", "worker-3", "ventilator-1", "program-1")


@pytest.fixture
def short_temp() -> Iterator[Path]:
    """A place for the runs' private directories, so short that they are made in it."""
    path = Path(tempfile.mkdtemp(prefix="zt-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def launching(run: Run, dice: random.Random) -> str:
    """Some way into the launch."""
    name = dice.choice(NAMES)
    run.wait_for("ProcessLaunched", process=name)
    return f"launched {name}"


def working(run: Run, dice: random.Random) -> str:
    """Some time after Go."""
    run.wait_for("RunReady")
    after_s = dice.uniform(0, 0.15)
    time.sleep(after_s)  # the moment is what is drawn here; nothing is waited for
    return f"{after_s * 1000:.0f} ms after Go"


def stop_some(run: Run, dice: random.Random) -> list[int]:
    """Stop (SIGSTOP) some of the processes that have been launched, and see that they are."""
    pids = [event["pid"] for event in run.events("ProcessLaunched")]
    chosen = dice.sample(pids, dice.randint(0, len(pids)))
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda pid=pid: _state(pid) != "R", "a stopped process", 5)
    return chosen


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


@pytest.mark.slow
def test_nobody_outlives_the_orchestrator(
    project: Project, free_port: Callable[[], int], short_temp: Path
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    dice = random.Random(seed)
    project.write("work.py", WORK)
    project.write("program.py", PROGRAM)
    port = free_port()

    def write(work: str) -> None:
        project.topology(TOPOLOGY.format(port=port, folder=short_temp, work=work, python=sys.executable))

    write("busy")
    for number in range(TIMES):
        run = project.start(environment={"TMPDIR": str(short_temp)})
        moment = (launching, working)[number % 2](run, dice)
        stopped = stop_some(run, dice)
        run.process.kill()
        run.process.wait(10)
        left = left_of(run.living)
        assert not left, f"run {number}: {left} (killed {moment}, {len(stopped)} stopped, seed {seed})"

    write("plain")
    outcome = project.run(
        "--set", "orphans.nodes.ventilator.params.count=50", environment={"TMPDIR": str(short_temp)}
    )
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.links["results"]["received"] == 50
    assert not list(short_temp.glob("zmq-topology-*")), "what killed runs left was not swept away"


def test_a_stopped_and_a_busy_process_go_too(project: Project, free_port: Callable[[], int]) -> None:
    """Both at once, and surely: one worker stands still, another holds its interpreter for ever."""
    project.write("work.py", WORK)
    project.write("program.py", PROGRAM)
    project.topology(
        TOPOLOGY.format(port=free_port(), folder=project.folder, work="busy", python=sys.executable)
    )
    run = project.start()
    run.wait_for("RunReady")
    pids = {event["process"]: event["pid"] for event in run.events("ProcessLaunched")}
    wait_until(lambda: any(_works(pids[f"worker-{n}"]) for n in (1, 2, 3)), "a busy worker")
    stopped = next(n for n in (1, 2, 3) if not _works(pids[f"worker-{n}"]))
    os.kill(pids[f"worker-{stopped}"], signal.SIGSTOP)
    wait_until(lambda: _state(pids[f"worker-{stopped}"]) == "T", "a stopped worker", 5)
    assert any(_works(pids[f"worker-{n}"]) for n in (1, 2, 3))
    run.process.kill()
    run.process.wait(10)
    assert not left_of(run.living)


def _works(pid: int) -> bool:
    """It has used a third of a second of processor time: the busy loop does nothing else."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 0.33
