"""A disk that is full, may not be written, or goes away in the middle: the work goes on, and the books are right."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ENGINES, Project

pytestmark = pytest.mark.slow

LOUD = """
    p:
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 2000}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "loud:loud"}}
        sink: {role: sink, bind: results}
"""
WORK = """
    import sys


    def loud(task):
        print("x" * 100, task)
        print("y" * 100, task, file=sys.stderr)
        return task
"""


def in_a_small_world(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script where mounting is allowed and seen by nobody else; skips where the machine does not permit it."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-Urm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mounts of one's own here")
    return subprocess.run(
        [unshare, "-Urm", "sh", "-ec", script, sys.executable, *words],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def loud(project: Project) -> Project:
    project.topology(LOUD)
    project.write("loud.py", WORK)
    (project.folder / "small").mkdir()
    return project


@pytest.mark.parametrize("engine", ENGINES)
def test_full(loud: Project, engine: str) -> None:
    """A file system of 64 KiB, where a megabyte is printed: what fits is kept, one line tells of the rest."""
    script = """
        mount -t tmpfs -o size=64k none small
        code=0; "$0" -m orchestrator run --engine "$1" --run-dir small/run --json out.json || code=$?
        ls small/run > left; cat small/run/logs/worker-*.log | head -c 300 > log
        exit $code
    """
    ended = in_a_small_world(loud.folder, script, engine)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    (run,) = json.loads((loud.folder / "out.json").read_text())["runs"]
    assert [(link["sent"], link["received"], link["lost"]) for link in run["links"]] == [(2000, 2000, 0)] * 2
    for name in ("events.jsonl", "summary.json"):
        assert ended.stderr.count(f"cannot write small/run/{name}: ") == 1
    assert "summary.json" not in (loud.folder / "left").read_text(), "half a summary is worse than none"
    if engine == "local":  # under supervisord it is supervisord that writes the logs
        dropped_bytes = {one["name"]: one["unlogged_bytes"] for one in run["processes"]}
        assert dropped_bytes["worker-1"] + dropped_bytes["worker-2"] > 2000 * 200 - 65_536
        assert dropped_bytes["sink-1"] == 0
        (note,) = run["notes"]
        found = re.match(r"([\d,]+) bytes that (\S+), (\S+) printed are in no log: ", note["text"])
        assert found, note
        assert found[1] == f"{sum(dropped_bytes.values()):,}"
        assert {found[2], found[3]} == {"worker-1", "worker-2"}
        assert (loud.folder / "log").read_text().startswith("x" * 100)


def test_read_only(loud: Project) -> None:
    """Where nothing can be kept, nothing is started."""
    script = """
        mount -t tmpfs -o ro none small
        "$0" -m orchestrator run --run-dir small/run
    """
    ended = in_a_small_world(loud.folder, script)
    assert ended.returncode == 3
    assert "cannot create the run directory: Read-only file system" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "worker" not in ended.stderr


def test_gone(project: Project) -> None:
    """Its directory is removed in the middle of the run, and a process is started again after that."""
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {call: "gated:tasks"}}
            worker: {role: worker, connect: [tasks, results], restart: on-failure, params: {call: "gated:work"}}
            sink: {role: sink, bind: results}
          expect: {worker.restarts: 1}
    """)
    project.write(
        "gated.py",
        """
        import os, time
        from pathlib import Path

        if Path("died").exists():
            Path("again").touch()


        def tasks():
            await_file("gone")
            yield 0
            await_file("again")
            yield from range(1, 500)


        def await_file(name):
            while not Path(name).exists():
                time.sleep(0.005)


        def work(task):
            print("at work", task)
            if not Path("died").exists():
                Path("died").touch()
                os.kill(os.getpid(), 9)
            return task
        """,
    )
    run = project.start()
    run.wait_for("RunReady")
    shutil.rmtree(run.run_dir)
    (project.folder / "gone").touch()
    outcome = run.outcome()
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.count("cannot write") == 1
    process = outcome.processes["worker-1"]
    assert (process["restarts"], process["outcome"]) == (1, "finished")
    assert process["unlogged_bytes"] > 400 * len("at work ")
    tasks = outcome.links["tasks"]
    assert (tasks["sent"], tasks["received"] + tasks["lost"]) == (500, 500)
    assert outcome.links["results"]["lost"] == 0
