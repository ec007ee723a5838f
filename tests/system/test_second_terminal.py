"""The verbs that speak to a run that goes on, each in a process of its own: what they show, and what they change."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from harness import Project, Run, wait_until

from orchestrator.run.requests import Look

pytestmark = [pytest.mark.system, pytest.mark.slow]

NAP = """\
    import time


    def nap(task):
        time.sleep(0.001)
        if task % 100 == 0:
            print("did", task)
        return task
    """
PIPELINE = """\
    {pattern}:
      endpoints: {{tasks: ipc, results: ipc}}
      nodes:
        ventilator: {{role: ventilator, bind: tasks, params: {{count: 10000000, rate: 500}}}}
        worker: {{role: worker, connect: [tasks, results], replicas: 3, params: {{call: 'slow:nap'}}}}
        sink: {{role: sink, bind: results, params: {{into: got-{pattern}.jsonl}}}}"""
"""It goes on until somebody ends it."""


@pytest.fixture
def running(project: Project) -> Run:
    """A pipeline at its work."""
    project.write("slow.py", NAP)
    project.topology(PIPELINE.format(pattern="p"))
    return at_work(project, "p")


class Called(NamedTuple):
    """What has come of a verb."""

    exit_code: int
    stdout: str
    stderr: str


def call(project: Project, *arguments: str) -> Called:
    done = project.call(*arguments)
    return Called(done.returncode, done.stdout, done.stderr)


def at_work(project: Project, pattern: str) -> Run:
    run = project.start("--pattern", pattern)
    run.wait_for("RunReady")
    wait_for_results(run, 1)
    return run


def wait_for_results(run: Run, more: int) -> None:
    """Until so many more results have come to the sink."""
    wanted = received(run) + more
    wait_until(lambda: received(run) >= wanted, f"{more} more results")


def received(run: Run) -> int:
    return sum(process.received or 0 for process in run.ask(Look).processes if process.node == "sink")


def states(project: Project, *arguments: str) -> dict[str, dict]:
    """The processes of the one run, as `ps` tells them to machines."""
    called = call(project, "ps", "--json", *arguments)
    assert (called.exit_code, called.stderr) == (0, "")
    (run,) = json.loads(called.stdout)["runs"]
    return {process["name"]: process for process in run["processes"]}


def taken_down(project: Project, run: Run, *arguments: str, whole: bool = True) -> Called:
    """Bring the run down; all that was sent has come, once. Without `whole` the sink has been started again."""
    called = call(project, "down", *arguments)
    assert called.exit_code == 0, called.stderr
    outcome = run.outcome()
    assert (outcome.exit_code, outcome.summary["verdict"], outcome.problems) == (0, "passed", [])
    for link in outcome.links.values():
        assert (link["sent"], link["lost"]) == (link["received"], 0)
    if not whole:
        return called
    got_path = project.folder / f"got-{outcome.summary['pattern']}.jsonl"
    got = [json.loads(line) for line in got_path.read_text().splitlines()]
    assert sorted(got) == list(range(1, len(got) + 1))
    assert len(got) == outcome.links["results"]["received"] > 0
    return called


def test_ps_shows_what_runs(project: Project, running: Run) -> None:
    called = call(project, "ps")
    assert (called.exit_code, called.stderr) == (0, "")
    header, *rows = called.stdout.splitlines()
    assert header.split() == ["PROCESS", "STATE", "PID", "UP", "RESTARTS", "RECEIVED", "SENT", "RATE/s"]
    names = ["sink-1", "worker-1", "worker-2", "worker-3", "ventilator-1"]
    assert [row.split()[:3] for row in rows] == [[name, "running", str(running.pid(name))] for name in names]
    number = r"(–|[\d,]+)"
    assert all(re.search(rf"running +\d+ +[\d.ms]+ +0 +{number} +{number} +[\d.,]+$", row) for row in rows)
    assert [row.split()[5:7].count("–") for row in rows] == [1, 0, 0, 0, 1]


def test_ps_tells_machines_more(project: Project, running: Run) -> None:
    before = states(project)
    wait_for_results(running, 100)

    def all_at_work() -> dict[str, dict] | None:
        seen = states(project)
        return seen if all(process["rate_per_s"] > 0 for process in seen.values()) else None

    now = wait_until(all_at_work, "all of them at work")
    assert now["sink-1"]["received"] >= before["sink-1"]["received"] + 100
    assert (now["sink-1"]["sent"], now["ventilator-1"]["received"]) == (None, None)
    assert all(before[name]["since_s"] < now[name]["since_s"] for name in now)


def test_workers_come_and_go_and_nothing_is_lost(project: Project, running: Run) -> None:
    assert call(project, "scale", "worker=5") == (0, "worker: 3 → 5 processes: worker-4, worker-5 come\n", "")
    seen = states(project)
    assert [name for name in seen if name.startswith("worker")] == [f"worker-{n}" for n in range(1, 6)]
    wait_until(lambda: states(project)["worker-5"]["received"] > 0, "work for who has come")
    assert call(project, "scale", "worker=1")[:2] == (
        0, "worker: 5 → 1 processes: worker-2, worker-3, worker-4, worker-5 leave\n",
    )  # fmt: skip
    seen = states(project)
    assert {name: process["state"] for name, process in seen.items() if process["node"] == "worker"} == {
        "worker-1": "running", **{f"worker-{n}": "gone" for n in range(2, 6)},
    }  # fmt: skip
    assert call(project, "scale", "worker=1") == (0, "nothing to do: it runs so already\n", "")
    rows = call(project, "ps").stdout.splitlines()
    assert [row.split()[0] for row in rows[1:4]] == ["sink-1", "worker-1", "ventilator-1"]
    wait_for_results(running, 100)
    taken_down(project, running)


def test_processes_start_again_and_nothing_is_lost(project: Project, running: Run) -> None:
    before = states(project)
    assert call(project, "restart", "worker-2", "sink") == (
        0, "worker-2 starts again\nsink-1 starts again\n", "",
    )  # fmt: skip
    now = states(project)
    again = {name: now[name]["restarts"] for name in now}
    assert again == {"sink-1": 1, "worker-1": 0, "worker-2": 1, "worker-3": 0, "ventilator-1": 0}
    assert {name for name in now if now[name]["pid"] != before[name]["pid"]} == {"worker-2", "sink-1"}
    wait_for_results(running, 100)
    taken_down(project, running, whole=False)


def test_all_of_a_node_starts_again_and_every_result_comes_once(project: Project, running: Run) -> None:
    assert call(project, "restart", "worker", "worker-3") == (
        0, "worker-1, worker-2, worker-3 start again\nworker-3 starts again\n", "",
    )  # fmt: skip
    assert [state["restarts"] for name, state in states(project).items() if name.startswith("worker")] == [
        1, 1, 2,
    ]  # fmt: skip
    wait_for_results(running, 100)
    taken_down(project, running)


def test_what_cannot_be_changed_is_refused_and_all_goes_on(project: Project, running: Run) -> None:
    for words, why in (
        (["scale", "wroker=2"], "cannot scale 'wroker': there is no such node (did you mean 'worker'?)"),
        (["scale", "ventilator=2"], "cannot scale 'ventilator': its processes share out one stream of items"),
        (["scale", "sink=2"], "cannot scale 'sink': it binds 'results'"),
        (["scale", "worker=0"], "cannot scale 'worker': 0 is no number of processes"),
        (["scale", "worker=2", "sink=2"], "cannot scale 'sink': it binds 'results'"),
        (["restart", "worker-9"], "cannot restart 'worker-9': there is no such node or process"),
        (["restart", "worker-1", "worker-9"], "cannot restart 'worker-9': there is no such node or process"),
    ):
        called = call(project, *words)
        assert (called.exit_code, called.stdout) == (2, "")
        assert called.stderr.startswith(f"topology.yaml: error: {why}")
        assert called.stderr.endswith(" [refused]\n")
    assert {process["state"] for process in states(project).values()} == {"running"}
    assert [event for event in running.events() if event["event"] == "RunChanged"] == []
    called = call(project, "scale", "sink=1")
    assert (called.exit_code, called.stdout) == (0, "nothing to do: it runs so already\n")
    taken_down(project, running)


def test_the_last_lines_of_the_logs(project: Project, running: Run) -> None:
    wait_for_results(running, 1000)
    called = call(project, "logs", "-n", "1", "worker-2", "worker-1", "sink")
    assert (called.exit_code, called.stderr) == (0, "")
    lines = called.stdout.splitlines()
    assert all(re.fullmatch(r"worker-[12] \| did \d+00", line) for line in lines)
    assert [line.split()[0] for line in lines] == sorted({line.split()[0] for line in lines})
    assert call(project, "logs", "nobody").exit_code == 2


@contextmanager
def following(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "orchestrator", "logs", "-f", *arguments]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_logs_are_followed_to_the_end_of_the_run(project: Project, running: Run) -> None:
    with following(project, "-n", "1000000") as process:
        first = process.stdout.readline()
        assert " | did " in first
        call(project, "scale", "worker=4")
        wait_until((running.run_dir / "logs" / "worker-4.log").exists, "the log of who joins")
        wait_for_results(running, 1000)
        taken_down(project, running)
        shown = first + process.stdout.read()
        assert process.wait(30) == 0
    told = sorted(line.replace(" ", "") for line in shown.splitlines())
    logged = [
        f"{path.stem}|{line}".replace(" ", "")
        for path in (running.run_dir / "logs").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert told == sorted(logged)
    assert len([line for line in told if "|did" in line]) >= 10


def test_ctrl_c_ends_the_following_and_nothing_else(project: Project, running: Run) -> None:
    with following(project, "worker") as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert {state["state"] for state in states(project).values()} == {"running"}


def test_down_ends_a_run_and_reports_on_it(project: Project, running: Run) -> None:
    called = taken_down(project, running)
    assert called.stderr == "p: going down\n"
    assert called.stdout.startswith("PROCESS")
    assert "\nPASSED in " in called.stdout
    assert call(project, "report", str(running.run_dir.relative_to(project.folder))).stdout == called.stdout
    assert call(project, "down") == (0, "", "nothing of topology.yaml is running\n")
    assert call(project, "ps").exit_code == 1
    assert call(project, "scale", "worker=2").exit_code == 1
    assert "is running; these are the logs of runs/1\n" in call(project, "logs", "--run-dir", "runs/1").stderr


def test_a_run_that_has_not_begun_yet_is_looked_at_and_called_off(project: Project, free_port) -> None:
    project.topology(f"""
        early:
          endpoints: {{tasks: 'tcp://127.0.0.1:{free_port()}'}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 10}}}}
            sink: {{role: sink, connect: tasks}}
            other: {{external: true, connect: tasks}}
    """)
    run = project.start()
    run.wait_for("AddressesKnown", endpoint="tasks")
    called = call(project, "ps")
    assert called.exit_code == 0
    assert called.stdout.startswith("early: run, local, starting\nPROCESS")
    assert re.search(r"\nother-1 +external +–", called.stdout)
    refused = call(project, "restart", "sink")
    assert (refused.exit_code, "cannot change the run: it has not begun yet" in refused.stderr) == (1, True)
    called = call(project, "down")
    outcome = run.outcome()
    assert (called.exit_code, called.stderr) == (outcome.exit_code, "early: going down\n")
    assert outcome.summary["verdict"] == "interrupted"


def test_two_patterns_of_a_file_are_told_apart(project: Project) -> None:
    project.write("slow.py", NAP)
    project.topology("\n".join(PIPELINE.format(pattern=pattern) for pattern in ("a", "b")))
    runs = {pattern: at_work(project, pattern) for pattern in ("a", "b")}
    called = call(project, "ps")
    assert (called.exit_code, called.stderr) == (0, "")
    assert [line for line in called.stdout.splitlines() if ":" in line] == [
        "a: run, local, working", "b: run, local, working",
    ]  # fmt: skip
    for words in (["scale", "worker=2"], ["restart", "worker"], ["logs"]):
        called = call(project, *words)
        assert (called.exit_code, called.stdout) == (2, "")
        assert "(say which with --pattern: a, b)" in called.stderr
    assert "(did you mean 'b'?)" in call(project, "scale", "worker=2", "--pattern", "B").stderr
    assert call(project, "scale", "worker=2", "--pattern", "b").exit_code == 0
    assert call(project, "scale", "worker=4", "--run-dir", "runs/1").exit_code == 0
    assert {pattern: _workers(project, pattern) for pattern in runs} == {"a": 4, "b": 2}
    taken_down(project, runs["a"], "--pattern", "a")
    assert _workers(project) == 2
    taken_down(project, runs["b"])


def _workers(project: Project, *pattern: str) -> int:
    seen = states(project, *(f"--pattern={name}" for name in pattern))
    return sum((process["node"], process["state"]) == ("worker", "running") for process in seen.values())


def test_a_run_that_was_killed_is_not_taken_for_one_that_goes_on(project: Project, running: Run) -> None:
    running.process.kill()
    wait_until(lambda: not running.living(), "everybody gone")
    assert (running.run_dir / "live.json").exists()
    for words in (["ps"], ["scale", "worker=2"], ["ps", "--run-dir", "runs/1"]):
        called = call(project, *words)
        assert (called.exit_code, "nothing of it is running" in called.stderr) == (1, True)
    assert call(project, "down").exit_code == 0


def test_the_plan_of_what_runs_is_compared_with_the_file(project: Project, running: Run) -> None:
    difference = ["plan", "--diff", "runs/1"]
    assert call(project, *difference) == (0, "nothing to do: it runs so already\n", "")
    assert call(project, "scale", "worker=2").exit_code == 0
    assert call(project, *difference) == (0, "  worker: 2 → 3 processes: worker-3 comes\n", "")
    assert call(project, *difference, "--set", "p.nodes.worker.replicas=2").stdout.startswith("nothing to do")
    taken_down(project, running)
