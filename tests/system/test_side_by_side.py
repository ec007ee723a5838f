"""Two runs of one file at the same time do not meet."""

from __future__ import annotations

import json

from harness import Project

OWN = """\
    import os


    def items():
        for number in range(500):
            yield f"{os.environ['SIDE']}-{number}"
    """

TOPOLOGY = """\
    both:
      endpoints: {tasks: ipc, results: 'tcp://127.0.0.1:*', news: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {call: 'own:items', rate: 1500}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: 'roles.functions:echo'}}
        sink: {role: sink, bind: results, params: {into: 'sink-${SIDE}.jsonl'}}
        publisher: {role: publisher, bind: news, params: {call: 'own:items', rate: 1500}}
        subscriber: {role: subscriber, connect: news, params: {into: 'news-${SIDE}.jsonl'}}
    """


def test_two_runs_of_one_file_do_not_meet(project: Project) -> None:
    project.write("own.py", OWN)
    project.topology(TOPOLOGY)
    runs = {side: project.start(environment={"SIDE": side}) for side in ("left", "right")}
    outcomes = {side: run.outcome().balanced("tasks", "results") for side, run in runs.items()}
    went = [run.wait_for("RunReady") for run in runs.values()]
    assert len(went) == 2
    addresses = [
        set(outcome.links[name]["addresses"]) for outcome in outcomes.values() for name in outcome.links
    ]
    assert len(set().union(*addresses)) == sum(map(len, addresses)), addresses
    for side in runs:
        wanted = {f"{side}-{number}" for number in range(500)}
        for name in ("sink", "news"):
            lines = (project.folder / f"{name}-{side}.jsonl").read_text().splitlines()
            assert len(lines) == 500
            assert {json.loads(line) for line in lines} == wanted
    both_at_work(outcomes)


def both_at_work(outcomes: dict) -> None:
    """The check is worth something only where the two runs overlapped."""
    spans = []
    for outcome in outcomes.values():
        begin = outcome.summary["started_at"]
        spans.append((begin, outcome.summary["elapsed_s"]))
    assert all(elapsed_s >= 0.3 for _, elapsed_s in spans), spans
