"""Restart policies with real processes, under both engines."""

import os
import random
import signal

import pytest
from harness import ENGINES, wait_until

from orchestrator.run.requests import Down, Look

pytestmark = pytest.mark.system

KILLS = 50
STREAM = """
    p:
      allow: [starts-over]
      endpoints: {front: ipc, back: ipc}
      nodes:
        client:
          role: client
          connect: front
          replicas: 2
          params: {requests: 100000000, retry: {timeout: 300ms, attempts: 1000}}
          restart: &often
        proxy:
          role: proxy
          bind: {frontend: front, backend: back}
          params: {kind: queue}
          restart: &often
        server:
          role: server
          connect: back
          replicas: 3
          params: {call: "roles.functions:echo"}
          restart: &often
""".replace("&often", "{policy: on-failure, max: 100, within: 60s, backoff: 10ms}")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [4])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_request_is_answered_though_somebody_is_killed_50_times(project, engine, seed):
    chance = random.Random(seed)
    project.topology(STREAM)
    run = project.start("--engine", engine, "--timeout", "15m")
    run.wait_for("RunReady")
    kills = dict.fromkeys(("client-1", "client-2", "proxy-1", "server-1", "server-2", "server-3"), 0)
    for kill in range(KILLS):
        states = {process.name: process for process in run.ask(Look).processes}
        victim = chance.choice([name for name, process in states.items() if process.state == "running"])
        os.kill(states[victim].pid, signal.SIGKILL)
        kills[victim] += 1
        run.wait_for("ProcessLaunched", process=victim, incarnation=kills[victim])
        # Everybody still gets answers: each client that is there has one more than when the other was killed.
        received = {name: states[name].received for name in ("client-1", "client-2")}
        wait_until(
            lambda received=received: all(
                process.received > received[process.name]
                for process in run.ask(Look).processes
                if process.name in received
            ),
            f"an answer after kill {kill} of {victim} (seed {seed})",
        )
    assert run.ask(Down).done
    outcome = run.outcome().passed()
    for name, times in kills.items():
        process = outcome.processes[name]
        assert (process["restarts"], process["outcome"]) == (times, "finished")
    for client in outcome.of_node("client"):
        port = client["ports"]["server"]
        asked, answered = port["sent"] - port["retried"], port["received"] - port["duplicates"]
        # A client that was killed as it waited has one request that it never asked again.
        assert 0 <= asked - answered <= kills[client["name"]]
    assert len(run.events("RestartPlanned")) == KILLS


PIPELINE = """
    p:
      settle: 3s  # a busy machine may take its time to find a receiver again
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 200, rate: 200}}
        worker: {role: worker, connect: [tasks, results], params: {call: "work:work"}, restart: RESTART}
        sink: {role: sink, bind: results}
      expect: {tasks.lost: "<= 200", sink.received: ">= 0"}
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_role_that_raises_is_started_again_and_loses_only_what_it_held(project, engine):
    project.write(
        "work.py",
        """
        from pathlib import Path

        def work(task):
            once = Path("once")
            if task == 100 and not once.exists():
                once.touch()
                raise RuntimeError("just this once")
            return task
    """,
    )
    project.topology(PIPELINE.replace("RESTART", "on-failure"))
    outcome = project.run("--engine", engine).passed()
    worker = outcome.processes["worker-1"]
    assert (worker["restarts"], worker["incarnation"], worker["outcome"], worker["exit_code"]) == (
        1,
        1,
        "finished",
        0,
    )
    assert [life["outcome"] for life in worker["lives"]] == ["failed", "finished"]
    assert [life["exit_code"] for life in worker["lives"]] == [1, 0]
    # What it had sent before it raised has arrived.
    assert outcome.links["results"]["lost"] == 0
    assert (
        outcome.links["tasks"]["sent"] - outcome.links["tasks"]["lost"]
        == outcome.links["results"]["sent"] + 0
    )
    (note,) = [note for note in outcome.summary["notes"] if note["kind"] == "restarted"]
    assert note["text"] == (
        "worker-1 failed: RuntimeError: just this once while handling 100: started again after 0.5 s (1 of 5)"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_too_many_restarts_fail_the_run_and_it_says_so(project, engine):
    project.write("work.py", "def work(task):\n    raise RuntimeError('always')\n")
    # On a busy machine a life takes its time to come, and the source must have more for it.
    text = PIPELINE.replace("count: 200", "count: 1000000").replace("<= 200", ">= 0")
    # It must raise before it has lived for ten times its last delay, or the delays begin anew.
    project.topology(text.replace("RESTART", "{policy: on-failure, max: 3, within: 60s, backoff: 500ms}"))
    outcome = project.run("--engine", engine)
    assert outcome.exit_code == 1
    assert outcome.processes["worker-1"]["restarts"] == 3
    texts = [problem["text"] for problem in outcome.problems]
    assert texts[0] == (
        "worker-1 was started again 3 times within 60 s, and is not any more (restart: max allows more)"
    )
    assert texts[1].startswith("worker-1 failed: RuntimeError: always")
    delays = [event["delay_s"] for event in outcome_events(outcome, "RestartPlanned")]
    assert delays == [0.5, 1.0, 2.0]


def outcome_events(outcome, kind):
    import json

    lines = (outcome.run_dir / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_set_up_that_fails_at_first_is_tried_again_before_anything_is_sent(project, engine):
    project.write(
        "mine.py",
        """
        from pathlib import Path

        from roles.worker import Worker

        class Late(Worker):
            def setup(self):
                tries = Path("tries")
                text = tries.read_text() if tries.exists() else ""
                tries.write_text(text + "x")
                if len(text) < 2:
                    raise ConnectionError("the database is not there yet")
    """,
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 1000}}
            worker: {role: "mine:Late", connect: [tasks, results], params: {call: "roles.functions:echo"}, restart: {policy: always, backoff: 50ms}}
            steady: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}
            sink: {role: sink, bind: results}
          expect: {worker.received: 500}
    """)
    outcome = project.run("--engine", engine).balanced()
    assert outcome.processes["worker-1"]["restarts"] == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_command_that_is_always_to_run_is(project, engine):
    project.topology("""
        p:
          nodes:
            clock:
              command: python3 -c "print('tick')"
              restart: {policy: always, max: 1000, within: 1s, backoff: 20ms}
    """)
    run = project.start("--engine", engine)
    run.wait_for("ProcessLaunched", process="clock-1", incarnation=3)
    run.signal(signal.SIGINT)
    outcome = run.outcome()
    assert outcome.exit_code == 130
    clock = outcome.processes["clock-1"]
    assert clock["restarts"] >= 3
    assert outcome.log("clock-1").count("tick") - clock["restarts"] in (
        0,
        1,
    )  # the last one may not have come so far


