"""Whole runs under CURVE: they pass as others do, and nobody else gets in, before the start, in the middle, or later."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Outcome, Project, wait_until

from chaos import strangers
from chaos.curves import TOLD, as_node, is_shown_out, visiting
from chaos.held import furnish, open_gate
from chaos.strangers import GUARDED
from orchestrator.run.requests import Look
from roles.kit.keys import named, read_pair

ENGINES = ["local", "supervisor"]

ALL_KINDS = """
    pipeline:
      security: curve
      endpoints: {tasks: "tcp://127.0.0.1:*", results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 300}}
        worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: "roles.functions:echo"}}
        sink: {role: sink, bind: results}
    answers:
      endpoints:
        front: {address: "tcp://127.0.0.1:*", security: curve}
        back: {address: ipc, security: curve}
      nodes:
        client: {role: client, connect: front, replicas: 2, params: {requests: 50, sockets: 2}}
        queue: {role: proxy, bind: [front, back], params: {kind: queue}}
        server: {role: server, connect: back, replicas: 2}
    updates:
      security: curve
      endpoints: {front: "tcp://127.0.0.1:*", back: {address: ipc, security: none}}
      nodes:
        publisher: {role: publisher, connect: front, params: {count: 300}}
        forwarder: {role: proxy, bind: [front, back], params: {kind: forwarder}}
        subscriber: {role: subscriber, connect: back, replicas: 2}
      expect: {subscriber.received: 600}
"""
"""Sockets of all kinds, proxies with a side of each kind, replicas, several sockets of a process, tcp and ipc."""


@pytest.mark.parametrize("engine", ["local", pytest.param("supervisor", marks=pytest.mark.slow)])
def test_patterns_of_all_kinds_pass_as_they_do_without(project: Project, engine: str) -> None:
    project.topology(ALL_KINDS.replace("bind: [front, back]", "bind: {frontend: front, backend: back}"))
    outcome = project.run("--engine", engine)
    assert outcome.exit_code == 0, outcome.stderr
    for one in outcome.patterns.values():
        one.passed()
    assert outcome.patterns["pipeline"].balanced().links["results"]["received"] == 300
    assert not (project.folder / ".keys").exists(), "a run's own keys go with it"


@pytest.mark.parametrize("kind", GUARDED)
def test_nobody_else_gets_in_at_the_barrier_or_in_the_middle(project: Project, kind: str) -> None:
    """The short round of the gate `strangers`, with what is told of them."""
    under_way = strangers.visited_run(project, kind)
    log = (under_way.run_dir / "logs" / "server-1.log").read_text()
    for why in TOLD.values():
        assert why in log
    told = [line for line in log.splitlines() if line.startswith("refused")]
    assert len(told) == len(set(told)), "each kind is told once"


def test_keys_stand_in_their_files_alone(project: Project) -> None:
    """Not in arguments, not in environments, and in nothing that the run leaves behind."""
    furnish(project)
    project.topology(GUARDED["PULL"].replace('"hold:until_told"', '"roles.functions:echo"'))
    made = project.call("keys")
    keys = project.folder / ".keys" / "p"
    secrets = [read_pair(keys, node).secret for node in named(keys)]
    assert len(secrets) == 4
    run = project.start()
    run.wait_for("ProcessReady", process="node-1")
    for pid in run.living():
        for file in ("cmdline", "environ"):
            text = Path(f"/proc/{pid}/{file}").read_bytes()
            assert not [secret for secret in secrets if secret in text], (pid, file)
    open_gate(project, "start", "end")
    outcome = run.outcome().passed()
    said = [outcome.stdout.encode(), outcome.stderr.encode(), made.stdout.encode(), made.stderr.encode()]
    left = [path.read_bytes() for path in run.run_dir.rglob("*") if path.is_file()]
    assert len(left) > 5
    for text in (*said, *left):
        assert not [secret for secret in secrets if secret in text]


@pytest.fixture
def pipeline(project: Project) -> Path:
    """A pipeline with keys that stay: their folder."""
    project.topology("""
        p:
          security: curve
          endpoints: {tasks: "tcp://127.0.0.1:*", results: ipc}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 10}}
            worker: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}
            sink: {role: sink, bind: results}
    """)
    assert project.call("keys").returncode == 0
    return project.folder / ".keys" / "p"


def failed(outcome: Outcome, process: str) -> str:
    """Why a process has failed, which is the first thing that the run tells."""
    assert outcome.exit_code == 1, outcome.stderr
    assert outcome.problems[0]["process"] == process, outcome.problems
    assert "Traceback" not in outcome.stderr
    return str(outcome.problems[0]["text"])


def test_who_has_the_wrong_key_of_the_server_fails_and_says_so(project: Project, pipeline: Path) -> None:
    shutil.copyfile(pipeline / "sink.key", pipeline / "ventilator.key")
    outcome = project.run()
    assert "who listens there does not have the key of 'ventilator'" in failed(outcome, "worker-1")
    assert "does not fit the key of this server" in outcome.log("ventilator-1")
    assert len(outcome.log("ventilator-1").splitlines()) == 1, "told once"


def test_who_is_not_on_the_list_fails_and_says_so(project: Project, pipeline: Path) -> None:
    """The others have another key of it than its own."""
    shutil.copyfile(pipeline / "sink.key", pipeline / "worker.key")
    outcome = project.run()
    assert "does not let in the key of 'worker'" in failed(outcome, "worker-1")


def test_a_key_that_is_gone_is_told_before_anything_starts(project: Project, pipeline: Path) -> None:
    (pipeline / "worker.key_secret").unlink()
    called = project.call("run", "topology.yaml")
    assert called.returncode == 2
    assert "worker.key_secret: it is not there (orchestrator keys makes them) [keys]" in called.stderr
    assert not (project.folder / ".runs").exists()


DOOMED = """
    import gc

    from roles.kit.guard import Guard
    from roles.sink import Sink


    class Doomed(Sink):
        '''Makes an end of its own authenticator.'''

        def run(self):
            for guard in [one for one in gc.get_objects() if isinstance(one, Guard)]:
                guard._handed.clear()
                guard._ordering.send(b"an order that it cannot carry out")
            super().run()
