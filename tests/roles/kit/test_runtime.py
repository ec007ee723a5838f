"""A process's side of the run protocol, in a thread; the test is the coordinator, and holds the slots."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from role_process import DEADLINE_MS, Process

from roles.kit import messages
from roles.kit.histogram import Histogram
from roles.kit.runtime import Runtime
from roles.kit.slot import State
from roles.kit.spec import PortSpec, ProcessSpec


def test_who_starts_in_the_middle_goes_at_once(start: Callable[..., Process], address: str) -> None:
    """It hears where to connect and Go in one breath, and nobody listens there yet."""
    sink = start("sink", {"results": "PULL"})
    sink.says(messages.Bound)
    sink.tell(messages.Connect(addresses={"here": [address]}, late=[address]), messages.Go())
    sink.reaches(lambda reading: reading.state is State.RECEIVING)
    sink.tell(messages.Joined(), messages.End(port="results"))
    sink.says(messages.Finished)
    assert sink.end() == 0


@pytest.mark.parametrize("listens", [False, True])
def test_a_go_without_waiting_needs_no_handshake(
    start: Callable[..., Process], context: zmq.Context[zmq.Socket[bytes]], address: str, listens: bool
) -> None:
    """Also where somebody is expected: without a barrier nobody is awaited."""
    with context.socket(zmq.PUSH) as push:
        if listens:
            push.bind(address)
        sink = start("sink", {"results": "PULL"})
        sink.says(messages.Bound)
        sink.tell(messages.Connect(addresses={"here": [address]}), messages.Go())
        sink.reaches(lambda reading: reading.state is State.RECEIVING)
        if not listens:
            push.bind(address)
        push.send(b"x")
        sink.reaches(lambda reading: reading.ports["results"].received == 1)
    assert sink.end() == 0


def test_who_is_ready_waits_for_go(start: Callable[..., Process], address: str) -> None:
    sink = start("sink", {"results": "PULL"})
    sink.says(messages.Bound)
    sink.tell(messages.Connect(addresses={"here": [address]}, late=[address]))
    sink.says(messages.Ready)
    assert sink.reading().state is State.STARTING
    sink.tell(messages.Go())
    sink.reaches(lambda reading: reading.state is State.RECEIVING)
    assert sink.end() == 0


def test_a_client_tells_its_round_trips(
    start: Callable[..., Process], context: zmq.Context[zmq.Socket[bytes]], address: str
) -> None:
    with context.socket(zmq.REP) as server:
        server.bind(address)
        client = start("client", {"server": "REQ"}, params={"requests": 3})
        client.says(messages.Bound)
        client.tell(messages.Connect(addresses={"here": [address]}), messages.Go())
        for _ in range(3):
            assert server.poll(DEADLINE_MS)
            server.send(server.recv())
        latencies = Histogram(client.says(messages.Finished).latencies)
    assert latencies.count == 3
    assert 0 < latencies.max_ms < DEADLINE_MS
    assert client.end() == 0


def test_a_client_without_an_answer_fails_in_one_sentence(
    start: Callable[..., Process], address: str
) -> None:
    client = start("client", {"server": "REQ"}, params={"retry": {"timeout_s": 0.05, "attempts": 2}})
    client.says(messages.Bound)
    client.tell(messages.Connect(addresses={"here": [address]}, late=[address]), messages.Go())
    failed = client.says(messages.Failed)
    assert failed.text == f"no reply from here ({address}) to request 1 within 2 attempts of 0.05 s each"
    assert (failed.kind, failed.traceback, failed.exit_code) == ("raised", "", 1)
    assert client.reading().ports["server"].sent == 2
    assert client.end() == 1


def test_a_signal_to_the_group_that_was_pending_before_it_had_one_of_its_own_is_not_its_own(tmp_path):
    script = """
import os, signal, sys
from roles.kit import forked
from roles.kit.spec import Place, ProcessSpec, encode

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.kill(os.getpid(), signal.SIGTERM)
folder = sys.argv[1]
place = Place(
    run_id="r", pattern="p", folder=folder, control="", slots="", sockets=folder, logs=folder, seed=1
)
process = ProcessSpec(name="own-1", node="own", command=(sys.executable, "-c", "print('still here')"))
forked.leash.put_on = lambda: None
forked.main(encode(process), encode(place), 0, folder + "/own-1.log")
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=False, timeout=30, cwd=Path(__file__).parents[3]
    )
    assert (ended.returncode, (tmp_path / "own-1.log").read_text()) == (0, "still here\n")


@pytest.mark.parametrize("delivery", ["give", "take", "pass", "keep"])
def test_where_delivery_is_acknowledged_nobody_stays_for_what_does_not_go(delivery: str) -> None:
    """It was told to leave, so all tasks are over, and what is left was done twice; or it is given again."""
    runtime = object.__new__(Runtime)
    runtime._control = SimpleNamespace(hurried=False)  # type: ignore[assignment]
    port: Any = SimpleNamespace(spec=PortSpec(name="results", kind="PUSH", delivery=delivery))
    assert 0 < runtime._linger_ms(port) < ProcessSpec(name="w", node="w").stop_grace_s * 1000
