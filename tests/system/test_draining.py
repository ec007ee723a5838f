"""How a run that is asked to end does so, whoever does not want to; and what its end leaves behind."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from harness import Project, wait_until

from orchestrator.run.requests import Down

pytestmark = pytest.mark.slow

CLIENT = """
    import os, zmq

    socket = zmq.Context().socket(zmq.REQ)
    socket.connect(os.environ["TOPOLOGY_HELLO"])
    while True:
        socket.send(b"Hello")
        socket.recv()
    """


def test_a_duration_ends_a_command_that_would_ask_for_ever(project: Project) -> None:
    project.write("endless.py", CLIENT)
    project.topology(f"""
        p:
          duration: 500ms
          codec: text
          endpoints: {{hello: ipc}}
          nodes:
            server: {{role: server, bind: hello}}
            client: {{command: [{sys.executable}, endless.py], connect: hello}}
        """)
    outcome = project.run()
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.processes["client-1"]["outcome"] == "stopped"
    assert outcome.received("server-1", "clients") > 0


def test_a_source_that_does_not_return_is_named_after_its_grace(project: Project) -> None:
    project.write("stuck.py", "import time\n\ndef forever():\n    yield 1\n    time.sleep(60)\n")
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator:
              {role: ventilator, bind: tasks, params: {call: 'stuck:forever'}, stop_grace_period: 300ms}
            worker: {role: worker, connect: [tasks, results], params: {call: 'roles.functions:echo'}}
            sink: {role: sink, bind: results}
        """)
    run = project.start()
    run.wait_for("RunReady")
    wait_until(lambda: run.states()["sink-1"].received == 1, "what it gave before it was stuck")
    assert run.ask(Down).done
    outcome = run.outcome()
    assert outcome.exit_code == 1
    (told,) = [problem["text"] for problem in outcome.problems if problem["kind"] != "lost"]
    assert told == "ventilator-1 did not finish within 0.3 s of being asked to"
    assert outcome.links["results"]["received"] == 1


def test_a_role_that_does_not_leave_fails_the_run(project: Project) -> None:
    project.write(
        "mine.py",
        """
        import time

        from roles.sink import Sink


        class Clinging(Sink):
            def close(self):
                time.sleep(60)
        """,
    )
    project.topology("""
        p:
          endpoints: {results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: results, params: {count: 5}}
            sink: {role: 'mine:Clinging', connect: results, stop_grace_period: 300ms}
        """)
    outcome = project.run()
    assert outcome.exit_code == 1
    (told,) = [problem["text"] for problem in outcome.problems]
    assert re.fullmatch(r"sink-1 did not leave within 0\.3 s: ended by SIG(TERM|KILL)", told), told


def test_what_a_function_has_started_goes_with_its_process(project: Project) -> None:
    project.write(
        "mine.py",
        """
        import subprocess
        from pathlib import Path


        def leave_one_behind(task):
            child = subprocess.Popen(["sleep", "60"])
            Path(f"{task}.pid").write_text(str(child.pid))
            return task
        """,
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 3}}
            worker: {role: worker, connect: [tasks, results], params: {call: 'mine:leave_one_behind'}}
            sink: {role: sink, bind: results}
        """)
    project.run().passed()
    pids = [int(path.read_text()) for path in project.folder.glob("*.pid")]
    assert len(pids) == 3
    wait_until(lambda: not any(_runs(pid) for pid in pids), "the end of what the workers left behind")


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie that its new parent has yet to take note of."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_result_that_is_no_mapping_fails_the_role(project: Project) -> None:
    project.write(
        "mine.py",
        "from roles.sink import Sink\n\n\nclass Listing(Sink):\n    def run(self):\n"
        "        super().run()\n        self.result = [1, 2]\n",
    )
    project.topology("""
        p:
          endpoints: {results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: results, params: {count: 5}}
            sink: {role: 'mine:Listing', connect: results}
        """)
    outcome = project.run()
    assert outcome.exit_code == 1
    (told,) = [problem["text"] for problem in outcome.problems]
    assert told == "sink-1 failed: TypeError: cannot report a list: a role's result is a mapping"


def test_receiving_one_by_one_within_an_iteration_counts_everything(project: Project) -> None:
    project.write(
        "mine.py",
        """
        from roles.kit import Ended, Pull, Role


        class Pairs(Role):
            items = Pull()

            def run(self):
                pairs = []
                for head in self.items:
                    try:
                        pairs.append((head, self.items.recv()))
                    except Ended:
                        pairs.append((head, None))
                self.result = {"pairs": pairs}
        """,
    )
    project.topology("""
        p:
          endpoints: {items: ipc}
          nodes:
            ventilator: {role: ventilator, bind: items, params: {count: 7}}
            pairs: {role: 'mine:Pairs', connect: items}
        """)
    outcome = project.run().balanced()
    assert outcome.processes["pairs-1"]["result"] == {"pairs": [[1, 2], [3, 4], [5, 6], [7, None]]}


def test_the_slowest_start_fails_by_its_own_patience(project: Project) -> None:
    project.write(
        "mine.py",
        "import time\n\nfrom roles.worker import Worker\n\n\nclass Slow(Worker):\n"
        "    def setup(self):\n        time.sleep(60)\n",
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 5}}
            worker: {role: 'mine:Slow', connect: [tasks, results], ready_within: 5s}
            sink: {role: sink, bind: results}
        """)
    (told,) = [problem["text"] for problem in project.run().problems]
    waited = re.fullmatch(
        r"not ready after ([\d.]+) s: worker-1 is still being set up and has not bound its addresses", told
    )
    assert waited is not None, told
    assert float(waited[1]) < 10, "the others' patience is 10 s"
