"""The plan: its order, its ends, its addresses, and that it is the same every time."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from run.world import plan_of

from orchestrator.run.planner import make_plan
from orchestrator.sources import SourceFinder
from orchestrator.topology.check import check
from orchestrator.topology.problem import TopologyError
from roles.kit.spec import ProcessSpec, Restart, decode_process, encode

HEAD = "version: 1\npatterns:\n  p:\n    endpoints: {tasks: ipc, results: 'tcp://127.0.0.1:*'}\n    nodes:\n"
NODES = [
    "      ventilator: {role: ventilator, bind: tasks, params: {count: 5}}\n",
    "      worker: {role: worker, connect: [tasks, results], replicas: 3}\n",
    "      sink: {role: sink, bind: results}\n",
]


def nodes_of(text: str) -> list[tuple[str, ...]]:
    return [stage.nodes for stage in plan_of(text).stages]


@pytest.mark.parametrize("seed", range(6))
def test_the_order_comes_from_the_sockets_whatever_the_order_in_the_file(seed: int) -> None:
    shuffled = random.Random(seed).sample(NODES, 3)
    assert nodes_of(HEAD + "".join(shuffled)) == [("sink",), ("worker",), ("ventilator",)]


def test_the_same_file_gives_the_same_plan_byte_for_byte() -> None:
    text = HEAD + "".join(NODES)
    assert len({msgspec.json.encode(plan_of(text)) for _ in range(3)}) == 1


def test_every_replica_knows_its_ends_and_how_many_peers_to_await() -> None:
    plan = plan_of(HEAD + "".join(NODES))
    by_name = {spec.name: spec for spec in plan.processes}
    assert [port.attachments[0].peers for port in by_name["ventilator-1"].ports] == [3]
    assert by_name["ventilator-1"].ports[0].attachments[0].address == "ipc://{sockets}/tasks-1"
    assert by_name["sink-1"].ports[0].attachments[0].address == "tcp://127.0.0.1:*"
    assert [(one.endpoint, one.mode) for port in by_name["worker-2"].ports for one in port.attachments] == [
        ("tasks", "connect"),
        ("results", "connect"),
    ]
    assert sorted(spec.slot for spec in plan.processes) == [0, 1, 2, 3, 4]


def test_a_dependency_against_the_sockets_is_refused() -> None:
    text = HEAD + "".join(NODES).replace("bind: results}", "bind: results, depends_on: [ventilator]}")
    with pytest.raises(TopologyError, match="'sink' cannot start after what it depends on"):
        plan_of(text)


def test_a_dependency_among_equals_is_kept() -> None:
    text = (
        "version: 1\npatterns:\n  p:\n    endpoints: {a: ipc, b: ipc}\n    nodes:\n"
        "      one: {role: sink, bind: a, depends_on: [two]}\n"
        "      two: {role: sink, bind: b}\n"
        "      src: {role: worker, connect: {results: [a, b], tasks: c}}\n"
        "      top: {role: ventilator, bind: c, params: {count: 1}}\n"
    ).replace("{a: ipc, b: ipc}", "{a: ipc, b: ipc, c: ipc}")
    assert nodes_of(text) == [("two",), ("one",), ("src",), ("top",)]


def test_a_command_that_sends_comes_last_and_one_that_needs_a_port_comes_after_its_binder() -> None:
    text = (
        "version: 1\npatterns:\n  p:\n    endpoints: {tasks: 'tcp://127.0.0.1:*', results: ipc}\n    nodes:\n"
        "      source: {command: [cat], connect: tasks}\n"
        "      worker: {role: worker, bind: tasks, connect: results}\n"
        "      sink: {role: sink, bind: results}\n"
    )
    plan = plan_of(text)
    assert [stage.nodes for stage in plan.stages] == [("sink",), ("worker",), ("source",)]
    assert [(book.name, book.kind, book.strangers_send) for book in plan.books] == [
        ("tasks", "open", ("source-1",)),
        ("results", "counted", ()),
    ]


def test_a_proxy_joins_its_two_endpoints_into_one_book() -> None:
    text = (
        "version: 1\npatterns:\n  p:\n    endpoints: {front: ipc, back: ipc}\n    nodes:\n"
        "      client: {role: client, connect: front, replicas: 2}\n"
        "      queue: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: queue}}\n"
        "      server: {role: server, connect: back, replicas: 2}\n"
    )
    plan = plan_of(text)
    assert [(book.name, book.replies, book.conduits) for book in plan.books] == [
        ("front+back", False, ("queue-1",)),
        ("front+back", True, ("queue-1",)),
    ]
    assert [stage.nodes for stage in plan.stages] == [("server",), ("queue",), ("client",)]


def test_subscribers_and_publishers_know_each_other_through_a_forwarder() -> None:
    text = (
        "version: 1\npatterns:\n  p:\n    endpoints: {up: ipc, down: ipc}\n    nodes:\n"
        "      publisher: {role: publisher, connect: up, params: {count: 3}}\n"
        "      forwarder: {role: proxy, bind: {frontend: up, backend: down}, params: {kind: forwarder}}\n"
        "      subscriber: {role: subscriber, connect: down, replicas: 2}\n"
    )
    by_name = {spec.name: spec for spec in plan_of(text).processes}
    assert by_name["publisher-1"].ports[0].partners == ("subscriber-1", "subscriber-2")
    assert by_name["subscriber-2"].ports[0].partners == ("publisher-1",)


def test_a_data_cycle_is_one_stage() -> None:
    role = (
        "from roles.kit import Pull, Push, Role\n"
        "class Asker(Role):\n    source = True\n    asks = Push()\n    acks = Pull()\n"
        "class Answerer(Role):\n    asks = Pull()\n    acks = Push()\n"
    )
    finder = SourceFinder(Path())
    text = (
        "version: 1\npatterns:\n  p:\n    endpoints: {asks: ipc, acks: ipc}\n    nodes:\n"
        "      asker: {role: 'mine:Asker', bind: [asks, acks]}\n"
        "      answerer: {role: 'mine:Answerer', connect: [asks, acks], replicas: 2}\n"
    )
    checked = check(
        text, environment={}, read_source=lambda name: role if name == "mine" else finder.read(name)
    )
    plan = make_plan(checked, "p", file="t.yaml")
    assert [stage.nodes for stage in plan.stages] == [("asker", "answerer")]
    assert plan.cycles == (("asker-1", "answerer-1", "answerer-2"),)


def test_every_process_knows_whether_it_is_restarted() -> None:
    written = "restart: {policy: on-failure, max: 2, within: 1m, backoff: 0s}, replicas: 3"
    plan = plan_of(HEAD + "".join(NODES).replace("replicas: 3", written))
    policy = Restart(policy="on-failure", most=2, within_s=60, backoff_s=0)
    assert {spec.name: spec.restart for spec in plan.processes if spec.restart != Restart()} == {
        "worker-1": policy,
        "worker-2": policy,
        "worker-3": policy,
    }


def test_a_spec_survives_its_journey() -> None:
    for spec in plan_of(HEAD + "".join(NODES)).processes:
        assert decode_process(encode(spec)) == spec
        assert isinstance(spec, ProcessSpec)
