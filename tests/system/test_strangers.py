"""Strangers at every tcp port, while the barrier waits and while work runs: no false ready, no false loss."""

from __future__ import annotations

import errno
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from harness import Project, Run, wait_until
from trouble import furnish, open_gate

LATE = """
    from roles.client import Client
    from roles.publisher import Publisher
    from roles.ventilator import Ventilator


    def hold(role, name):
        while not (role.folder / name).exists():
            role.pause(0.005)


    class LateVentilator(Ventilator):
        def setup(self):
            hold(self, "late")

        def run(self):
            hold(self, "work")
            super().run()


    class LateClient(Client):
        def setup(self):
            super().setup()
            hold(self, "late")

        def run(self):
            hold(self, "work")
            super().run()


    class LatePublisher(Publisher):
        def setup(self):
            hold(self, "late")

        def run(self):
            hold(self, "work")
            super().run()
"""
RECEIVERS_BIND = {
    "pull": """
        p:
          endpoints: {tasks: "tcp://127.0.0.1:*"}
          nodes:
            ventilator: {role: ventilator, connect: tasks, params: {count: 300, rate: 500}}
            late: {role: "late:LateVentilator", connect: tasks, ready_within: 2m, params: {count: 300, rate: 500}}
            sink: {role: sink, bind: tasks}
    """,
    "rep": """
        p:
          endpoints: {hello: "tcp://127.0.0.1:*"}
          nodes:
            client: {role: client, connect: hello, params: {requests: 200}}
            late: {role: "late:LateClient", connect: hello, ready_within: 2m, params: {requests: 200}}
            server: {role: server, bind: hello, params: {call: "effects:slowly"}}
    """,
    "sub": """
        p:
          endpoints: {news: "tcp://127.0.0.1:*"}
          nodes:
            publisher: {role: publisher, connect: news, params: {count: 300, rate: 500}}
            late: {role: "late:LatePublisher", connect: news, ready_within: 2m, params: {count: 300, rate: 500}}
            subscriber: {role: subscriber, bind: news}
    """,
    "queue": """
        p:
          endpoints: {front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*"}
          nodes:
            client: {role: client, connect: front, params: {requests: 200}}
            late: {role: "late:LateClient", connect: front, ready_within: 2m, params: {requests: 200}}
            proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: queue}}
            server: {role: server, connect: back, params: {call: "effects:slowly"}}
    """,
    "forwarder": """
        p:
          endpoints: {front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*"}
          nodes:
            publisher: {role: publisher, connect: front, params: {count: 300, rate: 500}}
            late: {role: "late:LatePublisher", connect: front, ready_within: 2m, params: {count: 300, rate: 500}}
            proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: forwarder}}
            subscriber: {role: subscriber, connect: back}
    """,
    "streamer": """
        p:
          endpoints: {front: "tcp://127.0.0.1:*", back: "tcp://127.0.0.1:*"}
          nodes:
            ventilator: {role: ventilator, connect: front, params: {count: 300, rate: 500}}
            late: {role: "late:LateVentilator", connect: front, ready_within: 2m, params: {count: 300, rate: 500}}
            proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: streamer}}
            sink: {role: sink, connect: back}
    """,
}
"""The barrier waits for a sender that comes late to a receiver's port."""

ON_TIME = {
    "pull": ["ventilator-1"],
    "rep": ["client-1"],
    "sub": [],
    "queue": ["client-1", "server-1"],
    "forwarder": ["publisher-1", "subscriber-1"],
    "streamer": ["ventilator-1", "sink-1"],
}
"""Who has all its peers without the late one."""

SENDERS_BIND = {
    "push": """
        p:
          endpoints: {port: "tcp://127.0.0.1:PORT"}
          nodes:
            ventilator: {role: ventilator, bind: port, params: {count: 300, rate: 500}}
            late: {external: true, connect: port}
    """,
    "pub": """
        p:
          endpoints: {port: "tcp://127.0.0.1:PORT"}
          nodes:
            publisher: {role: publisher, bind: port, params: {count: 300, rate: 500}}
            late: {external: true, connect: port}
    """,
}
"""The barrier waits for a receiver of somebody else's that comes late to a sender's port."""


PATIENCE_S = 30
"""How long a stranger, or somebody who belongs there, waits for what the other side must do."""

_SHOWN_OUT = (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)


