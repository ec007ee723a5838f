"""Acknowledged delivery with real processes: whoever is killed, every task has its result, once."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import tempfile
from pathlib import Path

import pytest
from harness import ENGINES, Project, wait_until

from chaos import failpoints, kills
from chaos.kills import RESTART, lines, pipeline
from orchestrator.run.requests import Down, Restart, Scale

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("DELIVERY_KILLS", "50"))
TASKS = int(os.environ.get("DELIVERY_TASKS", "100000"))
SEED = os.environ.get("DELIVERY_SEED", "1")


def done(project):
    return [json.loads(line) for line in (project.folder / "done.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_without_deaths_gives_each_task_once(project, engine):
    project.topology(pipeline(ventilator="params: {count: 2000}"))
    outcome = project.run("--engine", engine).balanced()
    assert sorted(done(project)) == list(range(1, 2001))
    tasks, results = outcome.links["tasks"], outcome.links["results"]
    assert (tasks["sent"], tasks["received"], tasks["redelivered"], tasks["duplicates"]) == (
        2000,
        2000,
        0,
        None,
    )
    assert (results["received"], results["redelivered"], results["duplicates"]) == (2000, None, 0)
    assert (outcome.sent("ventilator-1", "tasks"), outcome.received("sink-1", "results")) == (2000, 2000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_somebody_is_killed_50_times_and_each_result_is_there_once(project):
    """With `DELIVERY_KILLS`, `DELIVERY_TASKS` and `DELIVERY_SEED` it goes on for longer, and otherwise."""
    tally = kills.play(project, SEED, KILLS, TASKS)
    assert (tally.tried, tally.faults) == (KILLS, [])


def test_a_result_that_is_lost_or_twice_there_is_seen(project):
    (project.folder / "done.jsonl").write_text("1\n2\n2\n4\n9\n")
    assert kills.not_once(project, 4) == (1, 2)


STEPS = (
    ("source.before_send", "worker.after_receive", "sink.after_receive"),
    ("source.after_send", "worker.after_work", "sink.before_write"),
    ("source.before_journal", "worker.before_send", "sink.before_log"),
    ("source.after_journal", "worker.after_send", "sink.before_sync"),
    ("", "", "sink.before_ack"),
    ("", "", "sink.after_ack"),
)


@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: " ".join(filter(None, steps)))
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(1, id="first"),
        pytest.param(2, id="middle", marks=pytest.mark.slow),
        pytest.param(3, id="last", marks=pytest.mark.slow),
    ],
)
def test_each_step_of_the_protocol_outlives_a_kill(project, steps, number):
    """At the first, a middle and the last of three messages, each of them one task; all three roles die there."""
    tally = failpoints.play(project, tuple(filter(None, steps)), number, window=1)
    assert tally.faults == []
    assert tally.tried


def test_every_step_of_the_protocol_is_among_them():
    assert sorted(filter(None, itertools.chain(*STEPS))) == sorted(failpoints.STEPS)
    mixed = list(itertools.chain(*failpoints.trios(random.Random(SEED))))
    assert sorted(mixed) == sorted(failpoints.STEPS)


ONE_BY_ONE = "{address: ipc, delivery: at_least_once, window: 1}"
"""No more tasks are under way than there are workers, so that no acknowledgement is for more than three."""


def test_what_was_written_down_and_not_acknowledged_is_not_done_again(project):
    project.topology(pipeline(tasks=ONE_BY_ONE, ventilator="params: {count: 3}", replicas="replicas: 1"))
    run = project.start(environment={"ORCHESTRATOR_FAIL": "sink.before_ack:3=kill"})
    outcome = run.outcome().passed()
    assert sorted(done(project)) == [1, 2, 3]
    assert run.events("ProcessEnded", process="sink-1", signal="SIGKILL")
    assert (outcome.links["tasks"]["redelivered"], outcome.links["results"]["duplicates"]) == (0, 0)


NOTED = """
import time
from roles.kit import Pull, Role

def slow_work(task):
    time.sleep(0.4)
    return work(task)

def work(task):
    with open("calls", "a") as file:
        file.write(f"{task}\\n")
    return task

class Filer(Role):
    tasks = Pull()

    def run(self):
        for task in self.tasks:
            work(task)
"""
FILERS = f"""
p:
  endpoints: {{tasks: {{address: ipc, delivery: at_least_once}}}}
  nodes:
    ventilator: {{role: ventilator, bind: tasks, params: {{count: 300, rate: 2000}}, {RESTART}}}
    filer: {{role: "noted:Filer", connect: tasks, replicas: 3}}
