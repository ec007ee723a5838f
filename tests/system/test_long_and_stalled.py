"""What takes long is not lost, and what will never end is told."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from typing import Any

import pytest
from harness import Project, wait_until
from trouble import books_agree, line_of

BUSY_S = 3.0

BUSY = f"""
    import os, pathlib, time

    def work(task):
        '''The first task takes long; whoever has another one says who he is.'''
        if task == 1:
            pathlib.Path("busy").write_text(str(os.getpid()))
            take_long()
        else:
            pathlib.Path("other").write_text(str(os.getpid()))
        return task

    def take_long():
        time.sleep({BUSY_S})
"""
BUSY_UNTIL_KILLED = """
    def take_long():
        while not pathlib.Path("killed").exists():
            time.sleep(0.005)
        time.sleep(1)
"""
BUSY_TOPOLOGY = """
    busy:
      settle: 250ms
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 20}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "busy:work"}}
        sink: {role: sink, bind: results, params: {into: results.jsonl}}
"""


@pytest.mark.slow
def test_a_busy_worker_is_waited_for(project: Project) -> None:
    """One worker is in one task for three seconds while everybody else waits, far longer than `settle`."""
    project.write("busy.py", BUSY)
    project.topology(BUSY_TOPOLOGY)
    outcome = project.run().balanced()
    assert outcome.links["results"]["received"] == 20
    assert outcome.summary["work_s"] >= BUSY_S


def test_a_receiver_that_finishes_early_beside_a_busy_one(project: Project) -> None:
    """A worker leaves after its first task: what was on its way to it is lost, what the busy one holds is not."""
    project.write("busy.py", BUSY)
    project.write(
        "early.py",
        """
        from roles.kit import Pull, Push, Role

        class Early(Role):
            tasks = Pull()
            results = Push()

            def run(self):
                for task in self.tasks:
                    self.results.send(task)
                    return
        """,
    )
    project.topology("""
        early:
          settle: 250ms
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 20, rate: 200}}
            worker: {role: worker, connect: [tasks, results], params: {call: "busy:work"}}
            early: {role: "early:Early", connect: [tasks, results]}
            sink: {role: sink, bind: results, params: {into: results.jsonl}}
    """)
    outcome = project.run()
    assert outcome.processes["worker-1"]["outcome"] == "finished"
    tasks, results = outcome.links["tasks"], outcome.links["results"]
    books_agree(outcome)
    assert results["sent"] == results["received"] == tasks["received"]
    handled = {int(line) for line in (project.folder / "results.jsonl").read_text().split()}
    assert len(handled) == results["received"]
    assert tasks["lost"] == 20 - len(handled)
    if (project.folder / "busy").exists():
        assert 1 in handled


def test_a_death_beside_a_busy_worker(project: Project) -> None:
    """The other worker is killed: the busy one's task is not called lost, though it takes longer than `settle`."""
    project.write("busy.py", BUSY + BUSY_UNTIL_KILLED)
    # A death that is a failure would leave the busy one a second and a half, whatever it has in hand.
    expected = '{worker.exit_code: [0, SIGKILL], tasks.lost: ">= 0", results.lost: ">= 0"}'
    project.topology(f"{BUSY_TOPOLOGY}      expect: {expected}\n")
    run = project.start()
    run.wait_for("ProcessFinished", process="ventilator-1")
    other = int(wait_until(lambda: _text(project, "other"), "the other worker at work"))
    wait_until(lambda: _text(project, "busy"), "a busy worker")
    os.kill(other, signal.SIGKILL)
    run.wait_for("ProcessEnded", pid=other, signal="SIGKILL")
    (project.folder / "killed").touch()
    outcome = run.outcome().passed()
    books_agree(outcome)
    busy = next(process for process in outcome.of_node("worker") if process["pid"] != other)
    assert (busy["outcome"], busy["exit_code"]) == ("finished", 0), outcome.stderr
    assert busy["ports"]["tasks"]["received"] == 10
    handled = {int(line) for line in (project.folder / "results.jsonl").read_text().split()}
    assert 1 in handled
    assert len(handled) == outcome.links["results"]["received"]


def _text(project: Project, name: str) -> Any:
    path = project.folder / name
    return path.read_text() if path.exists() else ""


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["ipc", "tcp://127.0.0.1:*"])
def test_a_large_message(project: Project, transport: str) -> None:
    """200 MB in one message, from the ventilator through the worker to the sink; then a small one."""
    project.write(
        "large.py",
        """
        import hashlib

        def tasks():
            yield bytes(range(250)) * 800_000
            yield b"small"

        def digest(frame):
            return [len(frame), hashlib.blake2b(frame).hexdigest()]
        """,
    )
    project.topology(f"""
        large:
          codec: bytes
          stall: 60s
          settle: 250ms
          endpoints:
            tasks: {{address: "{transport}", max_message: 256MiB}}
            results: {{address: "{transport}", max_message: 256MiB}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{call: "large:tasks"}}}}
            worker: {{role: worker, connect: [tasks, results], params: {{call: "roles.functions:echo"}}}}
            sink: {{role: sink, bind: results, params: {{call: "large:digest", into: digests.jsonl}}}}
    """)
    outcome = project.run().balanced()
    assert outcome.links["results"]["received"] == 2
    digest = hashlib.blake2b(bytes(range(250)) * 800_000).hexdigest()
    first = (project.folder / "digests.jsonl").read_text().splitlines()[0]
    assert first == f'[200000000,"{digest}"]'
    assert outcome.processes["sink-1"]["ports"]["results"]["bytes"] == 200_000_005


