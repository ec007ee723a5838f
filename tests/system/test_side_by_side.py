"""Two runs of one file at the same time do not meet."""

from __future__ import annotations

import json

from harness import Project

OWN = """\
    import os
    import time
    from pathlib import Path


    def items():
        '''Begins only once the other run is at work too.'''
        side, other = os.environ["SIDE"], os.environ["OTHER"]
        Path(f"{side}-works").touch()
        until_s = time.monotonic() + 30
        while not Path(f"{other}-works").exists():
            assert time.monotonic() < until_s
            time.sleep(0.005)
        for number in range(500):
            yield f"{side}-{number}"
    """

TOPOLOGY = """\
    both:
      endpoints: {tasks: ipc, results: 'tcp://127.0.0.1:*', news: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {call: 'own:items'}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: 'roles.functions:echo'}}
        sink: {role: sink, bind: results, params: {into: 'sink-${SIDE}.jsonl'}}
        publisher: {role: publisher, bind: news, params: {call: 'own:items'}}
        subscriber: {role: subscriber, connect: news, params: {into: 'news-${SIDE}.jsonl'}}
    """


def test_two_runs_of_one_file_do_not_meet(project: Project) -> None:
    project.write("own.py", OWN)
    project.topology(TOPOLOGY)
    sides = {"left": "right", "right": "left"}
    runs = {side: project.start(environment={"SIDE": side, "OTHER": other}) for side, other in sides.items()}
    outcomes = {side: run.outcome().balanced("tasks", "results") for side, run in runs.items()}
    addresses = [set(link["addresses"]) for outcome in outcomes.values() for link in outcome.links.values()]
    assert len(set().union(*addresses)) == sum(map(len, addresses)), addresses
    for side in sides:
        wanted = {f"{side}-{number}" for number in range(500)}
        for name in ("sink", "news"):
            lines = (project.folder / f"{name}-{side}.jsonl").read_text().splitlines()
            assert len(lines) == 500
            assert {json.loads(line) for line in lines} == wanted
