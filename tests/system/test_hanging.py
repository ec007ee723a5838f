"""An item that takes too long, and processes that somebody has stopped, under both engines and in services."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from harness import ENGINES, Project, wait_until
from trouble import line_of

pytestmark = pytest.mark.slow

HANGS = """
    import ctypes, pathlib

    holding_the_interpreter = ctypes.PyDLL(None)

    def work(task):
        '''The task 7 never ends the first time, in a loop that lets nobody in, yet leaves others the processor.'''
        mark = pathlib.Path("hung")
        if task == 7 and not mark.exists():
            mark.touch()
            while True:
                holding_the_interpreter.sleep(1000)
        return task
"""
TOPOLOGY = """
    p:
      endpoints: {{tasks: {endpoint}, results: {endpoint}}}
      nodes:
        ventilator: {{role: ventilator, bind: tasks, params: {{count: 200, rate: 200}}}}
        worker:
          role: worker
          connect: [tasks, results]
          replicas: 2
          params: {{call: "work:work"}}
          task_timeout: 6s
          {restart}
        sink: {{role: sink, bind: results, params: {{into: done.jsonl}}}}
      expect: {{tasks.lost: ">= 1", results.lost: "<= 50"}}
"""


def done(project: Project) -> list[int]:
    return [json.loads(line) for line in (project.folder / "done.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("engine", "endpoint"), [*((engine, "ipc") for engine in ENGINES), ("local", "{address: ipc, batch: 50}")]
)
def test_a_worker_that_hangs_is_replaced_and_the_rest_goes_on(
    project: Project, engine: str, endpoint: str
) -> None:
    """With `batch`, too, the item is the right one; but what waits in a frame with others dies with the process."""
    project.write("work.py", HANGS)
    project.topology(
        TOPOLOGY.format(endpoint=endpoint, restart="restart: {policy: on-failure, backoff: 50ms}")
    )
    outcome = project.run("--engine", engine).passed()
    (again,) = [process for process in outcome.of_node("worker") if process["restarts"]]
    assert [life["signal"] for life in again["lives"]] == ["SIGKILL", None]
    handled = again["lives"][0]["ports"]["tasks"]["received"]
    (note,) = [note["text"] for note in outcome.summary["notes"] if "hung" in note["text"]]
    assert re.fullmatch(
        rf"{again['name']} hung at item {handled + 1} of port 'tasks' for \d+\.\d s \(task_timeout: 6s\), "
        r"and was killed: started again after 0.05 s \(1 of 5\)",
        note,
    )
    numbers = done(project)
    assert 7 not in numbers
    lost = {name: link["lost"] for name, link in outcome.links.items()}
    assert len(numbers) == len(set(numbers)) == 200 - lost["tasks"] - lost["results"]
    assert "batch" in endpoint or not lost["results"]


def test_without_a_policy_the_run_fails_and_says_so(project: Project) -> None:
    project.write("work.py", HANGS)
    path = project.topology(TOPOLOGY.format(endpoint="ipc", restart=""))
    outcome = project.run()
    assert outcome.exit_code == 1, outcome.stderr
    first = outcome.problems[0]
    assert (first["kind"], first["line"]) == ("hung", line_of(path, "task_timeout"))
    assert first["text"].startswith(f"{first['process']} hung at item ")
    assert outcome.processes[first["process"]]["signal"] == "SIGKILL"


def test_a_slow_worker_that_counts_is_left_alone(project: Project) -> None:
    """Each item takes less than its time; all of a list together would take far more."""
    project.write("work.py", "import time\n\ndef work(task):\n    time.sleep(0.25)\n    return task\n")
    project.topology("""
        p:
          endpoints: {tasks: {address: ipc, batch: 50}, results: {address: ipc, batch: 50}}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 40}, task_timeout: 5s}
            worker: {role: worker, connect: [tasks, results], params: {call: "work:work"}, task_timeout: 5s}
            sink: {role: sink, bind: results, task_timeout: 5s}
    """)
    project.run().balanced()


def test_a_source_that_hangs_at_its_next_item(project: Project) -> None:
    project.write(
        "load.py",
        """
        import time

        def numbers():
            yield from range(10)
            time.sleep(1000)
        """,
    )
    project.topology(
        """
        p:
          endpoints: {tasks: {address: ipc, batch: 50}}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {call: "load:numbers"}, task_timeout: 5s}
            sink: {role: sink, bind: tasks}
    """.replace("sink: {role: sink, bind: tasks}", "sink: {role: sink, connect: tasks}")
    )
    outcome = project.run()
    assert outcome.exit_code == 1
    assert outcome.problems[0]["text"].startswith("ventilator-1 hung at item 11 for port 'tasks' for ")


HANGS_ONCE_TOLD = """
    import ctypes, os, pathlib

    holding_the_interpreter = ctypes.PyDLL(None)

    def work(task):
        if pathlib.Path("told").exists() and not pathlib.Path("hung").exists():
            pathlib.Path("hung").write_text(f"{task} {os.getpid()}")
            while True:
                holding_the_interpreter.sleep(1000)
        return task
