"""Processes come and go while a run goes on, under both engines, and nothing is lost or done twice."""

import json
import os
import signal

import pytest
from harness import ENGINES, wait_until

from orchestrator.run.requests import Become, Down, Look, Restart, Scale

pytestmark = [pytest.mark.system, pytest.mark.slow]

BATCH = """
    p:
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {call: "load:tasks", rate: 20000}}
        worker:
          role: worker
          connect: [tasks, results]
          replicas: 3
          params: {call: "roles.functions:echo"}
          ready_within: 60s  # many may come at once
        sink: {role: sink, bind: results, params: {into: done.jsonl}}
"""


ENDLESS = """
from pathlib import Path

def tasks():
    number = 0
    while number % 1000 or not Path("enough").exists():
        number += 1
        yield number
"""


def until_enough(project, text=BATCH):
    """The batch, which goes on until a file says that it is enough: a change may take long on a busy machine."""
    project.write("load.py", ENDLESS)
    return project.topology(text)


def enough(project):
    (project.folder / "enough").touch()


def tasks_of(outcome):
    return list(range(1, outcome.sent("ventilator-1", "tasks") + 1))


def done(project, name="done.jsonl"):
    return [json.loads(line) for line in (project.folder / name).read_text().splitlines()]


@pytest.mark.parametrize("engine", ENGINES)
def test_3_to_12_to_2_workers_during_a_batch(project, engine):
    until_enough(project)
    run = project.start("--engine", engine)
    run.wait_for("RunReady")
    for replicas in (12, 2):
        answer = run.ask(Scale, node="worker", replicas=replicas)
        assert answer.done, answer.text
        wait_until(
            lambda: all(
                process.received
                for process in run.ask(Look).processes
                if (process.node, process.state) == ("worker", "running")
            ),
            "work for everybody",
        )
    enough(project)
    outcome = run.outcome().balanced()
    assert sorted(done(project)) == tasks_of(outcome)
    workers = outcome.of_node("worker")
    assert len(workers) == 12
    assert all(process["outcome"] == "finished" for process in workers)
    assert all(process["ports"]["tasks"]["received"] > 0 for process in workers)
    (finished,) = run.events("ProcessFinished", process="ventilator-1")
    left = [event["process"] for event in run.events("ProcessEnded") if event["at_s"] < finished["at_s"]]
    assert sorted(left) == sorted(f"worker-{number}" for number in range(3, 13))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("target", ["worker", "sink"])
def test_a_new_start_in_the_middle_loses_nothing(project, engine, target):
    until_enough(project, BATCH.replace("into: done.jsonl", "").replace("rate: 20000", "rate: 50000"))
    run = project.start("--engine", engine)
    run.wait_for("RunReady")
    assert run.ask(Restart, target=target).done
    enough(project)
    outcome = run.outcome().balanced()
    assert {process["restarts"] for process in outcome.of_node(target)} == {1}
    assert outcome.links["results"]["received"] == outcome.sent("ventilator-1", "tasks")