def test_all_wait_for_ever(project: Project) -> None:
    """A client that asks a server which never gets to answer: each waits for the other."""
    project.write(
        "mute.py",
        """
        from roles.kit import Pull, Push, Rep, Req, Role

        class Mute(Role):
            '''A server that waits at another door.'''
            clients = Rep()
            door = Pull()

            def run(self):
                for _ in self.door:
                    pass

        class Shy(Role):
            '''Asks first, and would knock at the door afterwards.'''
            server = Req()
            door = Push()

            def run(self):
                self.server.request("may I?")
                self.door.send("knock")
        """,
    )
    path = project.topology("""
        stalled:
          stall: 500ms
          endpoints: {hello: ipc, door: ipc}
          nodes:
            mute: {role: "mute:Mute", bind: {clients: hello, door: door}}
            shy: {role: "mute:Shy", connect: {server: hello, door: door}}
    """)
    outcome = project.run()
    assert (outcome.exit_code, outcome.summary["verdict"]) == (1, "failed"), outcome.stderr
    stalled = {p["process"]: (p["text"], p["line"]) for p in outcome.problems if p["kind"] == "stalled"}
    assert stalled == {
        "mute-1": ("stalled: mute-1 waits to receive from door (door)", line_of(path, "mute:")),
        "shy-1": ("stalled: shy-1 waits to receive from hello (server)", line_of(path, "shy:")),
    }
    assert len([problem for problem in outcome.problems if problem["kind"] == "stalled"]) == 2
    books_agree(outcome)


def test_a_sender_that_nobody_relieves(project: Project) -> None:
    """It stands at the high-water mark of a receiver that waits elsewhere: who sends and who receives is told."""
    project.write(
        "deaf.py",
        """
        from roles.kit import Pull, Push, Role

        class Deaf(Role):
            '''Takes from the left only.'''
            left = Pull()
            right = Pull()

            def run(self):
                for _ in self.left:
                    pass

        class Knot(Role):
            '''Sends so much to the right that it never comes to the left.'''
            left = Push()
            right = Push()

            def run(self):
                for _ in range(100):
                    self.right.send("x" * 100_000)
                self.left.send("at last")
        """,
    )
    path = project.topology("""
        tied:
          stall: 500ms
          endpoints: {left: ipc, right: {address: ipc, hwm: 5}}
          nodes:
            deaf: {role: "deaf:Deaf", bind: [left, right]}
            knot: {role: "deaf:Knot", connect: [left, right]}
    """)
    outcome = project.run()
    assert outcome.exit_code == 1, outcome.stderr
    stalled = {p["process"]: (p["text"], p["line"]) for p in outcome.problems if p["kind"] == "stalled"}
    assert stalled == {
        "deaf-1": ("stalled: deaf-1 waits to receive from left (left)", line_of(path, "deaf:")),
        "knot-1": ("stalled: knot-1 waits to send to right (right)", line_of(path, "knot:")),
    }
    books_agree(outcome)


@pytest.mark.slow
def test_a_busy_run_is_not_stalled(project: Project) -> None:
    """Nothing moves for longer than `stall`, but somebody works."""
    project.write("busy.py", BUSY.replace(f"time.sleep({BUSY_S})", "time.sleep(6)"))
    project.topology(BUSY_TOPOLOGY.replace("settle: 250ms", "stall: 4s"))
    project.run().balanced()


@pytest.mark.slow
def test_who_waits_is_believed_in_the_end_though_a_thread_of_its_own_is_busy(project: Project) -> None:
    """The kernel always has work for the survivor, so that it alone does not tell when the stream is over."""
    project.write(
        "busy.py",
        """
        import hashlib
        import threading
        import time

        def computes():
            hashlib.pbkdf2_hmac("sha256", b"for", b"ever", 10**9)  # it lets other threads run

        def work(task):
            if threading.active_count() == 1:
                threading.Thread(target=computes, daemon=True).start()
            return task

        def hold(task):
            time.sleep(1000)
        """,
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 200}}
            survivor: {role: worker, connect: [tasks, results], params: {call: "busy:work"}}
            victim: {role: worker, connect: [tasks, results], params: {call: "busy:hold"}}
            sink: {role: sink, bind: results}
          faults:
            - {when: {ventilator.sent: 200, sink.received: 100}, kill: victim}
          expect: {victim.exit_code: SIGKILL, tasks.lost: 100}
    """)
    outcome = project.run().passed()
    assert outcome.links["results"]["received"] == 100


@pytest.mark.slow
def test_a_program_that_is_quiet_for_long_and_then_ends_is_no_stall(project: Project) -> None:
    project.write(
        "feed.py",
        """
        import os
        import time

        import zmq

        with zmq.Context() as context, context.socket(zmq.PUSH) as tasks:
            tasks.connect(os.environ["TOPOLOGY_TASKS"])
            tasks.send(b"one")
            time.sleep(2.5)
        """,
    )
    project.topology(f"""
        p:
          stall: 1s
          codec: text
          endpoints: {{tasks: ipc}}
          nodes:
            feed: {{command: [{sys.executable}, feed.py], connect: tasks}}
            sink: {{role: sink, bind: tasks}}
    """)
    outcome = project.run().passed()
    assert outcome.links["tasks"]["received"] == 1
