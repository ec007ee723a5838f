"""Editing a topology is enough: a user in a folder of their own changes what runs without touching this project."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
from harness import Project, wait_until

from orchestrator.run.requests import Down

WORDS = """\
    count:
      description: words counted in parallel
      endpoints:
        tasks: ipc
        results: ipc
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {lines: words.txt}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: 'words:count'}}
        sink: {role: sink, bind: results, params: {fold: 'words:merge', into: counts.json}}
    """

FUNCTIONS = """\
    def count(line):
        counts = {}
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
        return counts


    def merge(total, counts):
        total = total or {}
        for word, number in counts.items():
            total[word] = total.get(word, 0) + number
        return total


    def longest(line, least=0):
        yield from (word for word in line.split() if len(word) >= least)
    """

TEXT = "the quick brown fox\njumps over the lazy dog\n" * 50


def words(project: Project) -> None:
    project.write("words.txt", TEXT)
    project.write("words.py", FUNCTIONS)
    project.topology(WORDS)


def counts(project: Project) -> dict[str, int]:
    return json.loads((project.folder / "counts.json").read_text())


def test_their_own_functions_and_files(project: Project) -> None:
    words(project)
    project.run().balanced()
    wanted: dict[str, int] = {}
    for word in TEXT.split():
        wanted[word] = wanted.get(word, 0) + 1
    assert counts(project) == wanted


def test_replicas_by_set(project: Project) -> None:
    words(project)
    outcome = project.run("--set", "count.nodes.worker.replicas=5").balanced()
    workers = outcome.of_node("worker")
    assert [worker["name"] for worker in workers] == [f"worker-{number}" for number in range(1, 6)]
    assert [worker["ports"]["tasks"]["received"] for worker in workers] == [20] * 5
    assert counts(project)["the"] == 100


def test_endpoints_by_set(project: Project, free_port: Callable[[], int]) -> None:
    words(project)
    address = f"tcp://127.0.0.1:{free_port()}"
    path = f"ipc://{project.folder / 'results'}"
    outcome = project.run(
        *(
            "--set",
            f"count.endpoints.tasks={address}",
            "--set",
            f"count.endpoints.results={{address: {path}}}",
        )
    ).balanced()
    assert outcome.links["tasks"]["addresses"] == [address]
    assert outcome.links["results"]["addresses"] == [path]
    assert counts(project)["the"] == 100


def test_arguments_for_a_function(project: Project) -> None:
    words(project)
    call = "count.nodes.worker.params.call={function: 'words:longest', with: {least: 5}}"
    project.run("--set", call, "--set", "count.nodes.sink.params={into: long.jsonl}").balanced()
    long = [json.loads(line) for line in (project.folder / "long.jsonl").read_text().splitlines()]
    assert sorted(long) == sorted(word for word in TEXT.split() if len(word) >= 5)


def test_another_file_elsewhere(project: Project) -> None:
    """What a topology names lies beside it, wherever the command is given."""
    project.write("jobs/words.txt", TEXT)
    project.write("jobs/words.py", FUNCTIONS)
    project.topology(WORDS, "jobs/mine.yaml")
    project.run("jobs/mine.yaml").balanced()
    assert json.loads((project.folder / "jobs" / "counts.json").read_text())["the"] == 100


OWN_ROLE = """\
    from roles.kit import Pull, Push, Role


    class Averager(Role):
        '''Passes on the average of every `size` numbers, and of what is left at the end.'''

        numbers = Pull()
        averages = Push()

        size: int = 10

        def run(self):
            group = []
            for number in self.numbers:
                group.append(number)
                if len(group) == self.size:
                    self.averages.send(sum(group) / len(group))
                    group = []
            if group:
                self.averages.send(sum(group) / len(group))
            self.result = {"left": len(group)}
    """


def test_their_own_role(project: Project) -> None:
    project.write("mine/__init__.py", "")
    project.write("mine/averages.py", OWN_ROLE)
    project.topology("""\
        p:
          endpoints: {numbers: ipc, averages: ipc}
          nodes:
            ventilator: {role: ventilator, bind: {tasks: numbers}, params: {count: 95}}
            averager: {role: 'mine.averages:Averager', connect: [numbers, averages], params: {size: 10}}
            sink: {role: sink, bind: {results: averages}, params: {into: averages.jsonl}}
        """)
    outcome = project.run().balanced()
    assert outcome.processes["averager-1"]["result"] == {"left": 5}
    got = [json.loads(line) for line in (project.folder / "averages.jsonl").read_text().splitlines()]
    assert got == [10 * group + 5.5 for group in range(9)] + [93.0]


SHELL = """\
    #!/bin/sh
    # Any program will do: this one starts another, which has no idea of topologies.
    exec "$PYTHON" upper.py "$TOPOLOGY_TASKS" "$TOPOLOGY_RESULTS"
    """

UPPER = """\
    import sys

    import zmq

    with zmq.Context() as context, context.socket(zmq.PULL) as tasks, context.socket(zmq.PUSH) as results:
        for address in sys.argv[1].split():
            tasks.connect(address)
        results.connect(sys.argv[2])
        print("ready for work", flush=True)
        while True:
            results.send(tasks.recv().upper())
    """


def test_their_own_program(project: Project) -> None:
    words(project)
    project.write("upper.sh", SHELL).chmod(0o755)
    project.write("upper.py", UPPER)
    project.topology(f"""\
        p:
          codec: text
          endpoints:
            tasks: 'tcp://127.0.0.1:*'
            results: {{address: ipc, idle_after: 60s}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{lines: words.txt}}}}
            upper:
              command: ./upper.sh
              connect: [tasks, results]
              replicas: 2
              environment: {{PYTHON: {sys.executable}}}
            sink: {{role: sink, bind: results, params: {{into: upper.jsonl}}}}
        """)
    run = project.start()
    run.wait_for("RunReady")
    wait_until(lambda: run.states()["sink-1"].received == 100, "all lines")
    assert run.ask(Down).done
    outcome = run.outcome().passed()
    got = [json.loads(line) for line in (project.folder / "upper.jsonl").read_text().splitlines()]
    assert sorted(got) == sorted(TEXT.upper().splitlines())
    assert outcome.log("upper-1") == "ready for work\n"
    assert "upper-1" in outcome.stderr
    assert outcome.processes["upper-1"]["role"] == "command"


def test_a_mistake_is_told_and_nothing_is_started(project: Project) -> None:
    words(project)
    outcome = project.run("--set", "count.nodes.worker.replica=5")
    assert outcome.exit_code == 2
    assert "replicas" in outcome.stderr
    assert outcome.document["runs"] == []


@pytest.mark.parametrize("batch", [1, 10])
def test_a_sink_of_theirs_handles_each_result(project: Project, batch: int) -> None:
    project.write(
        "mine.py",
        """
        from roles.sink import Sink


        class Adder(Sink):
            '''Adds up.'''

            def handle(self, item):
                super().handle(item)
                self.result = {"sum": (self.result or {}).get("sum", 0) + item}
        """,
    )
    project.topology(f"""
        p:
          endpoints: {{numbers: {{address: ipc, batch: {batch}}}}}
          nodes:
            ventilator: {{role: ventilator, bind: {{tasks: numbers}}, params: {{count: 100}}}}
            adder: {{role: "mine:Adder", connect: numbers}}
    """)
    outcome = project.run().balanced()
    assert outcome.processes["adder-1"]["result"] == {"sum": 5050}
