"""Topologies of many shapes: each run ends by itself, and every book balances."""

from __future__ import annotations

import json

import pytest
from harness import Outcome, Project

pytestmark = pytest.mark.slow

OWN = """\
    def pieces(task):
        '''None for an even task, three for an odd one.'''
        if task % 2:
            yield from (task, task, task)


    def nothing(task):
        yield from ()


    def twice(task):
        return 2 * task


    def add(total, item):
        return (total or 0) + item


    def told(total):
        return {"total": total}
    """

SUM = "{fold: 'own:add', report: 'own:told'}"


def run(project: Project, topology: str, **files: str) -> Outcome:
    project.write("own.py", OWN)
    for name, text in files.items():
        project.write(f"{name}.py", text)
    project.topology(topology.replace("$SUM", SUM))
    return project.run("--timeout", "30s")


def total(outcome: Outcome, process: str) -> int:
    return outcome.processes[process]["result"]["total"]


def counts(outcome: Outcome, endpoint: str) -> tuple[int, int]:
    link = outcome.links[endpoint]
    return link["sent"], link["received"]


def test_several_sources_and_stages(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, halves: 'tcp://127.0.0.1:*', results: ipc}
          nodes:
            low: {role: ventilator, bind: tasks, replicas: 2, params: {range: [1, 500]}}
            high: {role: ventilator, bind: tasks, params: {range: [501, 1000]}}
            first: {role: worker, connect: {tasks: tasks, results: halves}, replicas: 3, params: {call: 'own:twice'}}
            second: {role: worker, bind: {tasks: halves}, connect: [results], replicas: 2, params: {call: 'own:twice'}}
            sink: {role: sink, bind: results, params: $SUM}
        """,
    ).balanced()
    assert {endpoint: counts(outcome, endpoint) for endpoint in outcome.links} == dict.fromkeys(
        ("tasks", "halves", "results"), (1000, 1000)
    )
    assert total(outcome, "sink-1") == 4 * sum(range(1, 1001))
    assert outcome.summary["stages"] == [["sink"], ["second"], ["first"], ["low", "high"]]


def test_fan_out_and_fan_in(project: Project) -> None:
    """One source feeds two branches by one port, and both come together again at one sink."""
    outcome = run(
        project,
        """\
        p:
          endpoints: {left: ipc, right: 'tcp://127.0.0.1:*', results: ipc}
          nodes:
            ventilator: {role: ventilator, connect: {tasks: [left, right]}, params: {count: 600}}
            left_worker: {role: worker, bind: {tasks: left}, connect: [results], params: {call: 'own:twice'}}
            right_worker: {role: worker, bind: {tasks: right}, connect: [results], params: {call: 'own:twice'}}
            sink: {role: sink, bind: results, params: $SUM}
        """,
    ).balanced()
    assert total(outcome, "sink-1") == 2 * sum(range(1, 601))
    shares = [outcome.received(f"{side}_worker-1", "tasks") for side in ("left", "right")]
    assert shares == [300, 300]


def test_one_stage_to_two_sinks(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, one: ipc, other: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 400}}
            worker:
              role: worker
              connect: {tasks: tasks, results: [one, other]}
              replicas: 2
              params: {call: 'own:twice'}
            one_sink: {role: sink, bind: one, params: $SUM}
            other_sink: {role: sink, bind: other, replicas: 2, params: $SUM}
        """,
    ).balanced()
    sums = [total(outcome, name) or 0 for name in ("one_sink-1", "other_sink-1", "other_sink-2")]
    assert all(sums)
    assert sum(sums) == 2 * sum(range(1, 401))


@pytest.mark.parametrize(
    ("function", "results", "wanted"),
    [("pieces", 1500, 3 * sum(range(1, 1001, 2))), ("nothing", 0, None)],
)
def test_none_or_many_results(project: Project, function: str, results: int, wanted: int | None) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 1000}}
            worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: 'own:$FUNCTION'}}
            sink: {role: sink, bind: results, params: $SUM}
        """.replace("$FUNCTION", function),
    ).balanced()
    assert counts(outcome, "tasks") == (1000, 1000)
    assert counts(outcome, "results") == (results, results)
    assert total(outcome, "sink-1") == wanted


def test_a_source_without_items(project: Project) -> None:
    """Nothing at all is sent, and that is no stall."""
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 0}}
            worker: {role: worker, connect: [tasks, results], replicas: 2}
            sink: {role: sink, bind: results}
        """,
    ).balanced()
    assert counts(outcome, "tasks") == (0, 0)


