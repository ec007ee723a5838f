"""Pipelines whose items travel many to a frame: the same counts, the same books, whatever happens."""

import json
import os
import signal

import pytest
from harness import ENGINES, wait_until

from orchestrator.run.requests import Down, Scale

pytestmark = pytest.mark.system

PIPELINE = """
    p:
      codec: {codec}
      endpoints:
        tasks: {{address: ipc, batch: 100, hwm: {hwm}}}
        results: {{address: ipc, batch: 100, hwm: {hwm}}}
      nodes:
        ventilator: {{role: ventilator, bind: tasks, params: {{count: {count}}}}}
        worker: {{role: worker, connect: [tasks, results], replicas: 3, params: {{call: "{call}"}}}}
        sink: {{role: sink, bind: results, params: {{into: done.jsonl}}}}
"""
ECHO = "roles.functions:echo"
ENDLESS = 1_000_000_000


def pipeline(codec="json", count=20_000, call=ECHO, hwm=1000):
    return PIPELINE.format(codec=codec, count=count, call=call, hwm=hwm)


def done(project):
    return [json.loads(line) for line in (project.folder / "done.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("codec", ["json", "msgpack", "text"])
def test_every_item_arrives_once(project, codec):
    project.topology(pipeline(codec))
    outcome = project.run().balanced()
    assert sorted(map(int, done(project))) == list(range(1, 20_001))
    assert {link["sent"] for link in outcome.links.values()} == {20_000}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_workers_come_and_go_and_nothing_is_lost(project, engine):
    text = pipeline(count=ENDLESS).replace(f"count: {ENDLESS}", f"count: {ENDLESS}, rate: 20000")
    project.topology(text.replace("replicas: 3", "replicas: 3, ready_within: 60s"))
    run = project.start("--engine", engine)
    run.wait_for("RunReady")
    for replicas in (12, 2):
        answer = run.ask(Scale, node="worker", replicas=replicas)
        assert answer.done, answer.text
    assert run.ask(Down).done
    sent = run.outcome().balanced().links["tasks"]["sent"]
    assert sorted(done(project)) == list(range(1, sent + 1))


def test_what_a_killed_worker_had_is_counted(project):
    text = pipeline(count=ENDLESS, hwm=50).replace(
        "replicas: 3", "replicas: 3, restart: {policy: on-failure, backoff: 10ms}"
    )
    project.topology(text + '      expect: {tasks.lost: ">= 0", results.lost: ">= 0"}\n')
    run = project.start()
    run.wait_for("RunReady")
    for number in (1, 2):
        wait_until(lambda at=number: run.states()["sink-1"].received > at * 20_000, "some results")
        os.kill(run.pid(f"worker-{number}"), signal.SIGKILL)
        run.wait_for("ProcessLaunched", process=f"worker-{number}", incarnation=1)
    assert run.ask(Down).done
    outcome = run.outcome()
    assert outcome.exit_code == 0, outcome.stderr
    for link in outcome.links.values():
        assert link["sent"] - link["received"] == link["lost"]
    lines = done(project)
    assert len(lines) == len(set(lines)) == outcome.received("sink-1", "results")
    lost = sum(link["lost"] for link in outcome.links.values())
    # A list that a worker dies over is lost to both its links, so more may be counted than is missing, never less.
    assert outcome.links["tasks"]["sent"] - len(lines) <= lost


def test_the_last_items_are_shared_out(project):
    project.topology(pipeline(count=99))
    outcome = project.run().balanced()
    shares = [worker["ports"]["tasks"]["received"] for worker in outcome.of_node("worker")]
    # Of thirds there is a rest each time that the ventilator is held up, since what waits is shared out and goes.
    assert (sum(shares), min(shares) >= 20) == (99, True), shares


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["rate", "generator"])
def test_thin_traffic_is_not_kept(project, slow):
    """Items that come seldom arrive long before there are enough of them for a frame."""
    if slow == "rate":
        params = f"params: {{count: {ENDLESS}, rate: 100}}"
    else:
        project.write(
            "slow.py",
            "import time\n\ndef items():\n    while True:\n        yield 1\n        time.sleep(0.01)\n",
        )
        params = 'params: {call: "slow:items"}'
    project.topology(
        pipeline().replace("params: {count: 20000}", params).replace("batch: 100", "batch: 10000")
    )
    run = project.start()
    run.wait_for("RunReady")

    def sent_by_then():
        states = run.states()
        return states["ventilator-1"].sent if states["sink-1"].received >= 20 else None

    assert wait_until(sent_by_then, "20 results") < 10_000
    assert run.ask(Down).done
    run.outcome().balanced()


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_drains(project, signals):
    project.topology(pipeline(count=ENDLESS, hwm=50))
    run = project.start()
    run.wait_for("RunReady")
    wait_until(lambda: run.states()["sink-1"].received > 1000, "results")
    run.signal(signal.SIGINT)
    if signals == 2:
        run.wait_for("RunDraining")
        run.signal(signal.SIGINT)
    outcome = run.outcome()
    assert outcome.exit_code == 130
    if signals == 1:
        assert {link["lost"] for link in outcome.links.values()} == {0}
        assert len(done(project)) == outcome.received("sink-1", "results")


def test_the_item_that_broke_a_worker_is_told(project):
    project.write(
        "work.py",
        "def work(task):\n    if task == 777:\n        raise ValueError('not this one')\n    return task\n",
    )
    project.topology(pipeline(call="work:work", count=2000))
    outcome = project.run()
    assert outcome.exit_code == 1
    assert "while handling 777" in outcome.stderr
    assert "ValueError: not this one" in outcome.problems[0]["text"]
    assert all(
        link["sent"] - link["received"] == link["lost"] + link["unread"] for link in outcome.links.values()
    )


def test_a_function_that_gives_many_and_a_proxy_between(project):
    project.write(
        "split.py", "def split(task):\n    for part in range(task % 4):\n        yield [task, part]\n"
    )
    project.topology(
        """
        p:
          endpoints:
            tasks: {address: ipc, batch: 50}
            parts: {address: ipc, batch: 20}
            more: {address: ipc, batch: 20}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 4000}}
            worker: {role: worker, connect: [tasks, {results: parts}], replicas: 2, params: {call: "split:split"}}
            streamer: {role: proxy, bind: {frontend: parts, backend: more}, params: {kind: streamer}}
            sink: {role: sink, connect: more, params: {into: done.jsonl}}
    """.replace("connect: [tasks, {results: parts}]", "connect: {tasks: tasks, results: parts}")
    )
    project.run().balanced()
    assert sorted(done(project)) == [[n, part] for n in range(1, 4001) for part in range(n % 4)]


def test_a_result_that_cannot_be_packed_fails_its_worker_and_nothing_hangs(project):
    project.write("work.py", "def work(task):\n    return 2**70 if task == 777 else task\n")
    project.topology(pipeline(codec="msgpack", call="work:work", count=2000))
    outcome = project.run()
    assert outcome.exit_code == 1
    (failed,) = [one for one in outcome.of_node("worker") if one["outcome"] == "failed"]
    # Who takes longer to leave after a failure is ended.
    assert (failed["exit_code"], failed["signal"]) in ((1, None), (None, "SIGTERM"), (None, "SIGKILL"))
    told = f"Unsendable: cannot send {2**70}: OverflowError: "
    assert any(told in problem["text"] for problem in outcome.problems)
    for link in outcome.links.values():
        assert link["sent"] - link["received"] == link["lost"] + link["unread"]
