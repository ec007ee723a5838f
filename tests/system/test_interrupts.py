"""Ctrl-C on a terminal, and SIGTERM: once drains and tells all, twice ends at once."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S, MARKER, Outcome, Project, Run, wait_until
from trouble import books_agree, furnish, open_gate, wait_for_traces

PATTERNS = {
    "pipeline": """
        pipeline:
          endpoints: {tasks: {address: ipc, hwm: 50}, results: {address: ipc, hwm: 50}}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 1000000, rate: 1000}}
            worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: "effects:slowly"}}
            sink: {role: sink, bind: results, params: {call: "effects:note", into: results.jsonl}}
    """,
    "requests": """
        requests:
          endpoints: {hello: ipc}
          nodes:
            server: {role: server, bind: hello, params: {call: "effects:slowly"}}
            client:
              role: client
              connect: hello
              replicas: 2
              params: {requests: 1000000, call: "effects:note", into: replies.jsonl}
    """,
    "many sockets": """
        requests:
          endpoints: {hello: ipc}
          nodes:
            server: {role: server, bind: hello, params: {call: "effects:slowly"}}
            client: {role: client, connect: hello, params: {requests: 1000000, sockets: 5, call: "effects:note"}}
    """,
    "updates": """
        updates:
          endpoints: {news: ipc}
          nodes:
            publisher: {role: publisher, bind: news, params: {count: 1000000, rate: 2000}}
            subscriber: {role: subscriber, connect: news, replicas: 2, params: {call: "effects:note"}}
    """,
}
WITNESS = {
    "pipeline": "sink-1",
    "requests": "client-1",
    "many sockets": "client-1",
    "updates": "subscriber-1",
}
ENDLESS_TASK = """
    stuck:
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 10}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "stuck:work"}}
        sink: {role: sink, bind: results}
"""
STUCK = """
    import os, pathlib, time

    def work(task):
        pathlib.Path("begun").touch()
        time.sleep(600)