class Strangers:
    """Comes to ports with everything but a peer that belongs there."""

    def __init__(self, ports: list[int], seed: int) -> None:
        self.ports = ports
        self.rounds = 0
        self.fault: BaseException | None = None
        self._dice = random.Random(seed)
        self._context = zmq.Context()
        self._left_open: list[socket.socket] = []
        self._wrong: list[zmq.Socket[bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def visit(self) -> None:
        """Everything once, at every port; returns when each visit has had its effect on the other side."""
        for port in self.ports:
            self._scan(port)
            self._speak(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            self._speak(port, self._dice.randbytes(self._dice.randint(12, 200)))
            self._speak(port, b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00NULL" + bytes(48) + b"\xff" * 40)
            self._stay(port, b"")
            self._stay(port, b"\xff\x00\x00")
            self._come_as_the_wrong_kind(port)
        self.rounds += 1

    def start(self) -> None:
        """Come again and again until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Go away for good; fails where a visit could not be made."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2 * PATIENCE_S)
        for one in self._left_open:
            one.close()
        self._context.destroy(linger=0)
        if self.fault is not None:
            raise self.fault

    def _go_on(self) -> None:
        try:
            while not self._stop.is_set():
                self.visit()
        except ConnectionError:
            return  # the run is over, and its ports with it
        except BaseException as fault:  # noqa: BLE001 - told where the test waits
            self.fault = fault

    def _scan(self, port: int) -> None:
        """A port scan: there and away."""
        for _ in range(3):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()

    def _speak(self, port: int, words: bytes) -> None:
        """Say something that is no ZMTP, and wait to be shown out."""
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as visitor:
            try:
                visitor.sendall(words)
                visitor.shutdown(socket.SHUT_WR)
                while visitor.recv(4096):
                    pass
            except OSError as error:
                if error.errno not in _SHOWN_OUT:
                    raise

    def _stay(self, port: int, words: bytes) -> None:
        """Come in and say too little, for as long as it takes."""
        visitor = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        visitor.sendall(words)
        self._left_open.append(visitor)
        while len(self._left_open) > 40:
            self._left_open.pop(0).close()

    def _come_as_the_wrong_kind(self, port: int) -> None:
        """A true ZeroMQ socket, of a kind that nobody here can talk to; its handshake fails and is tried again."""
        wrong = self._context.socket(zmq.PAIR)
        monitor = wrong.get_monitor_socket()
        wrong.connect(f"tcp://127.0.0.1:{port}")
        assert monitor.poll(PATIENCE_S * 1000)
        wrong.disable_monitor()
        monitor.close()
        self._wrong.append(wrong)
        while len(self._wrong) > 4:
            self._wrong.pop(0).close(linger=0)


@pytest.fixture
def visit() -> Iterator[Callable[[list[int]], Strangers]]:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    made: list[Strangers] = []

    def make(ports: list[int]) -> Strangers:
        made.append(Strangers(ports, seed))
        return made[-1]

    yield make
    for strangers in made:
        strangers.stop()


def bound_ports(run: Run) -> list[int]:
    """The tcp ports of the run that are bound by now."""
    addresses = [address for event in run.events("AddressesKnown") for address in event["addresses"]]
    return [int(address.rpartition(":")[2]) for address in addresses]


def attack_the_barrier(run: Run, strangers: Strangers) -> None:
    """Nobody becomes ready on account of strangers; they are shown out before the barrier is looked at."""
    ready = {event["process"] for event in run.events("ProcessReady")}
    for _ in range(3):
        strangers.visit()
    waiting = {event["process"] for event in run.events("ProcessLaunched")} - ready
    assert waiting
    assert {event["process"] for event in run.events("ProcessReady")} == ready, "a false ready"
    assert not run.events("RunReady")
    strangers.start()


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECEIVERS_BIND)
def test_at_a_receivers_port(project: Project, visit: Callable[[list[int]], Strangers], kind: str) -> None:
    furnish(project)
    project.write("late.py", LATE)
    project.topology(RECEIVERS_BIND[kind])
    run = project.start()
    late = run.pid("late-1")
    for process in ON_TIME[kind]:
        run.wait_for("ProcessReady", process=process)
    strangers = visit(bound_ports(run))
    attack_the_barrier(run, strangers)
    assert Path(f"/proc/{late}").exists()
    open_gate(project, "late")
    run.wait_for("RunReady")
    before = strangers.rounds
    # The round that was under way may have had most of its visits before Go.
    wait_until(lambda: strangers.rounds > before + 1 or strangers.fault, "a round of visits while work runs")
    open_gate(project, "work")
    outcome = run.outcome()
    assert outcome.exit_code == 0, outcome.stderr
    for link in outcome.summary["links"]:
        assert link["foreign"] == 0, link
        if link["lost"] is not None:
            assert (link["sent"] - link["received"], link["lost"], link["unread"]) == (0, 0, 0), link
    received = {"subscriber": 600, "sink": 600, "server": 400}
    node, expected = next((name, number) for name, number in received.items() if outcome.of_node(name))
    port = outcome.of_node(node)[0]["ports"]
    assert max(counts.get("received", 0) for counts in port.values()) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", SENDERS_BIND)
def test_at_a_senders_port(
    project: Project, visit: Callable[[list[int]], Strangers], free_port: Callable[[], int], kind: str
) -> None:
    port = free_port()
    project.topology(SENDERS_BIND[kind].replace("PORT", str(port)))
    run = project.start()
    run.wait_for("AddressesKnown")
    strangers = visit([port])
    attack_the_barrier(run, strangers)
    with zmq.Context() as context, context.socket(zmq.PULL if kind == "push" else zmq.SUB) as late:
        if kind == "pub":
            late.subscribe(b"")
        late.connect(f"tcp://127.0.0.1:{port}")
        got = []
        while len(got) < 300:
            assert late.poll(PATIENCE_S * 1000), f"{len(got)} of 300 came"
            frames = late.recv_multipart()
            if not frames[0].startswith(b"\0end"):
                got.append(int(frames[-1]))
        assert got == list(range(1, 301))
        run.signal(2)
        outcome = run.outcome()
    assert outcome.processes[f"{'ventilator' if kind == 'push' else 'publisher'}-1"]["exit_code"] == 0
    assert not [problem for problem in outcome.problems if problem["kind"] == "lost"]
