"""The barrier: nothing is sent before every socket is in place, however late some processes are."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Project, jain, wait_until

pytestmark = pytest.mark.slow

SEEDS = range(int(os.environ.get("BARRIER_SEEDS", "50")))
"""Runs; what each delays is drawn from its number. `BARRIER_SEEDS=100` asks for more of them."""

AT_ONCE = 2
GROUPS = [SEEDS[first : first + 10] for first in range(0, len(SEEDS), 10)]
UPDATES = 900  # below the high-water mark of 1,000, so that even a slow subscriber may miss none

LATE = """\
    import time

    from roles.subscriber import Subscriber
    from roles.worker import Worker


    class LateWorker(Worker):
        def setup(self):
            time.sleep(self.random.uniform(0, 0.2))

        def connected(self):
            time.sleep(self.random.uniform(0, 0.05))


    class LateSubscriber(Subscriber):
        def setup(self):
            super().setup()
            time.sleep(self.random.uniform(0, 0.2))

        def connected(self):
            time.sleep(self.random.uniform(0, 0.05))
            super().connected()
    """

TOPOLOGY = """\
    tasks:
      endpoints: {tasks: ipc, results: 'tcp://127.0.0.1:*'}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 400}}
        worker:
          role: late:LateWorker
          connect: [tasks, results]
          replicas: 8
          params: {call: 'roles.functions:echo'}
        sink: {role: sink, bind: results}
    updates:
      endpoints: {updates: 'tcp://127.0.0.1:*'}
      nodes:
        publisher: {role: publisher, bind: updates, params: {count: %d}}
        subscriber: {role: late:LateSubscriber, connect: updates, replicas: 3, params: {into: 'got-${SEED:-0}.jsonl'}}
    """


def check(project: Project, seed: int) -> None:
    """One run of both patterns with the delays of this seed."""
    outcome = project.run("--seed", str(seed), environment={"SEED": str(seed)})
    told = f"seed {seed}, exit {outcome.exit_code}\n{outcome.stderr}"
    assert outcome.exit_code == 0, told
    tasks = outcome.patterns["tasks"].balanced()
    shares = [worker["ports"]["tasks"]["received"] for worker in tasks.of_node("worker")]
    assert sum(shares) == 400, told
    assert jain(shares) >= 0.99, f"seed {seed}: shares {shares}"
    for replica in (1, 2, 3):
        lines = (project.folder / f"got-{seed}-{replica}.jsonl").read_text().splitlines()
        got = [json.loads(line) for line in lines]
        assert got == list(range(1, UPDATES + 1)), f"seed {seed}, subscriber-{replica}: {len(got)} updates"


@pytest.mark.parametrize(
    "seeds",
    [GROUPS[0], *(pytest.param(seeds, marks=pytest.mark.slow) for seeds in GROUPS[1:])],
    ids=lambda seeds: f"seeds-{seeds[0]}-{seeds[-1]}",
)
def test_late_processes_get_their_share_and_miss_nothing(project: Project, seeds: range) -> None:
    project.write("late.py", LATE)
    project.topology(TOPOLOGY % UPDATES)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(check, project, seed) for seed in seeds]:
            done.result()


TOO_LATE = f"""\
    import time
    from pathlib import Path

    from late import LateSubscriber


    def updates():
        yield 1
        Path("sent").touch()
        yield from range(2, {UPDATES + 1})


    class TooLate(LateSubscriber):
        def connected(self):
            while not Path("sent").exists():
                time.sleep(0.005)
            super().connected()
    """


def test_without_the_barrier_late_subscribers_miss_updates(project: Project) -> None:
    """The same pattern with `sync: none`: the test above is one that can fail."""
    project.write("late.py", LATE)
    project.write("too_late.py", TOO_LATE)
    project.topology(TOPOLOGY % UPDATES)
    changes = (
        "updates.sync=none",
        "updates.nodes.publisher.params={call: 'too_late:updates'}",
        "updates.nodes.subscriber.role=too_late:TooLate",
    )
    outcome = project.run("--pattern", "updates", *(f"--set={change}" for change in changes)).passed()
    got = [subscriber["ports"]["updates"]["received"] for subscriber in outcome.of_node("subscriber")]
    assert min(got) < UPDATES, got


PLAIN_WORKER = """\
    import os
    import random
    import time
    from pathlib import Path

    import zmq

    NAME, SEED = os.environ["TOPOLOGY_PROCESS"], os.environ["SEED"]
    time.sleep(random.Random(f"{NAME}/{SEED}").uniform(0, 0.3))
    with zmq.Context() as context, context.socket(zmq.PULL) as tasks, context.socket(zmq.PUSH) as results:
        results.connect(os.environ["TOPOLOGY_RESULTS"])
        tasks.connect(os.environ["TOPOLOGY_TASKS"])
        while not Path("over").exists():
            if tasks.poll(50):
                tasks.recv()
                results.send_json(NAME)
    """

PLAIN_TOPOLOGY = """\
    tasks:
      endpoints: {tasks: 'tcp://127.0.0.1:%d', results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 400}, ready_within: 60s}
        worker: {command: [%s, worker.py], connect: [tasks, results], replicas: 8}
        sink: {role: sink, bind: results, params: {into: 'names-${SEED}.jsonl'}, ready_within: 60s}
    """


@pytest.mark.parametrize("seed", range(3))
def test_programs_that_connect_late_get_their_share(
    project: Project, free_port: Callable[[], int], seed: int
) -> None:
    """A command counts as in place once it runs, so that nothing but the barrier waits for its sockets."""
    project.write("worker.py", PLAIN_WORKER)
    project.topology(PLAIN_TOPOLOGY % (free_port(), sys.executable))
    run = project.start(environment={"SEED": str(seed)})
    run.wait_for("RunReady")
    wait_until(lambda: run.states()["sink-1"].received == 400, "a result of each task")
    (project.folder / "over").touch()
    run.outcome().passed()
    lines = (project.folder / f"names-{seed}.jsonl").read_text().splitlines()
    shares = list(Counter(json.loads(line) for line in lines).values())
    assert sum(shares) == 400
    assert len(shares) == 8, f"seed {seed}: {shares}"
    assert jain(shares) >= 0.99, f"seed {seed}: {shares}"