"""


@dataclass
class Seat:
    """Somebody at a terminal of their own, who can press Ctrl-C there."""

    project: Project
    master: int = -1
    runs: list[Run] = field(default_factory=list)

    def start(self) -> Run:
        """Start the topology in the foreground of the terminal."""
        self.master, terminal = pty.openpty()
        run_dir, marker = self.project.folder / "runs" / "terminal", uuid.uuid4().hex
        run_dir.mkdir(parents=True)
        out_path, err_path = run_dir.with_suffix(".json"), run_dir.with_suffix(".screen")
        command = [sys.executable, "-m", "orchestrator", "run", "--run-dir", str(run_dir)]
        command += ["--json", str(out_path)]
        process = subprocess.Popen(
            command,
            cwd=self.project.folder,
            env=os.environ | {MARKER: marker, "TERM": "xterm", "COLUMNS": "120"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads yet
        )
        os.close(terminal)
        threading.Thread(target=_copy, args=(self.master, err_path), daemon=True).start()
        run = Run(process, run_dir, marker, out_path, err_path)
        self.runs.append(run)
        return run

    def press_ctrl_c(self) -> None:
        """What the terminal makes of the key: SIGINT to its foreground."""
        os.write(self.master, b"\x03")


def _copy(master: int, path: Path) -> None:
    """Keep all that is written to the terminal; the read fails once its last user is gone."""
    with path.open("wb", buffering=0) as screen:
        while True:
            try:
                screen.write(os.read(master, 65536))
            except OSError:
                return


@pytest.fixture
def seat(project: Project) -> Iterator[Seat]:
    furnish(project)
    made = Seat(project)
    yield made
    for run in made.runs:
        run.abandon()
    if made.master >= 0:
        os.close(made.master)


Interrupt = Callable[[Seat, Run], None]
WAYS: dict[str, tuple[Interrupt, int]] = {
    "ctrl-c": (lambda seat, _: seat.press_ctrl_c(), 130),
    "sigterm": (lambda _, run: run.signal(signal.SIGTERM), 143),
    "sigterm to the group, as timeout(1) sends it": (
        lambda _, run: os.killpg(run.process.pid, signal.SIGTERM),
        143,
    ),
}
ways = pytest.mark.parametrize(("interrupt", "exit_code"), WAYS.values(), ids=WAYS)


def interrupted(outcome: Outcome, exit_code: int, *, lost: bool = False) -> Outcome:
    """What an interrupt always ends in; only one that cuts tasks short has a loss to tell."""
    assert outcome.exit_code == exit_code, outcome.stderr
    summary = outcome.summary
    assert (summary["verdict"], summary["exit_code"]) == ("interrupted", exit_code)
    assert "Traceback" not in outcome.stderr
    assert [problem["kind"] for problem in summary["problems"]] == ["lost"] * lost, outcome.stderr
    assert all(process["ended_s"] is not None for process in summary["processes"])
    return outcome


@ways
@pytest.mark.parametrize("pattern", PATTERNS)
def test_once_drains(seat: Seat, pattern: str, interrupt: Interrupt, exit_code: int) -> None:
    """The sources begin nothing more, what is under way is completed, and the books balance."""
    seat.project.topology(PATTERNS[pattern])
    run = seat.start()
    wait_for_traces(seat.project, run, WITNESS[pattern], 30)
    interrupt(seat, run)
    outcome = interrupted(run.outcome(), exit_code)
    books_agree(outcome)
    for link in outcome.summary["links"]:
        if link["lost"] is not None:
            assert link["sent"] == link["received"] > 0, link
    assert {process["outcome"] for process in outcome.summary["processes"]} == {"finished"}
    if pattern == "pipeline":
        assert _lines(seat, "results.jsonl") == outcome.links["tasks"]["sent"]
    elif pattern == "requests":
        files = [
            path.name for path in seat.project.folder.glob("replies-*.jsonl")
        ]  # a client may not have begun
        kept = sum(_lines(seat, name) for name in files)
        assert kept == outcome.links["hello"]["replies"]["received"]


def _lines(seat: Seat, name: str) -> int:
    return len((seat.project.folder / name).read_bytes().splitlines())


@ways
def test_twice_ends_at_once(seat: Seat, interrupt: Interrupt, exit_code: int) -> None:
    """Two workers hold a task of ten minutes: the first time waits for them, the second does not."""
    seat.project.write("stuck.py", STUCK)
    seat.project.topology(ENDLESS_TASK)
    run = seat.start()
    wait_until((seat.project.folder / "begun").exists, "a task begun")
    run.wait_for("ProcessFinished", process="ventilator-1")
    interrupt(seat, run)
    run.wait_for("RunDraining")
    assert run.process.poll() is None
    interrupt(seat, run)
    outcome = interrupted(run.outcome(), exit_code, lost=True)
    assert [process["signal"] for process in outcome.of_node("worker")] == ["SIGKILL"] * 2
    books_agree(outcome)
    assert len(outcome.processes) == 4
    assert outcome.links["tasks"]["sent"] == 10
    assert outcome.links["tasks"]["lost"] == 10


@ways
def test_before_go(seat: Seat, interrupt: Interrupt, exit_code: int) -> None:
    """The start is held: nothing was sent, and all leave at once."""
    seat.project.topology("""
        held:
          endpoints: {tasks: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 10}}
            sink: {role: sink, connect: tasks}
            gate: {role: "gate:Gate", depends_on: [ventilator]}
    """)
    run = seat.start()
    run.wait_for("ProcessReady", process="ventilator-1")
    run.wait_for("ProcessLaunched", process="gate-1")
    interrupt(seat, run)
    outcome = interrupted(run.outcome(), exit_code)
    assert not run.events("RunReady")
    assert outcome.links["tasks"]["sent"] == 0
    assert {process["outcome"] for process in outcome.summary["processes"]} == {"stopped"}


def test_the_key_reaches_the_orchestrator_alone(seat: Seat) -> None:
    """A user's role that would die of Ctrl-C does not see it."""
    seat.project.write(
        "touchy.py",
        """
        import signal

        from roles.kit import Pull, Role


        class Touchy(Role):
            tasks = Pull()

            def setup(self):
                signal.signal(signal.SIGINT, self.hurt)

            def hurt(self, *_):
                raise RuntimeError("Ctrl-C came here")

            def run(self):
                for task in self.tasks:
                    (self.folder / "begun").touch()
        """,
    )
    seat.project.topology("""
        touchy:
          endpoints: {tasks: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 1000000, rate: 500}}
            touchy: {role: "touchy:Touchy", connect: tasks}
    """)
    run = seat.start()
    wait_until((seat.project.folder / "begun").exists, "a task taken")
    seat.press_ctrl_c()
    outcome = interrupted(run.outcome(), 130)
    assert outcome.links["tasks"]["sent"] == outcome.links["tasks"]["received"] > 0


def test_held_at_the_end(seat: Seat) -> None:
    """Everything else has finished when Ctrl-C comes: nothing is lost by it."""
    seat.project.topology("""
        late:
          endpoints: {tasks: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 10}}
            sink: {role: sink, connect: tasks, params: {into: results.jsonl}}
            gate: {role: "gate:Gate"}
    """)
    open_gate(seat.project, "start")
    run = seat.start()
    run.wait_for("ProcessFinished", process="sink-1")
    seat.press_ctrl_c()
    outcome = interrupted(run.outcome(), 130)
    assert _lines(seat, "results.jsonl") == outcome.links["tasks"]["received"] == 10


def _result(document: dict[str, Any]) -> Any:
    return document["verdict"], document["exit_code"]


def test_a_second_pattern_does_not_start(seat: Seat) -> None:
    """The user wants to leave, not to see the next pattern."""
    seat.project.topology(f"{PATTERNS['updates']}\n{PATTERNS['requests']}")
    run = seat.start()
    events = seat.project.folder / "runs" / "terminal" / "updates" / "events.jsonl"
    wait_until(lambda: events.exists() and b"RunReady" in events.read_bytes(), "Go")
    seat.press_ctrl_c()
    assert run.process.wait(DEADLINE_S) == 130
    wait_until(lambda: not run.living(), "everybody gone", 5)
    outcome = Outcome(130, run.out_path.read_text(), run.stderr, run.run_dir)
    assert _result(outcome.document) == ("interrupted", 130)
    assert [summary["pattern"] for summary in outcome.document["runs"]] == ["updates"]
