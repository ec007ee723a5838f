"""What a pattern, an endpoint or a node can set, seen in a run."""

from __future__ import annotations

import pytest
from harness import Project

pytestmark = pytest.mark.slow

PIPELINE = """\
    p:
      %s
      endpoints: {tasks: 'tcp://127.0.0.1:*', results: 'tcp://127.0.0.1:*'}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {%s}}
        worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: 'roles.functions:echo'}}
        sink: {role: sink, bind: results, params: {%s}}
    """


def test_sync_none_starts_without_a_barrier_and_still_balances(project: Project) -> None:
    project.topology(PIPELINE % ("sync: none", "count: 5000", "into: got.jsonl"))
    run = project.start()
    outcome = run.outcome().balanced()
    assert outcome.links["results"]["received"] == 5000
    assert len((project.folder / "got.jsonl").read_text().splitlines()) == 5000


GONE = """\
    import json
    import os
    import time
    from pathlib import Path


    def once_the_source_is_gone(item):
        '''Holds the sink until the journal has told that the ventilator has left.'''
        until_s = time.monotonic() + 30
        while True:
            lines = Path(os.environ["JOURNAL"]).read_text().splitlines(keepends=True)
            events = [json.loads(line) for line in lines if line.endswith("\\n")]
            ended = [event["process"] for event in events if event["event"] == "ProcessEnded"]
            if "ventilator-1" in ended:
                return item
            assert time.monotonic() < until_s
            time.sleep(0.01)
    """


def test_close_at_once_lets_a_source_leave_before_all_is_read(project: Project) -> None:
    """The sink waits until the ventilator has gone; over tcp nothing is lost by it."""
    project.write("gone.py", GONE)
    project.topology(PIPELINE % ("close: at_once", "count: 2000", "call: 'gone:once_the_source_is_gone'"))
    journal = project.folder / "runs" / "1" / "events.jsonl"
    run = project.start(environment={"JOURNAL": str(journal)})
    outcome = run.outcome().balanced()
    assert outcome.links["results"]["received"] == 2000
    assert outcome.processes["ventilator-1"]["outcome"] == "finished"
    left_s = run.events("ProcessEnded", process="ventilator-1")[0]["at_s"]
    assert left_s < run.events("ProcessFinished", process="sink-1")[0]["at_s"]


def test_close_balanced_holds_a_source_until_all_is_read(project: Project) -> None:
    project.topology(PIPELINE % ("close: balanced", "count: 2000", ""))
    run = project.start()
    run.outcome().balanced()
    left_s = run.events("ProcessEnded", process="ventilator-1")[0]["at_s"]
    assert left_s > run.events("ProcessFinished", process="sink-1")[0]["at_s"]


def test_duration_ends_an_endless_source_and_drains(project: Project) -> None:
    project.write("own.py", "import itertools\n\n\ndef endless():\n    return itertools.count()\n")
    project.topology(PIPELINE % ("duration: 3s", "call: 'own:endless', rate: 2000", ""))
    run = project.start()
    outcome = run.outcome().balanced()
    assert outcome.summary["work_s"] >= 3.0
    assert run.events("RunDraining", why="duration")
    assert outcome.links["results"]["received"] > 100
    assert outcome.processes["ventilator-1"]["outcome"] == "finished"


def test_duration_ends_an_endless_publisher(project: Project) -> None:
    project.topology("""\
        p:
          codec: text
          duration: 3s
          endpoints: {weather: ipc}
          nodes:
            publisher: {role: publisher, bind: weather, params: {rate: 200}}
            subscriber: {role: subscriber, connect: weather, replicas: 2}
        """)
    run = project.start()
    outcome = run.outcome().passed()
    sent = outcome.sent("publisher-1", "updates")
    assert sent > 100
    assert [outcome.received(f"subscriber-{replica}", "updates") for replica in (1, 2)] == [sent, sent]
    assert outcome.summary["work_s"] >= 3.0
    assert run.events("RunDraining", why="duration")


TOLD = """\
    import zmq

    from roles.kit import Pull, Push, Role


    def told(port, *names):
        return {name: port.socket.get(getattr(zmq, name)) for name in names}


    class Sender(Role):
        things = Push()

        def run(self):
            self.result = told(self.things, "SNDHWM", "TCP_KEEPALIVE")
            self.things.send(1)


    class Receiver(Role):
        things = Pull()

        def run(self):
            self.result = told(self.things, "RCVHWM", "TCP_KEEPALIVE", "RCVBUF")
            for _ in self.things:
                pass
    """


def test_hwm_and_options_reach_the_sockets(project: Project) -> None:
    project.write("told.py", TOLD)
    project.topology("""\
        p:
          endpoints: {things: {address: 'tcp://127.0.0.1:*', hwm: 7}}
          nodes:
            sender: {role: 'told:Sender', connect: things, options: {things: {TCP_KEEPALIVE: 1}}}
            receiver: {role: 'told:Receiver', bind: things, options: {things: {RCVBUF: 65536}}}
        """)
    outcome = project.run().balanced()
    assert outcome.processes["sender-1"]["result"] == {
        "SNDHWM": 7,
        "TCP_KEEPALIVE": 1,
    }
    assert outcome.processes["receiver-1"]["result"] == {"RCVHWM": 7, "TCP_KEEPALIVE": -1, "RCVBUF": 65536}


def test_many_sockets_in_one_client(project: Project) -> None:
    project.topology("""\
        p:
          codec: text
          endpoints: {hello: 'tcp://127.0.0.1:*'}
          nodes:
            server: {role: server, bind: hello}
            client: {role: client, connect: hello, replicas: 2, params: {sockets: 25, requests: 4}}
        """)
    run = project.start()
    outcome = run.outcome().balanced()
    assert outcome.received("server-1", "clients") == 200
    assert [outcome.received(f"client-{replica}", "server") for replica in (1, 2)] == [100, 100]
    assert run.events("RunReady")[0]["connections"] == 50


def test_a_process_gets_its_environment(project: Project) -> None:
    project.write("shout.py", "import os\n\n\ndef name(task):\n    return os.environ['SHOUT']\n")
    project.topology("""\
        p:
          endpoints: {tasks: ipc, results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 2}}
            worker:
              role: worker
              connect: [tasks, results]
              params: {call: 'shout:name'}
              environment: {SHOUT: "hey"}
            sink: {role: sink, bind: results, params: {into: got.jsonl}}
        """)
    project.run().balanced()
    assert (project.folder / "got.jsonl").read_text() == '"hey"\n"hey"\n'
