"""An address that somebody else has: the run ends before any work, and what was there is left alone."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from harness import Outcome, Project, wait_until
from trouble import furnish, line_of, open_gate

pytestmark = pytest.mark.slow

TOPOLOGY = """
    p:
      endpoints:
        tasks: {tasks}
        results: {results}
      nodes:
        ventilator: {{role: ventilator, bind: tasks, params: {{count: 10}}}}
        worker: {{role: worker, connect: [tasks, results], params: {{call: "roles.functions:echo"}}}}
        sink: {{role: sink, bind: results}}
"""


def refused(project: Project, endpoint: str, tasks: str, results: str) -> str:
    """Run on these addresses; the text of the one problem, which stands at the endpoint's line."""
    path = project.topology(TOPOLOGY.format(tasks=tasks, results=results))
    run = project.start()
    outcome = run.outcome()
    assert outcome.exit_code == 3, outcome.stderr
    check_refused(outcome, endpoint, line_of(path, f"{endpoint}: "))
    assert not run.events("RunReady")
    return outcome.problems[0]["text"]


def check_refused(outcome: Outcome, endpoint: str, line: int) -> None:
    assert (outcome.summary["verdict"], outcome.summary["exit_code"]) == ("failed", 3)
    found = [(problem["kind"], problem["endpoint"], problem["line"]) for problem in outcome.problems]
    assert found == [("bind", endpoint, line)], outcome.problems
    assert all(link["sent"] == 0 for link in outcome.summary["links"])
    assert f"✗ {outcome.problems[0]['text']}" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("endpoint", ["tasks", "results"])
def test_a_taken_tcp_port(project: Project, endpoint: str) -> None:
    """The first stage binds `results`, the last one `tasks`: both come before any work."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"tcp://127.0.0.1:{holder.getsockname()[1]}"
        addresses = {"tasks": "ipc", "results": "ipc"} | {endpoint: address}
        text = refused(project, endpoint, **addresses)
        name = Path("/proc/self/comm").read_text().strip()
        assert text == (
            f"{endpoint}: cannot bind {address}: {name} (pid {os.getpid()}) holds it "
            "(end that program, or change the address)"
        )
        with socket.create_connection(holder.getsockname()):
            holder.accept()[0].close()


def test_the_owner_is_another_process(project: Project) -> None:
    code = """if True:
        import socket, sys
        server = socket.create_server(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        text = refused(project, "results", "ipc", f"tcp://127.0.0.1:{port}")
        assert f"(pid {owner.pid})" in text
        assert owner.poll() is None
        owner.communicate()


def test_two_runs_of_one_port(project: Project, free_port: Callable[[], int]) -> None:
    """The second one names the first one's process and does not disturb it."""
    furnish(project)
    path = project.topology(f"""
        p:
          endpoints: {{tasks: "tcp://127.0.0.1:{free_port()}"}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 10}}}}
            sink: {{role: sink, connect: tasks}}
            gate: {{role: "gate:Gate", depends_on: [ventilator], ready_within: 2m}}
    """)
    first = project.start()
    first.wait_for("ProcessReady", process="ventilator-1")
    second = project.run()
    assert second.exit_code == 3, second.stderr
    check_refused(second, "tasks", line_of(path, "endpoints"))
    assert f"(pid {first.pid('ventilator-1')}) holds it" in second.problems[0]["text"]
    open_gate(project, "start", "end")
    outcome = first.outcome().balanced()
    assert outcome.links["tasks"]["received"] == 10


def test_a_file_at_an_ipc_path(project: Project) -> None:
    precious = project.write("precious", "keep me\n")
    text = refused(project, "results", "ipc", f"ipc://{precious}")
    assert "a file that is no socket lies there" in text
    assert precious.read_text() == "keep me\n"


def test_a_folder_at_an_ipc_path(project: Project) -> None:
    folder = project.folder / "place"
    folder.mkdir()
    assert "no socket" in refused(project, "results", "ipc", f"ipc://{folder}")
    assert folder.is_dir()


def test_a_link_at_an_ipc_path(project: Project) -> None:
    """A symbolic link is not followed and not replaced."""
    precious = project.write("precious", "keep me\n")
    link = project.folder / "link"
    link.symlink_to(precious)
    refused(project, "results", "ipc", f"ipc://{link}")
    assert link.is_symlink()
    assert precious.read_text() == "keep me\n"


def test_a_living_listener_at_an_ipc_path(project: Project) -> None:
    """It is not robbed of its address: whoever connects there afterwards still meets it."""
    path = project.folder / "taken"
    with zmq.Context() as context, context.socket(zmq.PULL) as holder:
        holder.bind(f"ipc://{path}")
        assert "another program listens there" in refused(project, "results", "ipc", f"ipc://{path}")
        with context.socket(zmq.PUSH) as visitor:
            visitor.connect(f"ipc://{path}")
            visitor.send(b"still there?")
            assert holder.poll(5000)
            assert holder.recv() == b"still there?"


def test_what_a_dead_program_left_is_no_obstacle(project: Project) -> None:
    """A socket file that nobody listens at any more is taken over."""
    path = project.folder / "left"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    project.topology(TOPOLOGY.format(tasks="ipc", results=f"ipc://{path}"))
    assert project.run().balanced().links["results"]["received"] == 10


def test_an_address_of_another_machine(project: Project) -> None:
    text = refused(project, "results", "ipc", "{address: tcp://192.0.2.1:5599, insecure: true}")
    assert "is it an address of this machine?" in text


def test_no_folder_for_an_ipc_path(project: Project) -> None:
    path = project.folder / "absent" / "socket"
    assert str(path) in refused(project, "results", "ipc", f"ipc://{path}")
    assert not path.parent.exists()


def test_the_port_is_free_again_afterwards(project: Project, free_port: Callable[[], int]) -> None:
    """Three runs in a row on one port: nothing of one stands in the way of the next."""
    address = f"tcp://127.0.0.1:{free_port()}"
    project.topology(TOPOLOGY.format(tasks=address, results="ipc"))
    for _ in range(3):
        project.run().balanced()
    port = int(address.rpartition(":")[2])
    wait_until(lambda: _free(port), "the port free", 5)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_a_listener_that_is_too_busy_to_answer_at_an_ipc_path(project: Project) -> None:
    """Its queue is full: it is there all the same."""
    path = project.folder / "taken"
    with socket.socket(socket.AF_UNIX) as holder, contextlib.ExitStack() as visitors:
        holder.bind(str(path))
        holder.listen(0)
        for _ in range(2):
            visitor = visitors.enter_context(socket.socket(socket.AF_UNIX))
            visitor.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                visitor.connect(str(path))
        assert "another program listens there" in refused(project, "results", "ipc", f"ipc://{path}")
        assert path.is_socket()
