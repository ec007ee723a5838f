"""Clients that ask again: a server that dies, one that stands still, one that is slow, and one that never answers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from harness import Outcome, Project, Run, wait_until

from orchestrator.run.requests import Look

pytestmark = pytest.mark.slow

SERVER = """
import itertools
import time
from pathlib import Path

turns = itertools.count(1)

def slow(request):
    time.sleep(0.002)
    return "World"

def slow_at_first(request):
    time.sleep(1.5 if next(turns) == 1 else 0)
    return "World"

def held_until_killed(request):
    "From the 101st request on, unless that has happened already."
    if next(turns) == 101 and not Path("held").exists():
        Path("held").touch()
        time.sleep(1000)
    return "World"

def held_until_told(request):
    "From the 101st request on."
    turn = next(turns)
    while turn > 100 and not Path("go").exists():
        time.sleep(0.005)
    return "World"
"""
REQUESTS = """
    requests:
      codec: text
      endpoints: {{hello: {address}}}
      nodes:
        server: {{role: server, bind: hello, params: {{call: "load:{call}"}}}}
        client:
          role: client
          connect: hello
          replicas: 2
          params: {{requests: {requests}, sockets: 2, {retry}}}
      {more}
"""
RESTART = "faults: [{when: {client.received: 100}, restart: server-1, for: 300ms}]"


@pytest.fixture
def requests(project: Project):
    """Runs two clients of two sockets each, and a server."""
    project.write("load.py", SERVER)

    def run(
        more: str = "",
        *,
        retry="retry: {timeout: 250ms, attempts: 1000}",
        address="ipc",
        call="slow",
        requests=100,
        meanwhile: Callable[[Run], object] = lambda _: None,
    ):
        project.topology(REQUESTS.format(**locals()))
        started = project.start()
        meanwhile(started)
        return started.outcome()

    return run


def all_answered(outcome: Outcome, requests: int) -> list[dict[str, int]]:
    """The clients' counts; fails where one does not tell the whole story."""
    outcome.passed()
    counts = [process["ports"]["server"] for process in outcome.of_node("client")]
    for one in counts:
        assert one["received"] == 2 * requests + one["duplicates"], one
        assert one["sent"] == 2 * requests + one["retried"], one
        assert max(one["late"], one["duplicates"]) <= one["retried"], one
    return counts


@pytest.mark.parametrize("address", ["ipc", "tcp://127.0.0.1:*"])
def test_all_is_answered_though_the_server_is_killed_and_started_again(requests, address: str) -> None:
    # Who asks sooner may have given up the socket to which a reply comes, and the fault would wait for it in vain.
    patient = "retry: {timeout: 1s, attempts: 1000}"
    counts = all_answered(requests(RESTART, retry=patient, address=address, call="held_until_killed"), 100)
    assert sum(one["retried"] for one in counts) >= 1


def test_without_retry_the_same_clients_are_stuck(requests) -> None:
    outcome = requests(RESTART, retry="payload: Hello", call="held_until_killed")
    assert outcome.exit_code == 1, outcome.stderr
    assert sum(one["ports"]["server"]["received"] for one in outcome.of_node("client")) < 400
    assert "retried" not in outcome.of_node("client")[0]["ports"]["server"]


def test_what_a_server_that_stood_still_answers_is_late(requests, project: Project) -> None:
    def all_ask_for_the_fourth_time(run: Run) -> bool:
        clients = [process for process in run.ask(Look).processes if process.node == "client"]
        return all(client.sent - client.received >= 2 * 4 for client in clients)

    def let_it_answer(run: Run) -> None:
        run.wait_for("FaultFired")
        wait_until(lambda: all_ask_for_the_fourth_time(run), "four attempts of each socket")
        (project.folder / "go").touch()

    fault = "faults: [{when: {client.received: 50}, pause: server-1, for: 700ms}]"
    counts = all_answered(requests(fault, call="held_until_told", meanwhile=let_it_answer), 100)
    # All four sockets wait and have asked again. The server takes the oldest first, but for one: where libzmq's fair
    # queue finds a connection empty it puts the last one there, which may be the newest of one of the sockets. Empty
    # is only that of the request in hand: in the others' lies what they asked first.
    assert sum(one["late"] for one in counts) >= 4 - 1, counts


def test_a_server_that_is_slow_once_answers_late_and_twice(requests) -> None:
    # Two clients of two sockets each: every request is answered once, however often it was asked and replied to.
    answered = "expect: {client.answered: 200, client.received: '> 200'}"
    counts = all_answered(requests(answered, call="slow_at_first", requests=50), 50)
    assert sum(one["late"] for one in counts) >= 1
    assert sum(one["duplicates"] for one in counts) >= 1


def test_who_has_enough_patience_asks_once(requests) -> None:
    counts = all_answered(requests(retry="retry: {timeout: 30s, attempts: 2}"), 100)
    assert [(one["retried"], one["late"], one["duplicates"]) for one in counts] == [(0, 0, 0)] * 2


def test_who_is_never_answered_fails_and_says_so(requests) -> None:
    outcome = requests(
        "faults: [{when: {client.received: 50}, pause: server-1}]",
        retry="retry: {timeout: 100ms, attempts: 3}",
        requests=1_000_000,
    )
    assert outcome.exit_code == 1, outcome.stderr
    texts = [problem["text"] for problem in outcome.problems if problem["kind"] == "failed"]
    assert texts, outcome.stderr
    told = (
        r"client-\d failed: no reply from hello \(ipc://\S+\) to request \d+ within 3 attempts of 0.1 s each"
    )
    assert all(re.fullmatch(told, text) for text in texts), texts
    assert "Traceback" not in outcome.stderr


def test_when_the_only_server_is_gone_for_good_clients_do_not_leave_quietly(requests):
    outcome = requests(
        "faults: [{when: {client.received: 50}, kill: server-1}]\n      expect: {server.exit_code: SIGKILL}",
        retry="retry: {timeout: 1s, attempts: 3}",
        requests=1_000_000,
    )
    assert outcome.exit_code == 1
    (problem,) = {problem["text"].split(":")[1].split(" (")[0] for problem in outcome.problems}
    assert problem == " no reply from hello"


def test_a_server_that_comes_late_finds_what_is_still_asked_and_the_run_ends(project: Project) -> None:
    """What the clients gave up before it came has never left them, which is no reason to wait for it."""
    project.topology("""
        requests:
          codec: text
          stall: 3s
          endpoints: {hello: ipc}
          nodes:
            server: {role: server, bind: hello, start_delay: 3s}
            client:
              role: client
              connect: hello
              params: {requests: 20, payload: Hello, sockets: 3, retry: {timeout: 100ms, attempts: 1000}}
    """)
    outcome = project.run()
    (one,) = all_answered(outcome, 30)
    assert one["retried"] >= 3
