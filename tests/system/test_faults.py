"""Faults with real processes: what is broken, what goes on, what the books say, and the words for what could not be."""

from __future__ import annotations

import json

import pytest
from harness import Project, wait_until
from trouble import furnish, traces, wait_for_traces

pytestmark = pytest.mark.system

LOAD = """\
    import itertools
    from pathlib import Path


    def tasks():
        return itertools.takewhile(lambda _: not Path("enough").exists(), itertools.count(1))
    """
UNTIL_ENOUGH = "call: 'load:tasks'"
PIPELINE = """\
    p:
      endpoints: {tasks: ipc, results: %(address)s}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {%(source)s, rate: 1000}}
        worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: %(call)s}}
        sink: {role: sink, bind: results, params: {into: got.jsonl}}
      expect: %(expect)s
      faults: %(faults)s
    """


def pipeline(project: Project, faults, expect=None, *, source="count: 600", address="ipc"):
    furnish(project)
    project.write("load.py", LOAD)
    filled = {
        "source": source,
        "call": "{function: 'effects:slowly', with: {seconds: 0.002}}",
        "expect": json.dumps(expect or {}),
        "faults": json.dumps(faults),
        "address": address,
    }
    project.topology(PIPELINE % filled)


def got(project):
    return [json.loads(line) for line in (project.folder / "got.jsonl").read_text().splitlines()]


def texts(outcome):
    return [problem["text"] for problem in outcome.problems]


@pytest.mark.slow
@pytest.mark.parametrize("address", ["ipc", "'tcp://127.0.0.1:*'"])
def test_a_kill_that_is_expected_ends_nobody_else(project: Project, address):
    pipeline(
        project,
        [{"when": {"sink.received": 60}, "kill": "worker-2"}],
        {
            "worker-2.exit_code": "SIGKILL",
            "worker.exit_code": [0, "SIGKILL"],
            "tasks.lost": "0..599",
            "results.lost": ">= 0",
        },
        address=address,
    )
    outcome = project.run().passed()
    lost = outcome.links["tasks"]["lost"]
    # All that was not lost was done: the others were not cut short. Who is killed between sending a result and counting
    # its task has counted one less.
    assert len(got(project)) - (600 - lost - outcome.links["results"]["lost"]) in (0, 1)
    assert outcome.processes["worker-2"]["outcome"] == "killed"
    assert outcome.summary["notes"][0]["text"].startswith("worker-2 killed by SIGKILL")
    assert [fault["processes"] for fault in outcome.summary["faults"]] == [["worker-2"]]


@pytest.mark.slow
def test_the_same_kill_fails_a_run_that_expects_nothing(project: Project):
    pipeline(project, [{"when": {"sink.received": 60}, "kill": "worker-2"}])
    outcome = project.run()
    assert outcome.exit_code == 1
    assert texts(outcome)[0].startswith("worker-2 killed by SIGKILL")