"""


@pytest.mark.parametrize(
    ("step", "victim", "ends"),
    [
        ("sink.after_receive:3", "sink-1", "in a sink"),
        ("sink.before_write:2", "sink-1", "in a sink"),
        ("sink.before_sync:2", "sink-1", "in a sink"),
        ("source.before_send:3", "ventilator-1", "in a sink"),
        ("source.after_send:3", "ventilator-1", "in a sink"),
        ("source.before_journal:2", "ventilator-1", "in a sink"),
        ("source.before_journal:3", "ventilator-1", "with the worker"),
    ],
)
def test_with_a_sink_or_a_source_no_work_is_lost(project, step, victim, ends):
    """Workers say once more what they have done, so that nothing is done twice.

    A sink whose disk is slow writes down, and acknowledges, all in two times.
    """
    project.write("noted.py", NOTED)
    text = pipeline(worker='params: {call: "noted:work"}', ventilator="params: {count: 300, rate: 2000}")
    project.topology(text if ends == "in a sink" else FILERS)
    run = project.start(environment={"ORCHESTRATOR_FAIL": f"{step}=kill"})
    link = run.outcome().passed().links["tasks"]
    assert run.events("ProcessEnded", process=victim, signal="SIGKILL")
    assert (link["sent"], link["received"]) == (300, 300)
    assert sorted(map(int, (project.folder / "calls").read_text().split())) == list(range(1, 301))
    if ends == "in a sink":
        assert sorted(done(project)) == list(range(1, 301))
    if (
        victim == "sink-1"
    ):  # what a source had in its socket is lost with it, reaches no worker, and is given again
        assert link["redelivered"] == 0


@pytest.mark.slow
def test_with_a_source_no_work_is_lost_that_takes_its_time(project):
    """Who is in the middle of a task is seen by the next source only when that is done."""
    project.write("noted.py", NOTED)
    project.topology(pipeline(worker='params: {call: "noted:slow_work"}', ventilator="params: {count: 30}"))
    run = project.start(environment={"ORCHESTRATOR_FAIL": "source.before_journal:5=kill"})
    link = run.outcome().passed().links["tasks"]
    assert run.events("ProcessEnded", process="ventilator-1", signal="SIGKILL")
    assert sorted(map(int, (project.folder / "calls").read_text().split())) == list(range(1, 31))
    assert (link["sent"], link["received"]) == (30, 30)


def test_an_item_that_is_refused_was_never_sent(project):
    """And who goes on without it has a run that passes."""
    project.write(
        "mine.py",
        """
        from roles.kit import Push, Role
        from roles.kit.frames import TooLarge

        class Source(Role):
            tasks = Push()

            def run(self):
                for number in range(20):
                    try:
                        self.tasks.send("x" * 5000 if number == 4 else "x")
                    except TooLarge as error:
                        print(error)
        """,
    )
    endpoint = "{address: ipc, delivery: at_least_once, max_message: 4KiB}"
    project.topology(
        pipeline(tasks=endpoint, ventilator="params: {}").replace("role: ventilator", 'role: "mine:Source"')
    )
    run = project.start(environment={"ORCHESTRATOR_FAIL": "source.after_journal:1=kill"})
    outcome = run.outcome().passed()
    assert run.events("ProcessEnded", process="ventilator-1", signal="SIGKILL")
    tasks = outcome.links["tasks"]
    assert (tasks["sent"], tasks["received"], tasks["lost"]) == (19, 19, 0)
    assert len(done(project)) == 19


@pytest.mark.parametrize("step", ["sink.before_log", "sink.before_sync", "sink.before_ack", "sink.after_ack"])
def test_what_is_acknowledged_outlives_a_loss_of_power(project, step):
    """The sink's files lose what was not synced. Without the sync, what was acknowledged would be among it."""
    project.topology(pipeline(tasks=ONE_BY_ONE, ventilator="params: {count: 20}"))
    run = project.start(environment={"ORCHESTRATOR_FAIL": f"{step}:3=power"})
    run.outcome().passed()
    assert sorted(done(project)) == list(range(1, 21))
    assert len(run.events("ProcessEnded", signal="SIGKILL")) == 1