def test_without_a_policy_a_death_is_the_end(project):
    project.write("work.py", "def work(task):\n    raise RuntimeError('always')\n")
    project.topology(PIPELINE.replace("RESTART", "no"))
    outcome = project.run()
    assert outcome.exit_code == 1
    assert outcome.processes["worker-1"]["restarts"] == 0


@pytest.mark.parametrize("policy", ["no", "on-failure", "always"])
def test_a_restarted_binder_has_its_address_again(project, policy):
    """A server that binds a port of the system's choice is found again by clients that know nothing of its end."""
    project.topology(f"""
        p:
          endpoints: {{hello: "tcp://127.0.0.1:*"}}
          nodes:
            client: {{role: client, connect: hello, replicas: 2, params: {{requests: 2000, retry: {{timeout: 300ms, attempts: 1000}}}}}}
            server: {{role: server, bind: hello, restart: {{policy: {policy}, backoff: 10ms}}}}
          faults:
            - {{when: {{server.received: 1000}}, kill: server-1}}
    """)
    outcome = project.run()
    assert outcome.exit_code == (1 if policy == "no" else 0), outcome.stderr
    if policy != "no":
        port = [client["ports"]["server"] for client in outcome.of_node("client")]
        assert [one["received"] - one["duplicates"] for one in port] == [2000, 2000]


def test_a_sink_that_is_started_again_does_not_take_a_result_for_the_batch_signal(project):
    project.write(
        "once.py",
        """
        import os, signal
        from pathlib import Path

        def keep(result):
            once = Path("once")
            if result == 5 and not once.exists():
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return result
    """,
    )
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, connect: {start: results}, params: {count: 20, rate: 50}}
            worker: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}
            sink:
              role: sink
              bind: results
              params: {start: true, into: got.jsonl, call: "once:keep"}
              restart: {policy: on-failure, backoff: 10ms}
          expect: {results.lost: ">= 0", sink.received: ">= 1"}
    """)
    outcome = project.run().passed()
    kept = [int(line) for line in (project.folder / "got.jsonl").read_text().split()]
    assert 5 not in kept
    # The batch signal, and who was in hand as it was killed has not been counted.
    assert outcome.received("sink-1", "results") == len(kept) + 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_signal_without_a_name_is_told_by_its_number(project, engine):
    project.write("real.py", "import os\n\ndef work(task):\n    os.kill(os.getpid(), 40)\n    return task\n")
    project.topology("""
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
            worker: {role: worker, connect: [tasks, results], params: {call: "real:work"}}
            sink: {role: sink, bind: results}
    """)
    outcome = project.run("--engine", engine)
    assert outcome.exit_code == 1, outcome.stderr
    assert outcome.problems[0]["text"].startswith("worker-1 killed by signal 40 at "), outcome.stderr
    assert outcome.processes["worker-1"]["signal"] == "signal 40"
