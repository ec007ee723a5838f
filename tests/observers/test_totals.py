import pytest

from orchestrator.observers.totals import known_totals
from orchestrator.run.plan import Plan
from roles.kit.spec import Attachment, PortSpec, ProcessSpec


def process(family, *, replica=1, replicas=1, ports=(), **params):
    return ProcessSpec(
        name=f"{family}-{replica}", node=family, role=family, family=family, replica=replica,
        replicas=replicas, params=params, ports=ports,
    )  # fmt: skip


def totals(*processes):
    return known_totals(Plan(topology="t", pattern="p", processes=processes))


@pytest.mark.parametrize(
    ("one", "total"),
    [
        (process("ventilator", count=10), 10),
        (process("ventilator", range=[3, 7]), 5),
        (process("ventilator", replica=1, replicas=3, count=10), 4),
        (process("ventilator", replica=3, replicas=3, count=10), 3),
        (process("client", requests=10, sockets=4), 40),
        (process("subscriber", updates=100), 100),
    ],
)
def test_what_a_plan_tells(one, total):
    assert totals(one) == {one.name: total}


@pytest.mark.parametrize(
    "one",
    [
        process("ventilator", lines="input.txt"),
        process("publisher", rate=10),
        process("client", requests=10, lines="input.txt"),
        process("subscriber"),
        process("worker"),
    ],
)
def test_what_it_does_not_tell(one):
    assert totals(one) == {}


def test_a_sink_awaits_what_plain_workers_pass_on():
    assert totals(process("ventilator", count=10), process("worker"), process("sink"))["sink-1"] == 10


def test_the_batch_signal_counts():
    start = PortSpec(name="start", kind="PUSH", attachments=(Attachment(endpoint="results", mode="connect"),))
    assert totals(process("ventilator", count=10, ports=(start,)), process("worker"), process("sink")) == {
        "ventilator-1": 11,
        "sink-1": 11,
    }


def test_a_function_may_give_none_or_many():
    assert "sink-1" not in totals(
        process("ventilator", count=10), process("worker", call="m:f"), process("sink")
    )


@pytest.mark.parametrize(("replica", "total"), [(1, 6), (2, 5)])
def test_the_first_ventilator_sends_the_batch_signal(replica, total):
    start = PortSpec(name="start", kind="PUSH", attachments=(Attachment(endpoint="results", mode="connect"),))
    one = process("ventilator", replica=replica, replicas=2, count=10, ports=(start,))
    assert totals(one) == {one.name: total}