WINDOW = """\
    from roles.kit import Pull, Push, Role


    class Source(Role):
        '''Has no more than `window` tasks under way; an acknowledgement brings the next.'''

        tasks = Push()
        acks = Pull()

        number: int = 0
        window: int = 10

        def run(self):
            for task in range(self.number):
                if task >= self.window:
                    self.acks.recv()
                self.tasks.send(task)
            for _ in range(min(self.window, self.number)):
                self.acks.recv()
            self.result = {"acknowledged": self.number}


    class Worker(Role):
        tasks = Pull()
        acks = Push()
        results = Push()

        def run(self):
            for task in self.tasks:
                self.results.send(task)
                self.acks.send(task)
    """


def test_an_acknowledgement_channel(project: Project) -> None:
    """The source has the worker's results, and the worker the source's tasks: they start together."""
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, acks: 'tcp://127.0.0.1:*', results: ipc}
          nodes:
            source: {role: 'window:Source', bind: [tasks, acks], params: {number: 500}}
            worker: {role: 'window:Worker', connect: [tasks, acks, results], replicas: 3}
            sink: {role: sink, bind: results, params: $SUM}
        """,
        window=WINDOW,
    ).balanced()
    assert outcome.summary["stages"] == [["sink"], ["source", "worker"]]
    assert {name: counts(outcome, name) for name in outcome.links} == dict.fromkeys(
        ("tasks", "acks", "results"), (500, 500)
    )
    assert total(outcome, "sink-1") == sum(range(500))
    assert outcome.processes["source-1"]["result"] == {"acknowledged": 500}


CRAWL = """\
    from roles.kit import Pull, Push, Role


    class Crawler(Role):
        '''Each task finds two smaller ones, which come round to some crawler again.'''

        tasks = Pull()
        found = Push()
        results = Push()

        def run(self):
            for task in self.tasks:
                self.results.send(task)
                if task > 1:
                    self.found.send(task - 1)
                    self.found.send(task - 1)
    """


def test_a_cycle_that_feeds_itself_ends_when_it_has_come_to_rest(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, connect: tasks, params: {range: [8, 9]}}
            crawler:
              role: crawl:Crawler
              bind: {tasks: tasks}
              connect: {found: tasks, results: results}
              replicas: 3
            sink: {role: sink, bind: results}
        """,
        crawl=CRAWL,
    ).balanced()
    visited = (2**8 - 1) + (2**9 - 1)
    assert counts(outcome, "tasks") == (visited, visited)
    assert outcome.received("sink-1", "results") == visited