def test_slow_workers_finish_what_they_have(project):
    """Those that stay have a queue, too; all of it is done before anyone goes."""
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 100000000, workload_ms: [1, 10], rate: 100}}
            worker: {role: worker, connect: [tasks, results], replicas: 4}
            sink: {role: sink, bind: results}
    """)
    run = project.start()
    run.wait_for("RunReady")
    assert run.ask(Scale, node="worker", replicas=1).done
    assert run.ask(Down).done
    run.outcome().balanced()


def test_a_worker_that_does_not_come_to_rest_stays(project):
    project.write(
        "work.py",
        """
        import time
        from pathlib import Path

        def hard(task):
            while task == 5 and not Path("on").exists():
                time.sleep(0.005)
            return task
    """,
    )
    project.topology("""
        p:
          stall: 3s
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 100, rate: 40}}
            worker:
              role: worker
              connect: [tasks, results]
              replicas: 2
              params: {call: "work:hard"}
              stop_grace_period: 3s
            sink: {role: sink, bind: results, stop_grace_period: 3s}
    """)
    run = project.start("--set", "p.nodes.ventilator.stop_grace_period=3s")
    run.wait_for("RunReady")

    def reading():
        return {process.name: process for process in run.ask(Look).processes}

    wait_until(lambda: (reading()["ventilator-1"].sent or 0) > 10, "the fifth task to be in hand")
    answer = run.ask(Scale, node="worker", replicas=1)
    assert not answer.done
    assert "tasks did not come to rest within 3 s: worker-" in answer.text
    assert "is at work; all is as it was" in answer.text
    (project.folder / "on").touch()
    outcome = run.outcome().balanced()
    assert len(outcome.of_node("worker")) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_publishers_and_subscribers_change_while_they_run(project, engine):
    project.topology("""
        p:
          endpoints: {updates: ipc}
          nodes:
            publisher: {role: publisher, bind: updates, params: {count: 1000000000, rate: 100}}
            subscriber: {role: subscriber, connect: updates, replicas: 1}
    """)
    run = project.start("--engine", engine)
    run.wait_for("RunReady")

    def received() -> dict[str, int]:
        return {process.name: process.received or 0 for process in run.ask(Look).processes}

    wait_until(lambda: received()["subscriber-1"] > 0, "updates at one that nobody else has")
    assert run.ask(Scale, node="subscriber", replicas=4).done
    wait_until(lambda: received()["subscriber-3"] > 0, "updates at one that has come")
    assert run.ask(Scale, node="subscriber", replicas=2).done
    left_with = received()["subscriber-3"]
    wait_until(lambda: received()["subscriber-2"] > left_with, "updates at one that stays")
    run.ask(Down)
    outcome = run.outcome().passed()
    first, second, third, _ = (
        process["ports"]["updates"]["received"] for process in outcome.of_node("subscriber")
    )
    assert first == outcome.sent("publisher-1", "updates")
    assert 0 < third < second < first


@pytest.mark.parametrize("engine", ENGINES)
def test_an_edited_file_touches_only_what_is_different(project, engine, plan_of_file):
    text = """
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {call: "load:tasks", rate: 12500}}
            worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "roles.functions:echo"}}
            sink: {role: sink, bind: results}
    """
    until_enough(project, text)
    run = project.start("--engine", engine)
    run.wait_for("RunReady")
    pids = {process.name: process.pid for process in run.ask(Look).processes}
    edited = text.replace("replicas: 2", "replicas: 3").replace(
        "sink: {",
        "audit: {role: worker, connect: [tasks, results], params: {call: 'roles.functions:echo'}}\n            sink: {",
    )
    project.topology(edited)
    answer = run.ask(Become, plan=plan_of_file(project.folder / "topology.yaml"))
    assert answer.done, answer.text
    assert answer.text == "worker: 2 → 3 processes: worker-3 comes; audit: new, 1 process"
    now = {process.name: process.pid for process in run.ask(Look).processes}
    assert pids.items() <= now.items()
    wait_until(
        lambda: any(process.node == "audit" and process.received for process in run.ask(Look).processes),
        "work for the new node",
    )
    enough(project)
    outcome = run.outcome().balanced()
    assert outcome.of_node("audit")[0]["ports"]["tasks"]["received"] > 0
    assert outcome.summary["stages"][1] == ["worker", "audit"]


ANSWERS = """
    p:
      endpoints: {front: ipc}
      nodes:
        client: {role: client, connect: front, replicas: 2, params: {requests: 100000000, sockets: SOCKETS}}
        server: {role: server, bind: front, params: {call: "roles.functions:echo"}}
"""
BEHIND_A_QUEUE = """
    p:
      endpoints: {front: ipc, back: ipc}
      nodes:
        client: {role: client, connect: front, replicas: 2, params: {requests: 100000000, sockets: SOCKETS}}
        broker: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: queue}}
        server: {role: server, connect: back, replicas: 2, params: {call: "roles.functions:echo"}}