"""


def test_a_process_whose_authenticator_has_ended_ends_too(project: Project, pipeline: Path) -> None:
    project.write("doomed.py", DOOMED)
    outcome = project.run("--set", "p.nodes.sink.role=doomed:Doomed")
    assert failed(outcome, "sink-1")
    assert outcome.processes["sink-1"]["exit_code"] == 1
    assert "cannot go on: the authenticator of 'results' has ended" in outcome.log("sink-1")


COMMAND = """
    import os

    import zmq
    import zmq.auth

    context = zmq.Context()


    def connected(kind, name):
        socket = context.socket(kind)
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(os.environ["TOPOLOGY_SECRET_KEY_FILE"])
        addresses = os.environ[f"TOPOLOGY_{name}"].split()
        servers = os.environ[f"TOPOLOGY_{name}_SERVER_KEY_FILE"].split(os.pathsep)
        for address, server in zip(addresses, servers, strict=True):
            socket.curve_serverkey, _ = zmq.auth.load_certificate(server)
            socket.connect(address)
        return socket


    tasks, results = connected(zmq.PULL, "TASKS"), connected(zmq.PUSH, "RESULTS")
    while True:
        results.send(tasks.recv())
"""


def test_a_program_of_the_users_finds_its_keys_in_its_environment(project: Project) -> None:
    """Two nodes bind `tasks`, so that there are two keys to ask for."""
    project.write("command.py", COMMAND)
    project.topology(f"""
        p:
          security: curve
          endpoints: {{tasks: "tcp://127.0.0.1:*", results: {{address: ipc, idle_after: 5s}}}}
          nodes:
            first: {{role: ventilator, bind: tasks, params: {{count: 20}}}}
            second: {{role: ventilator, bind: tasks, params: {{count: 30}}}}
            worker: {{command: [{sys.executable}, command.py], connect: [tasks, results]}}
            sink: {{role: sink, bind: results}}
          expect: {{sink.received: 50}}
    """)
    project.run().passed()


def test_an_external_is_awaited_and_comes_in_with_its_key(
    project: Project, free_port: Callable[[], int]
) -> None:
    """Somebody else who comes first is no substitute for it."""
    address = f"tcp://127.0.0.1:{free_port()}"
    project.topology(f"""
        p:
          security: curve
          codec: text
          endpoints: {{results: {{address: "{address}", idle_after: 5s}}, elsewhere: ipc}}
          nodes:
            node: {{external: true, connect: results}}
            server: {{role: sink, bind: results, params: {{into: came.jsonl}}}}
            other: {{role: ventilator, connect: elsewhere, params: {{count: 1}}}}
            last: {{role: sink, bind: elsewhere}}
    """)
    assert project.call("keys").returncode == 0
    keys = project.folder / ".keys" / "p"
    run = project.start()
    run.wait_for("ProcessReady", process="other-1")
    is_shown_out(address, "PUSH", as_node(keys, "other", "server"))
    assert not run.events("RunReady")
    with visiting(address, "PUSH", as_node(keys, "node", "server")):
        run.wait_for("RunReady")
        run.outcome().passed()
    assert (project.folder / "came.jsonl").read_text() == '"let me in"\n'


ENDLESS = """
    from pathlib import Path

    def tasks():
        number = 0
        while number % 100 or not Path("enough").exists():
            number += 1
            yield number