def test_a_streamer_between_stages(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {tasks: ipc, queue: 'tcp://127.0.0.1:*', results: ipc}
          nodes:
            ventilator: {role: ventilator, connect: tasks, replicas: 2, params: {count: 1000}}
            streamer: {role: proxy, bind: {frontend: tasks, backend: queue}, params: {kind: streamer}}
            worker:
              role: worker
              connect: {tasks: queue, results: results}
              replicas: 3
              params: {call: 'own:twice'}
            sink: {role: sink, bind: results, params: $SUM}
        """,
    ).balanced()
    assert total(outcome, "sink-1") == 2 * sum(range(1, 1001))
    assert counts(outcome, "tasks") == counts(outcome, "queue") == (1000, 1000)


def test_a_queue_between_clients_and_servers(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {front: ipc, back: 'tcp://127.0.0.1:*'}
          nodes:
            client: {role: client, connect: front, replicas: 3, params: {requests: 40, into: replies.jsonl}}
            queue: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: queue}}
            server: {role: server, connect: back, replicas: 2}
        """,
    ).balanced()
    assert counts(outcome, "front") == counts(outcome, "back") == (120, 120)
    assert outcome.links["front"]["replies"] == {"sent": 120, "received": 120, "lost": 0}
    served = [outcome.received(f"server-{replica}", "clients") for replica in (1, 2)]
    assert sum(served) == 120
    assert all(served)
    for replica in (1, 2, 3):
        lines = (project.folder / f"replies-{replica}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == ["World"] * 40
        assert outcome.sent(f"client-{replica}", "server") == 40
        assert outcome.received(f"client-{replica}", "server") == 40


def test_a_forwarder_between_publishers_and_subscribers(project: Project) -> None:
    """The barrier waits for the subscriptions on both sides of it, so that nobody misses the first update."""
    outcome = run(
        project,
        """\
        p:
          endpoints: {front: ipc, back: 'tcp://127.0.0.1:*'}
          nodes:
            publisher: {role: publisher, connect: front, replicas: 2, params: {count: 800}}
            forwarder: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: forwarder}}
            subscriber: {role: subscriber, connect: back, replicas: 3, params: {into: got.jsonl}}
        """,
    ).passed()
    assert [outcome.sent(f"publisher-{replica}", "updates") for replica in (1, 2)] == [400, 400]
    for replica in (1, 2, 3):
        lines = (project.folder / f"got-{replica}.jsonl").read_text().splitlines()
        assert sorted(json.loads(line) for line in lines) == list(range(1, 801))


DIALOGUE = """\
    from roles.kit import Dealer, Role, Router


    class Asker(Role):
        '''Asks without lockstep: all questions first, then all answers.'''

        server = Dealer()

        questions: int = 0

        def run(self):
            for number in range(self.questions):
                self.server.send(number)
            answers = [self.server.recv() for _ in range(self.questions)]
            self.result = {"answers": sum(answers)}


    class Answerer(Role):
        clients = Router()

        def run(self):
            for envelope, question in self.clients:
                self.clients.send(question + 1, to=envelope)


    class Broker(Role):
        '''Passes one request at a time on to who is next, and its reply back to who asked.'''

        clients = Router()
        servers = Dealer()

        def run(self):
            for envelope, request in self.clients:
                self.servers.send(request)
                self.clients.send(self.servers.recv(), to=envelope)
    """


def test_dealers_and_a_router(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          endpoints: {talk: 'tcp://127.0.0.1:*'}
          nodes:
            asker: {role: 'dialogue:Asker', connect: talk, replicas: 3, params: {questions: 200}}
            answerer: {role: 'dialogue:Answerer', bind: talk}
        """,
        dialogue=DIALOGUE,
    ).balanced()
    assert outcome.received("answerer-1", "clients") == 600
    for asker in outcome.of_node("asker"):
        assert asker["result"] == {"answers": sum(range(1, 201))}


def test_a_broker_of_ones_own(project: Project) -> None:
    """REQ clients, a ROUTER and a DEALER of a user's role, REP servers."""
    outcome = run(
        project,
        """\
        p:
          endpoints: {front: ipc, back: ipc}
          nodes:
            client: {role: client, connect: front, replicas: 3, params: {requests: 50}}
            broker: {role: 'dialogue:Broker', bind: {clients: front, servers: back}}
            server: {role: server, connect: back, replicas: 2}
        """,
        dialogue=DIALOGUE,
    ).balanced()
    assert [outcome.received(f"client-{replica}", "server") for replica in (1, 2, 3)] == [50, 50, 50]
    assert sorted(outcome.received(f"server-{replica}", "clients") for replica in (1, 2)) == [75, 75]


def test_subscribers_with_their_fill_end_an_endless_publisher(project: Project) -> None:
    outcome = run(
        project,
        """\
        p:
          codec: text
          endpoints: {weather: ipc}
          nodes:
            publisher: {role: publisher, bind: weather}
            subscriber: {role: subscriber, connect: weather, replicas: 2, params: {topics: ['1000'], updates: 50}}
        """,
    ).passed()
    assert [outcome.received(f"subscriber-{replica}", "updates") for replica in (1, 2)] == [50, 50]
    assert outcome.processes["publisher-1"]["outcome"] == "finished"


def test_large_items_arrive_whole(project: Project) -> None:
    """Those of 64 KiB and more are not copied on their way into the socket."""
    project.write(
        "large.py",
        """
        import hashlib

        def items():
            for number in range(60):
                data = bytes([number]) * (1000 * 4 ** (number % 6))
                yield data + hashlib.sha256(data).digest()
                del data

        def whole(item):
            if hashlib.sha256(item[:-32]).digest() != item[-32:]:
                raise ValueError("it is not what was sent")
        """,
    )
    project.topology("""
        p:
          codec: bytes
          endpoints: {tasks: ipc, results: "tcp://127.0.0.1:*"}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {call: "large:items"}}
            worker: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}
            sink: {role: sink, bind: results, params: {call: "large:whole"}}
    """)
    outcome = project.run().balanced()
    assert outcome.links["results"]["received"] == 60