def test_a_restarted_worker_does_its_share_and_its_counts_add_up(project: Project):
    pipeline(
        project,
        [{"when": {"sink.received": 60}, "restart": "worker-2", "for": "50ms"}],
        {"tasks.lost": ">= 0", "results.lost": ">= 0"},
        source=UNTIL_ENOUGH,
    )
    run = project.start()
    second = run.wait_for("ProcessLaunched", process="worker-2", incarnation=1)
    wait_until(lambda: traces(project, second["pid"]), "an item handled by the second life")
    (project.folder / "enough").touch()
    outcome = run.outcome().passed()
    again = outcome.processes["worker-2"]
    assert (again["incarnation"], again["restarts"], again["outcome"]) == (1, 1, "finished")
    link = outcome.links["tasks"]
    assert link["received"] == sum(one["ports"]["tasks"]["received"] for one in outcome.of_node("worker"))
    assert link["received"] + link["lost"] == link["sent"]
    # Who is killed between sending a result and counting its task has counted one less.
    assert len(got(project)) - (link["received"] - outcome.links["results"]["lost"]) in (0, 1)
    (ended,) = run.events("ProcessEnded", incarnation=1)
    assert ended["ports"]["tasks"]["received"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("address", ["ipc", "'tcp://127.0.0.1:*'"])
def test_a_restarted_sink_binds_where_it_was_and_workers_find_it_again(project: Project, address):
    pipeline(
        project,
        [{"when": {"sink.received": 60}, "restart": "sink"}],
        {"results.lost": "0..599", "sink.restarts": 1},
        address=address,
    )
    outcome = project.run().passed()
    link = outcome.links["results"]
    assert link["sent"] == 600
    assert link["received"] + link["lost"] == 600
    assert link["received"] > 60


def test_workers_that_are_added_take_their_share_and_nothing_is_lost(project: Project):
    pipeline(
        project,
        [{"when": {"sink.received": 60}, "scale": {"worker": 6}}],
        {"worker-6.received": ">= 5", "tasks.lost": 0},
        source=UNTIL_ENOUGH,
    )
    run = project.start()
    wait_for_traces(project, run, "worker-6", 5)
    (project.folder / "enough").touch()
    outcome = run.outcome().balanced()
    assert len(outcome.of_node("worker")) == 6
    assert sorted(got(project)) == list(range(1, outcome.sent("ventilator-1", "tasks") + 1))


@pytest.mark.slow
def test_a_paused_worker_goes_on_and_nothing_is_lost(project: Project):
    pipeline(project, [{"when": {"sink.received": 60}, "pause": "any worker", "for": "6s"}])
    outcome = project.run("--set", "p.stall=4s").balanced()
    assert outcome.summary["elapsed_s"] > 6
    assert sorted(got(project)) == list(range(1, 601))


@pytest.mark.slow
def test_the_seed_decides_whom_any_hits(project: Project):
    pipeline(
        project,
        [{"at": "10ms", "kill": "any worker"}],
        {"worker.exit_code": [0, "SIGKILL"], "tasks.lost": ">= 0", "results.lost": ">= 0"},
    )
    hit = {}
    for seed in (1, 2, 3, 1, 2, 3):
        (fault,) = project.run("--seed", str(seed)).passed().summary["faults"]
        assert hit.setdefault(seed, fault["processes"]) == fault["processes"]
    assert len({tuple(names) for names in hit.values()}) > 1


@pytest.mark.slow
def test_what_never_came_to_pass_and_who_was_gone_already_is_told(project: Project):
    pipeline(
        project,
        [
            {"when": {"sink.received": 30}, "kill": "worker-1"},
            {"when": {"sink.received": 50}, "kill": "worker-1"},
            {"at": "50s", "pause": "sink"},
            {"when": {"sink.received": 5000}, "kill": "sink"},
        ],
        {"worker.exit_code": [0, "SIGKILL"], "tasks.lost": ">= 0", "results.lost": ">= 0"},
        source="count: 200",
    )
    outcome = project.run()
    assert outcome.exit_code == 1
    told = texts(outcome)
    assert len(told) == 3
    assert told[0].startswith("cannot kill worker-1 when sink.received is 50: worker-1 ")
    assert told[1].startswith("fault never fired: pause sink, 50 s after Go (the run was over at ")
    assert told[2].startswith(
        "fault never fired: kill sink when sink.received is 5,000 (sink.received came to "
    )
    assert [problem["line"] for problem in outcome.problems] == [10, 10, 10]
    assert [fault["fired_s"] is None for fault in outcome.summary["faults"]] == [False, True, True, True]


@pytest.mark.slow
def test_clients_that_are_up_before_the_server_lose_nothing(project: Project):
    project.topology("""\
        p:
          endpoints: {hello: ipc}
          nodes:
            server: {role: server, bind: hello, start_delay: 500ms}
            client: {role: client, connect: hello, replicas: 3, params: {requests: 10}}
          expect: {client.received: 30, hello.lost: 0, hello.replies.lost: 0}
        """)
    outcome = project.run().passed()
    launched = {name: process["launched_s"] for name, process in outcome.processes.items()}
    assert launched["server-1"] >= max(launched[f"client-{k}"] for k in (1, 2, 3)) + 0.5


@pytest.mark.slow
def test_an_interrupt_does_not_wait_for_who_has_not_come(project: Project):
    project.topology("""\
        p:
          endpoints: {hello: ipc}
          nodes:
            server: {role: server, bind: hello, start_delay: 100s}
            client: {role: client, connect: hello, params: {requests: 10}, stop_grace_period: 500ms}
        """)
    run = project.start()
    run.wait_for("RunReady")
    run.signal(2)
    outcome = run.outcome()
    assert outcome.exit_code == 130
    assert outcome.processes["server-1"]["outcome"] == "not_started"


@pytest.mark.slow
def test_a_report_is_rebuilt_byte_for_byte_from_the_journal(project: Project):
    import subprocess
    import sys

    pipeline(
        project,
        [
            {"when": {"sink.received": 60}, "restart": "worker-2"},
            {"when": {"sink.received": 90}, "scale": {"worker": 5}},
        ],
        {"tasks.lost": ">= 0", "results.lost": ">= 0", "sink.received": 1, "worker.received.jain": "> 0"},
    )
    outcome = project.run()
    assert outcome.exit_code == 1
    summary = (outcome.run_dir / "summary.json").read_bytes()
    (outcome.run_dir / "summary.json").unlink()
    subprocess.run(
        [sys.executable, "-m", "orchestrator", "report", str(outcome.run_dir)],
        check=True,
        capture_output=True,
    )
    assert (outcome.run_dir / "summary.json").read_bytes() == summary


@pytest.mark.slow
def test_a_late_client_of_a_server_that_is_gone_leaves_when_nobody_can_answer(project: Project):
    project.topology("""
        p:
          endpoints: {hello: ipc}
          nodes:
            server: {role: server, bind: hello}
            client: {role: client, connect: hello, params: {requests: 5}}
            late: {role: client, connect: hello, start_delay: 800ms, params: {requests: 5}}
          expect: {server.exit_code: SIGKILL, hello.lost: "0..1", hello.replies.lost: "0..1"}
          faults: [{at: 300ms, kill: server}]
    """)
    outcome = project.run()
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.processes["late-1"]["exit_code"] == 0


@pytest.mark.slow
def test_who_comes_when_all_is_done_is_told_so_and_leaves(project: Project):
    project.topology("""
        p:
          stall: 30s
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 50, workload_ms: [1, 1]}}
            worker: {role: worker, connect: [tasks, results], replicas: 2}
            late: {role: worker, connect: [tasks, results], start_delay: 1s, replicas: 3}
            sink: {role: sink, bind: results}
    """)
    outcome = project.run()
    outcome.passed()
    assert [process["outcome"] for process in outcome.of_node("late")] == ["finished"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_subscribers_of_one_that_has_died_and_one_that_has_finished_end(project: Project, attempt):
    """The marks of the one that has finished keep waking them, which is no reason to wait on."""
    project.topology("""
        p:
          codec: text
          endpoints: {news: 'tcp://127.0.0.1:*', sport: 'tcp://127.0.0.1:*'}
          nodes:
            first: {role: publisher, bind: news, params: {count: 100, rate: 1000}}
            second: {role: publisher, bind: sport, params: {rate: 1000}}
            subscriber: {role: subscriber, connect: {updates: [news, sport]}, replicas: 3}
          expect: {second.exit_code: SIGKILL}
          faults: [{at: 400ms, kill: second}]
    """)
    outcome = project.run("--timeout", "50s")
    assert outcome.exit_code == 0, outcome.stderr