def test_a_total_is_right_though_its_sink_is_killed(project):
    project.write("mine.py", "def add(total, item):\n    return (total or 0) + item\n")
    sink = 'params: {fold: "mine:add", into: done.jsonl}'
    project.topology(pipeline(tasks=ONE_BY_ONE, ventilator="params: {count: 200}", sink=sink))
    run = project.start(environment={"ORCHESTRATOR_FAIL": "sink.after_ack:5=kill"})
    run.outcome().passed()
    assert done(project) == [200 * 201 // 2]
    assert run.events("ProcessEnded", process="sink-1", signal="SIGKILL")


def test_a_task_has_none_or_many_results(project):
    project.write("mine.py", "def many(n):\n    for _ in range(n % 3):\n        yield [n]\n")
    project.topology(
        pipeline(ventilator="params: {count: 300, rate: 3000}", worker='params: {call: "mine:many"}')
    )
    run = project.start(
        environment={"ORCHESTRATOR_FAIL": "worker-1@worker.before_send:7=kill,sink.before_ack:9=kill"}
    )
    outcome = run.outcome().passed()
    assert sorted(done(project)) == sorted([n] for n in range(1, 301) for _ in range(n % 3))
    assert (outcome.links["tasks"]["received"], outcome.links["results"]["received"]) == (300, 300)


LIMITED = (
    "{address: ipc, delivery: at_least_once}, results: ipc",
    "{address: ipc, LIMIT, delivery: at_least_once}, results: {address: ipc, LIMIT}",
)
SIZED = """
SIZES = {sizes}


def texts():
    for number in range(600):
        yield [number, "x" * SIZES[number % len(SIZES)]]


def grown(item):
    return [item[0], item[1] * 40]
"""


def limited(limit: str, **changes: str) -> str:
    """The pipeline, with messages of so many bytes at the most."""
    text = pipeline(**changes)
    assert LIMITED[0] in text
    return text.replace(*LIMITED).replace("LIMIT", f"max_message: {limit}")


def test_no_message_is_larger_than_its_endpoint_allows(project):
    """Neither those of tasks, nor of results, nor of what is given again; small ones before let many into a parcel."""
    sizes = [10] * 60 + [1000, 3000, 10, 2000, 1500, 2900, 3000, 1200] * 5
    project.write("mine.py", SIZED.format(sizes=sizes))
    project.topology(limited("4KiB", ventilator="params: {call: 'mine:texts'}"))
    run = project.start(environment={"ORCHESTRATOR_FAIL": "worker.before_send:9=kill"})
    outcome = run.outcome().passed()
    assert run.events("ProcessEnded", signal="SIGKILL")
    assert sorted(done(project)) == [[number, "x" * sizes[number % 100]] for number in range(600)]
    tasks = outcome.links["tasks"]
    assert (tasks["sent"], tasks["received"], tasks["foreign"]) == (600, 600, 0)


def test_results_larger_than_their_tasks_are_split(project):
    sizes = [0, 25, 50, 75, 90]
    project.write("mine.py", SIZED.format(sizes=sizes))
    project.topology(
        limited("4KiB", ventilator="params: {call: 'mine:texts'}", worker='params: {call: "mine:grown"}')
    )
    project.run().passed()
    assert sorted(done(project)) == [[n, "x" * 40 * sizes[n % 5]] for n in range(600)]


@pytest.mark.parametrize("who", ["ventilator-1", "worker-1"])
def test_an_item_too_large_fails_its_sender(project, who):
    """What was given before it is done; the error names item, size and key."""
    sizes = [10] * 50 + ([5000] if who == "ventilator-1" else [200])
    project.write("mine.py", SIZED.format(sizes=sizes))
    project.topology(
        limited(
            "4KiB",
            ventilator="params: {call: 'mine:texts'}",
            worker='params: {call: "mine:grown"}',
            replicas="replicas: 1",
            restart="restart: no",
        )
    )
    outcome = project.run()
    assert outcome.exit_code == 1
    (problem,) = [one for one in outcome.problems if one["process"] == who]
    key = "tasks" if who == "ventilator-1" else "results"
    assert "TooLarge: cannot send " in problem["text"]
    assert '[50,"xxx' in problem["text"]
    assert (
        f"bytes, and '{key}' allows 4,096 (send less at a time, or write a larger max_message"
        in problem["text"]
    )
    assert "Traceback" not in (outcome.run_dir / "logs" / f"{who}.log").read_text()
    assert outcome.links["tasks"]["foreign"] == 0


def test_a_task_with_too_large_a_result_is_set_aside(project):
    sizes = [10] * 50 + [200] + [10] * 549
    project.write("mine.py", SIZED.format(sizes=sizes))
    project.topology(
        limited(
            "4KiB",
            ventilator="params: {call: 'mine:texts'}",
            worker='params: {call: "mine:grown"}',
        )
    )
    outcome = project.run()
    (problem,) = [one for one in outcome.problems if "set aside" in one["text"]]
    assert problem["text"].startswith("tasks: task 51 of ventilator-1 is set aside: 3 workers died with it")
    kept = sorted(number for number, _ in done(project))
    assert kept == [number for number in range(600) if number != 50]


def in_msgpack(**changes):
    """The pipeline with a codec that cannot pack every number."""
    text = pipeline(tasks="{address: ipc, delivery: at_least_once, codec: msgpack}", **changes)
    return text.replace("results: ipc", "results: {address: ipc, codec: msgpack}")


def workers_logs(outcome):
    return "".join(path.read_text() for path in (outcome.run_dir / "logs").glob("worker-*.log"))


@pytest.mark.parametrize(
    ("shape", "told"), [("{}", f"cannot send {2**70}: OverflowError"), ("[{}]", "while handling 51\n")]
)
def test_a_task_whose_result_cannot_be_packed_is_set_aside(project, shape, told):
    """Results travel together; none of the others is to blame or lost."""
    project.write("mine.py", f"def work(n):\n    return {shape.format('2**70 if n == 51 else n')}\n")
    project.topology(in_msgpack(ventilator="params: {count: 200}", worker='params: {call: "mine:work"}'))
    outcome = project.run()
    problems = [one["text"] for one in outcome.problems]
    assert any(text.startswith("tasks: task 51 of ventilator-1 is set aside: 3 workers") for text in problems)
    kept = sorted(result[0] if isinstance(result, list) else result for result in done(project))
    assert kept == [number for number in range(1, 201) if number != 51]
    log = workers_logs(outcome)
    assert log.count(told) == 3


def test_two_tasks_that_kill_are_both_set_aside_and_both_have_their_reason(project):
    """They are worked in one parcel, so that the result of the first waits while the other raises."""
    project.write("mine.py", "def work(n):\n    return 2**70 if n == 50 else n / (n - 55) * 0 + n\n")
    project.topology(in_msgpack(ventilator="params: {count: 200}", worker='params: {call: "mine:work"}'))
    outcome = project.run()
    aside = sorted(one["text"] for one in outcome.problems if "is set aside" in one["text"])
    assert [text.split()[2] for text in aside] == ["50", "55"]
    assert sorted(map(int, done(project))) == [number for number in range(1, 201) if number not in (50, 55)]
    log = workers_logs(outcome)
    assert log.count(f"cannot send {2**70}") >= 3
    assert log.count("ZeroDivisionError: ") >= 3


def test_an_item_that_cannot_be_packed_fails_its_source_and_is_named(project):
    project.write(
        "mine.py",
        """
        from roles.ventilator import Ventilator

        class Numbers(Ventilator):
            def everything(self):
                yield from range(1, 51)
                while not (self.folder / "done").exists():
                    self.pause(0.005)
                yield 2**70
                yield from range(52, 201)
        """,
    )
    text = in_msgpack(ventilator="params: {}", restart="restart: no")
    project.topology(text.replace("role: ventilator", 'role: "mine:Numbers"'))
    run = project.start()
    wait_until(lambda: lines(project) == 50, "the results of those before it")
    (project.folder / "done").touch()
    outcome = run.outcome()
    assert outcome.exit_code == 1
    (problem,) = [one["text"] for one in outcome.problems if one["process"] == "ventilator-1"]
    assert f"Unsendable: cannot send {2**70}: OverflowError: " in problem
    (path,) = project.folder.glob("done.jsonl*")  # completed where the drain is not cut before that
    kept = sorted(map(int, path.read_text().splitlines()))
    assert kept[:50] == list(range(1, 51))
    assert set(kept[50:]) <= set(range(52, 201)), "some were taken already"
    assert len(kept) == len(set(kept))


def test_workers_without_an_outlet_acknowledge_by_themselves(project):
    project.write(
        "mine.py",
        """
        from pathlib import Path
        from roles.kit import Pull, Role

        class Filer(Role):
            tasks = Pull()

            def run(self):
                for task in self.tasks:
                    Path(f"task-{task}").touch()
        """,
    )
    project.topology(f"""
        p:
          endpoints: {{tasks: {{address: ipc, delivery: at_least_once}}}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 200, rate: 2000}}, {RESTART}}}
            filer: {{role: "mine:Filer", connect: tasks, replicas: 2, {RESTART}}}
    """)
    run = project.start(environment={"ORCHESTRATOR_FAIL": "worker.before_send:4=kill"})
    outcome = run.outcome().passed()
    assert outcome.links["tasks"]["received"] == 200
    assert {path.name for path in project.folder.glob("task-*")} == {f"task-{n}" for n in range(1, 201)}
    assert run.events("ProcessEnded", signal="SIGKILL")


ODD = """
    from roles.kit import Pull, Push, Role

    class Early(Role):
        tasks = Pull()
        results = Push()

        def run(self):
            for _ in range(5):
                self.results.send(self.tasks.recv())

    class Summing(Role):
        tasks = Pull()
        results = Push()

        def run(self):
            self.results.send(sum(self.tasks))
"""


def test_workers_that_finish_early_leave_the_rest_unread(project):
    project.write("odd.py", ODD)
    text = pipeline(ventilator="params: {count: 1000, rate: 1000}")
    project.topology(
        text.replace("role: worker", 'role: "odd:Early"').replace(
            'params: {call: "roles.functions:echo"}, ', ""
        )
    )
    outcome = project.run().passed()
    link = outcome.links["tasks"]
    assert (link["received"], link["lost"]) == (15, 0)
    assert link["unread"] == link["sent"] - 15
    assert len(done(project)) == 15


def test_what_belongs_to_no_task_cannot_be_sent(project):
    project.write("odd.py", ODD)
    text = pipeline(restart="restart: no").replace("role: worker", 'role: "odd:Summing"')
    project.topology(text.replace('params: {call: "roles.functions:echo"}, ', ""))
    outcome = project.run()
    assert outcome.exit_code == 1
    assert "cannot send without a task in hand" in outcome.problems[0]["text"]


DEADLY = """
    import os, signal, time

    def work(n):
        if n == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    def fail(n):
        if n == 7:
            raise ValueError("seven")
        return n
"""


@pytest.mark.parametrize("function", ["work", "fail"])
def test_a_task_that_kills_three_workers_is_set_aside_and_named(project, function):
    project.write("deadly.py", DEADLY)
    project.topology(pipeline(worker=f'params: {{call: "deadly:{function}"}}'))
    run = project.start()
    outcome = run.outcome()
    assert outcome.exit_code == 1
    (problem,) = outcome.problems
    assert problem["kind"] == "quarantined"
    assert problem["text"] == "tasks: task 7 of ventilator-1 is set aside: 3 workers died with it in hand (7)"
    assert (problem["endpoint"], problem["process"], problem["line"]) == ("tasks", "ventilator-1", 5)
    assert sorted(done(project)) == [n for n in range(1, 101) if n != 7]
    link = outcome.links["tasks"]
    assert (link["sent"], link["received"], link["lost"], link["unread"]) == (100, 99, 1, 0)
    assert sum(process["restarts"] for process in outcome.of_node("worker")) == 3


def test_a_task_that_is_set_aside_may_be_expected(project):
    project.write("deadly.py", DEADLY)
    project.topology(pipeline(worker='params: {call: "deadly:work"}') + "      expect: {tasks.lost: 1}\n")
    outcome = project.run().passed()
    assert [note["kind"] for note in outcome.summary["notes"]].count("quarantined") == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_workers_come_and_go_while_tasks_are_given(project, engine):
    project.topology(pipeline(ventilator="params: {count: 1000000000, rate: 4000}"))
    run = project.start("--engine", engine)
    run.wait_for("RunReady")
    for replicas in (6, 1):
        answer = run.ask(Scale, node="worker", replicas=replicas)
        assert answer.done, answer.text
    assert run.ask(Down).done
    link = run.outcome().balanced().links["tasks"]
    assert sorted(done(project)) == list(range(1, link["sent"] + 1))
    assert link["redelivered"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["worker", "sink", "ventilator"])
def test_a_new_start_that_is_asked_for_gives_nothing_twice(project, target):
    project.topology(pipeline(ventilator="params: {count: 20000, rate: 4000}"))
    run = project.start()
    run.wait_for("RunReady")
    wait_until(lambda: lines(project) > 100, "some results")
    answer = run.ask(Restart, target=target)
    assert answer.done, answer.text
    outcome = run.outcome().balanced()
    assert sorted(done(project)) == list(range(1, 20001))
    assert {process["restarts"] for process in outcome.of_node(target)} == {1}
    assert outcome.links["tasks"]["redelivered"] == 0


@pytest.mark.parametrize("how", ["duration", "down", "interrupt"])
def test_a_stream_without_end_is_drained(project, how):
    text = pipeline(ventilator="params: {count: 1000000000, rate: 5000}")
    project.topology(text + ("      duration: 500ms\n" if how == "duration" else ""))
    run = project.start()
    if how != "duration":
        wait_until(lambda: lines(project) > 200, "some results")
    if how == "down":
        assert run.ask(Down).done
    elif how == "interrupt":
        run.signal(signal.SIGINT)
    outcome = run.outcome()
    assert outcome.exit_code == (130 if how == "interrupt" else 0), outcome.stderr
    link = outcome.links["tasks"]
    assert (link["lost"], link["unread"]) == (0, 0)
    assert sorted(done(project)) == list(range(1, link["sent"] + 1))


@pytest.mark.slow
@pytest.mark.parametrize("rate", [20, 20000])
def test_a_source_that_is_killed_as_the_run_goes_down_gives_again_what_it_had_given(project, rate):
    project.topology(pipeline(ventilator=f"params: {{count: 1000000000, rate: {rate}}}"))
    run = project.start()
    wait_until(lambda: lines(project) > 20, "some results")
    os.kill(run.pid("ventilator-1"), signal.SIGKILL)
    assert run.ask(Down).done
    outcome = run.outcome().balanced("tasks")
    assert sorted(done(project)) == list(range(1, outcome.links["tasks"]["sent"] + 1))


@pytest.mark.slow
def test_a_source_that_comes_again_in_the_end_has_its_grace_from_then_on(project):
    project.write(
        "slow.py",
        """
        import time
        from pathlib import Path

        def work(task):
            while task > 3 and not Path("the fourth" if task == 4 else "the others").exists():
                time.sleep(0.005)
            time.sleep(1)
            return task
        """,
    )
    project.topology(
        pipeline(
            ventilator="stop_grace_period: 500ms, params: {count: 1000000000}",
            worker='params: {call: "slow:work"}',
            replicas="replicas: 1",
        )
    )
    run = project.start()
    run.wait_for("RunReady")
    wait_until(lambda: run.states()["ventilator-1"].sent >= 5, "a task in hand and the next one beside it")
    assert run.ask(Down).done
    run.wait_for("RunDraining")
    (project.folder / "the fourth").touch()
    wait_until(lambda: lines(project) > 3, "a result, which takes longer than its grace")
    os.kill(run.pid("ventilator-1"), signal.SIGKILL)
    (project.folder / "the others").touch()
    outcome = run.outcome().balanced("tasks")
    assert sorted(done(project)) == list(range(1, outcome.links["tasks"]["sent"] + 1))


@pytest.mark.slow
def test_a_service_loses_nothing_though_its_coordinator_dies_with_a_worker(project):
    project.topology(pipeline(ventilator="params: {count: 1000000000, rate: 5000}"))
    service = project.up()
    wait_until(lambda: lines(project) > 200, "some results")
    for kill in range(3):
        pid = service.states()["worker-1"].pid
        os.kill(service.coordinator(), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda times=kill + 1: len(service.events("RunResumed")) == times, "another coordinator")
        wait_until(lambda pid=pid: service.states()["worker-1"].pid not in (None, pid), "another worker")
        now = lines(project)
        wait_until(lambda now=now: lines(project) > now, "more results")
    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr
    assert sorted(done(project)) == list(range(1, outcome.links["tasks"]["sent"] + 1))


@pytest.fixture
def project_in_memory():
    """A folder of the user's where nothing waits for a disk, if the machine has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = Project(Path(folder))
        yield made
        made.close()


def test_a_sink_that_waits_is_not_busy(project_in_memory):
    """It waits a moment for more before it writes what it has, and that is waiting like any other."""
    project_in_memory.topology(pipeline(ventilator="params: {count: 200, rate: 180}"))
    outcome = project_in_memory.run().passed()
    (sink,) = outcome.of_node("sink")
    assert sink["busy_s"] < 0.5 * outcome.summary["work_s"]