"""


@pytest.mark.parametrize("sockets", [1, 5])
@pytest.mark.parametrize(
    ("text", "target"), [(ANSWERS, "server"), (BEHIND_A_QUEUE, "server"), (BEHIND_A_QUEUE, "broker")]
)
def test_plain_clients_wait_while_a_server_is_started_again(project, text, target, sockets):
    """They do not ask again, so one request lost would be one too many."""
    project.topology(text.replace("SOCKETS", str(sockets)))
    run = project.start()
    run.wait_for("RunReady")
    for _ in range(3):
        answer = run.ask(Restart, target=target)
        assert answer.done, answer.text
    received = {process.name: process.received for process in run.ask(Look).processes}
    wait_until(
        lambda: all(
            process.received > received[process.name]
            for process in run.ask(Look).processes
            if process.node == "client"
        ),
        "all clients to go on",
    )
    assert run.ask(Down).done
    run.outcome().balanced()


@pytest.mark.parametrize("replicas", [2, 4])
def test_workers_and_their_sink_change_together(project, replicas, plan_of_file):
    text = """
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 100000000, rate: 1400, workload_ms: [2, 2]}}
            worker: {role: worker, connect: [tasks, results], replicas: 3}
            sink: {role: sink, bind: results}
    """
    project.topology(text)
    run = project.start()
    run.wait_for("RunReady")
    edited = text.replace("replicas: 3", f"replicas: {replicas}").replace(
        "bind: results", "bind: results, environment: {A: b}"
    )
    project.topology(edited)
    answer = run.ask(Become, plan=plan_of_file(project.folder / "topology.yaml"))
    assert answer.done, answer.text
    assert run.ask(Down).done
    run.outcome().balanced()


def test_subscribers_stay_while_their_publisher_is_started_again(project):
    project.topology("""
        p:
          allow: [never-ends]
          endpoints: {updates: ipc}
          nodes:
            publisher: {role: publisher, bind: updates, params: {rate: 1000}}
            subscriber: {role: subscriber, connect: updates, replicas: 2}
    """)
    run = project.start()
    run.wait_for("RunReady")
    assert run.ask(Restart, target="publisher").done
    received = {process.name: process.received for process in run.ask(Look).processes}
    wait_until(
        lambda: all(
            process.received > received[process.name]
            for process in run.ask(Look).processes
            if process.node == "subscriber"
        ),
        "updates of the new publisher",
    )
    assert run.ask(Down).done
    run.outcome().passed()


def test_a_sink_that_is_started_again_goes_on_with_its_file(project):
    until_enough(project)
    run = project.start()
    run.wait_for("RunReady")
    assert run.ask(Restart, target="sink").done
    enough(project)
    outcome = run.outcome().balanced()
    assert sorted(done(project)) == tasks_of(outcome)


def test_a_sink_that_is_killed_and_comes_back_has_all_the_lines_that_it_had(project):
    until_enough(project, BATCH.replace("into: done.jsonl}", "into: done.jsonl}, restart: on-failure"))
    run = project.start("--set", "p.expect={results.lost: '>= 0'}", "--set", "p.settle=3s")
    wait_until(lambda: run.ask(Look).processes[0].received > 1000, "some results")
    os.kill(run.pid("sink-1"), signal.SIGKILL)
    run.wait_for("ProcessLaunched", process="sink-1", incarnation=1)
    enough(project)
    outcome = run.outcome().passed()
    lines = done(project)
    assert len(lines) == len(set(lines))
    received = outcome.received("sink-1", "results")
    assert received <= len(lines) <= received + 1  # one may have been written as it was killed


def test_a_sink_that_is_to_write_another_file_does(project, plan_of_file):
    path = until_enough(project)
    run = project.start()
    run.wait_for("RunReady")
    path.write_text(path.read_text().replace("done.jsonl", "more.jsonl"))
    answer = run.ask(Become, plan=plan_of_file(path))
    assert answer.done, answer.text
    enough(project)
    outcome = run.outcome().balanced()
    assert sorted(done(project) + done(project, "more.jsonl")) == tasks_of(outcome)