"""


def test_in_a_service_also_when_its_coordinator_was_killed_meanwhile(project: Project) -> None:
    project.write("work.py", HANGS_ONCE_TOLD)
    project.topology(
        TOPOLOGY.format(endpoint="ipc", restart="restart: {policy: on-failure, backoff: 50ms}").replace(
            "count: 200", "count: 1000000"
        )
    )
    service = project.up()
    coordinator = service.coordinator()
    os.kill(coordinator, signal.SIGSTOP)  # or it might see it
    project.write("told", "")
    hung_path = project.folder / "hung"
    item, pid = wait_until(lambda: hung_path.exists() and hung_path.read_text().split(), "a hang")
    os.kill(coordinator, signal.SIGKILL)
    hung = service.wait_for("ProcessHung", pid=int(pid))
    assert service.events("RunResumed")
    service.wait_for("ProcessLaunched", process=hung["process"], incarnation=1)
    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr
    assert int(item) not in done(project)


STREAM = """
    p:
      stall: 1s
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 1600, rate: 400}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "roles.functions:echo"}}
        sink: {role: sink, bind: results}
"""
STREAM_UNTIL_ENOUGH = STREAM.replace("count: 1600", 'call: "load:tasks"')
LOAD = """
    import itertools, pathlib

    def tasks():
        '''A stream that goes on until it is enough, and some more for each worker: who is stopped has to do then.'''
        yield from itertools.takewhile(lambda _: not pathlib.Path("enough").exists(), itertools.count(1))
        yield from range(10)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_who_was_stopped_is_told_at_once_and_when_the_run_stalls(project: Project, engine: str) -> None:
    project.write("load.py", LOAD)
    project.topology(STREAM_UNTIL_ENOUGH)
    run = project.start("--engine", engine)
    run.wait_for("RunReady")
    pid = run.pid("worker-1")
    os.kill(pid, signal.SIGSTOP)
    told = run.wait_for("ProcessStopped", process="worker-1")
    assert told["pid"] == pid
    (project.folder / "enough").touch()
    outcome = run.outcome()
    assert outcome.exit_code == 1
    assert f"worker-1 is stopped by a signal (kill -CONT {pid} lets it go on)" in outcome.stderr
    stalled = {problem["process"]: problem["text"] for problem in outcome.problems}
    assert stalled["worker-1"] == (
        f"stalled: worker-1 is stopped (SIGCONT would resume it: kill -CONT {pid})"
    ), outcome.stderr
    assert stalled["worker-2"] == "stalled: worker-2 waits to receive from tasks (tasks)"


def test_who_was_stopped_and_goes_on_fails_nothing(project: Project) -> None:
    project.write("load.py", LOAD)
    project.topology(STREAM_UNTIL_ENOUGH.replace("stall: 1s", "stall: 30s"))
    run = project.start()
    run.wait_for("RunReady")
    pid = run.pid("worker-1")
    os.kill(pid, signal.SIGSTOP)
    run.wait_for("ProcessStopped", process="worker-1")
    os.kill(pid, signal.SIGCONT)
    run.wait_for("ProcessContinued", process="worker-1", pid=pid)
    (project.folder / "enough").touch()
    run.outcome().balanced()


def test_who_was_stopped_is_replaced_where_an_item_has_its_time(project: Project) -> None:
    """In a service `ps` shows it meanwhile."""
    policy = "task_timeout: 8s, restart: {policy: on-failure, backoff: 50ms}}"
    project.topology(
        STREAM.replace("count: 1600", "count: 1000000").replace('echo"}}', f'echo"}}, {policy}\n        ')
        + '      expect: {tasks.lost: ">= 0", results.lost: ">= 0"}\n'
    )
    service = project.up()
    os.kill(service.states()["worker-1"].pid, signal.SIGSTOP)
    wait_until(lambda: service.states()["worker-1"].state == "stopped", "ps to show it")
    hung = service.wait_for("ProcessHung", process="worker-1")
    assert ", stopped by a signal, for " in hung["text"]
    service.wait_for("ProcessBegan", process="worker-1", incarnation=1)
    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr


def test_a_pause_of_the_file_is_none_of_these(project: Project) -> None:
    fault = "faults: [{at: 200ms, pause: worker-1, for: 8s}]"
    stream = STREAM.replace("stall: 1s", "stall: 5s").replace('echo"}}', 'echo"}, task_timeout: 5s}')
    project.topology(f"{stream}      {fault}\n")
    run = project.start()
    run.outcome().balanced()
    assert run.events("FaultFired")
    assert not run.events("ProcessHung")
    assert not run.events("ProcessStopped")
