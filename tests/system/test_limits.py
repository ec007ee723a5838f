"""Limits of the machine and of ZeroMQ, each named as what it is; and a wall clock that jumps, which nobody minds."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import ENGINES, Project

CLIENTS = """
    p:
      endpoints: {hello: ipc}
      nodes:
        client: {role: client, connect: hello, params: {requests: 1, sockets: 400}}
        server: {role: server, bind: hello}
"""


@pytest.fixture
def few_files() -> Iterator[None]:
    """At most 1,000 open files for what is started here; no test process has as many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


LIMITED = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)); "
LIMITED += "os.execv(sys.executable, [sys.executable, '-m', 'orchestrator', *sys.argv[1:]])"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_process_that_needs_more_files_than_are_allowed(project: Project, engine: str) -> None:
    """It is told before anything starts."""
    project.topology(CLIENTS)
    command = [sys.executable, "-c", LIMITED, "run", "--engine", engine, "--run-dir", "run"]
    ended = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 3, ended.stderr
    assert (
        "cannot start client-1: with 400 sockets and 0 peers it needs 1,624 open files, and the limit is 1,000 "
        "(raise it: ulimit -n 1624, or share them out over more replicas)"
    ) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list((project.folder / "run" / "logs").iterdir())


@pytest.mark.parametrize("engine", ENGINES)
def test_as_many_files_as_are_needed(project: Project, few_files: None, engine: str) -> None:
    """The limit is raised as far as is allowed, for each process."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] not in (resource.RLIM_INFINITY, -1):
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 1700
    project.topology(CLIENTS)
    outcome = project.run("--engine", engine).balanced()
    assert outcome.received("client-1", "server") == 400


GREEDY = """
    import os
    import socket
    from roles.worker import Worker


    class Greedy(Worker):
        '''Opens too many of something.'''

        kind: str = "sockets"

        def run(self):
            kept = []
            while True:
                kept.append(self.tasks.socket.context.socket(1) if self.kind == "sockets" else socket.socket())
"""


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "sockets",
            "the context has as many sockets as it may, 2,047, and it is not the limit of open files: ",
        ),
        ("files", "the limit of "),
    ],
)
def test_a_role_that_opens_too_many(project: Project, kind: str, said: str) -> None:
    """Both are EMFILE."""
    project.write("greedy.py", GREEDY)
    project.topology(f"""
        p:
          endpoints: {{tasks: ipc, results: ipc}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 1}}}}
            worker: {{role: "greedy:Greedy", connect: [tasks, results], params: {{kind: {kind}}}}}
            sink: {{role: sink, bind: results}}
    """)
    outcome = project.run()
    assert outcome.exit_code == 1
    assert any(said in problem["text"] for problem in outcome.problems), outcome.problems


JUMPING = """
    # Python takes this module in before anything else, in every process of the run.
    import random, time

    true = {"time": time.time, "time_ns": time.time_ns}
    day_s = 86_400


    def jumping():
        return true["time"]() + random.choice((-day_s, 0, day_s))


    time.time = jumping
    time.time_ns = lambda: int(jumping() * 1e9)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wall_clock_that_jumps(project: Project, engine: str) -> None:
    """It is a day early and a day late by turns: nothing times out, nothing is lost, nothing takes a day."""
    project.write("jumping/sitecustomize.py", JUMPING)
    project.topology("""
        p:
          settle: 100ms
          endpoints: {tasks: ipc, results: ipc, hello: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 300, rate: 1000}}
            worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "roles.functions:echo"}}
            sink: {role: sink, bind: results}
            client: {role: client, connect: hello, params: {requests: 20, retry: {timeout: 60s, attempts: 3}}}
            server: {role: server, bind: hello}
    """)
    check = project.write(
        "check.py", "import time; a = [time.time() for _ in range(50)]; print(max(a) - min(a) > 80_000)"
    )
    environment = {"PYTHONPATH": str(project.folder / "jumping")}
    seen = subprocess.run(
        [sys.executable, str(check)], env=environment, capture_output=True, text=True, check=True
    )
    assert seen.stdout == "True\n", "the clock does not jump"
    outcome = project.run("--engine", engine, "--timeout", "10m", environment=environment, deadline_s=120)
    outcome.balanced()
    assert outcome.received("sink-1", "results") == 300
    assert outcome.summary["elapsed_s"] < 600
    assert Path(outcome.run_dir / "summary.json").exists()