"""
RESTARTED = """
    p:
      security: curve
      settle: 3s  # a busy machine may take its time to find a receiver again
      endpoints: {tasks: "tcp://127.0.0.1:*", results: "tcp://127.0.0.1:*"}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {call: "load:tasks", rate: 400}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "roles.functions:echo"}, restart: on-failure}
        sink: {role: sink, bind: results}
      faults:
        - {when: {worker-1.received: 20}, kill: worker-1}
        - {when: {sink.received: 60}, restart: sink}
        - {when: {sink.received: 120}, scale: {worker: 3}}
      expect:
        worker.exit_code: [0, SIGKILL]
        sink.exit_code: [0, SIGKILL]
        tasks.lost: ">= 0"
        results.lost: ">= 0"
        worker-1.restarts: 1
        worker-3.received: "> 0"
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_who_comes_again_or_later_has_its_nodes_key(project: Project, engine: str) -> None:
    project.write("load.py", ENDLESS)
    project.topology(RESTARTED)
    run = project.start("--engine", engine)
    run.wait_for("ProcessLaunched", process="worker-3")
    wait_until(
        lambda: any(
            process.name == "worker-3" and (process.received or 0) > 0 for process in run.ask(Look).processes
        ),
        "work for who has come",
    )
    (project.folder / "enough").touch()
    outcome = run.outcome().passed()
    assert outcome.processes["sink-1"]["restarts"] == 1
    assert not [line for line in outcome.log("sink-1").splitlines() if "its key" in line]


@pytest.mark.slow
@pytest.mark.parametrize("keys_stay", [False, True])
def test_a_service_has_keys_as_long_as_it_lasts(project: Project, keys_stay: bool) -> None:
    """A new node comes by an edited file, and whoever has to let it in starts again with a longer list."""
    text = """
        p:
          security: curve
          endpoints: {tasks: ipc, results: "tcp://127.0.0.1:*"}
          nodes:
            ventilator: {role: ventilator, bind: tasks, params: {count: 1000000000, rate: 2000}}
            worker: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}
            sink: {role: sink, bind: results}
    """
    project.topology(text)
    assert not keys_stay or project.call("keys").returncode == 0
    service = project.up()
    assert service.call("scale", "worker=2").returncode == 0
    more = 'sink: {role: sink, bind: results}\n            extra: {role: worker, connect: [tasks, results], params: {call: "roles.functions:echo"}}'
    project.topology(text.replace("sink: {role: sink, bind: results}", more))
    if keys_stay:
        refused = project.call("up", environment=service.environment)
        assert refused.returncode == 2
        assert "extra.key: it is not there (orchestrator keys makes them) [keys]" in refused.stderr
        assert project.call("keys").returncode == 0
    changed = project.call("up", environment=service.environment)
    assert changed.returncode == 0, changed.stdout + changed.stderr
    wait_until(lambda: service.states()["extra-1"].received > 0, "work for the new node")
    keys = project.folder / ".keys" / "p" if keys_stay else Path(service.live.sockets) / "keys"
    assert named(keys) == ["extra", "sink", "ventilator", "worker"]
    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr
    assert keys.exists() is keys_stay


TCP_CONTROL = """
    import sys

    import msgspec

    from orchestrator import cli
    from orchestrator.run import runner

    place_of = runner.place_of


    def elsewhere(*arguments, **more):
        return msgspec.structs.replace(place_of(*arguments, **more), control=sys.argv[1])


    runner.place_of = elsewhere
    sys.exit(cli.main(["run", "topology.yaml", "--run-dir", "record"]))
"""
"""No engine of today needs a control channel that other machines can reach."""


@pytest.mark.parametrize("security", ["none", "curve"])
def test_a_run_whose_control_channel_others_can_reach_is_guarded(
    project: Project, free_port: Callable[[], int], security: str
) -> None:
    script = project.write("elsewhere.py", TCP_CONTROL)
    project.topology(f"""
        p:
          security: {security}
          endpoints: {{tasks: ipc, results: ipc}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 10}}}}
            worker: {{role: worker, connect: [tasks, results], params: {{call: "roles.functions:echo"}}}}
            sink: {{role: sink, bind: results}}
          expect: {{sink.received: 10}}
    """)
    address = f"tcp://127.0.0.1:{free_port()}"
    called = subprocess.run(
        [sys.executable, str(script), address],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert called.returncode == 0, called.stdout + called.stderr
