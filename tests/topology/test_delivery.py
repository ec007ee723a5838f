"""How far acknowledged delivery reaches, and what the plan makes of it."""

import pytest
from role_sources import read_source
from test_problems import problems_of

from orchestrator.run.planner import make_plan
from orchestrator.topology.check import check

HEAD = """
version: 1
patterns:
  p:
"""
PIPELINE = f"""{HEAD}
    endpoints: {{tasks: {{address: ipc, delivery: at_least_once}}, results: ipc}}
    nodes:
      ventilator: {{role: ventilator, bind: tasks, params: {{count: 1}}, restart: on-failure}}
      worker: {{role: worker, connect: [tasks, results], replicas: 3}}
      sink: {{role: sink, bind: results}}
"""
TWO = f"""{HEAD}
    endpoints:
      tasks: {{address: ipc, delivery: at_least_once, window: 7}}
      jobs: {{address: ipc, delivery: at_least_once}}
      results: {{address: ipc, delivery: at_least_once}}
    nodes:
      ventilator: {{role: ventilator, bind: tasks, params: {{count: 1}}}}
      other: {{role: ventilator, bind: {{tasks: jobs}}, params: {{count: 1}}}}
      worker: {{role: worker, connect: [tasks, results]}}
      jobber: {{role: worker, connect: {{tasks: jobs, results: results}}}}
      sink: {{role: sink, bind: results}}
"""


def plan(text):
    return make_plan(check(text, environment={}, read_source=read_source), "p", file="t.yaml")


def ports(text):
    return {
        (spec.name, port.name): port for spec in plan(text).processes for port in spec.ports if port.delivery
    }


@pytest.mark.parametrize("text", [PIPELINE, TWO])
def test_there_is_nothing_to_say_of_it(text):
    """Not even that a source which is started again starts over: it does not."""
    assert problems_of(text) == ()


def test_a_source_of_which_not_all_is_acknowledged_starts_over():
    text = PIPELINE.replace("bind: tasks", "bind: tasks, connect: {start: other}").replace(
        "results: ipc}", "results: ipc, other: ipc}"
    )
    text += "      clock: {role: sink, bind: other}\n"
    assert [problem.code for problem in problems_of(text)] == ["starts-over"]


def test_each_port_has_its_part():
    found = ports(PIPELINE)
    assert {key: port.delivery for key, port in found.items()} == {
        ("sink-1", "results"): "keep",
        **{(f"worker-{number}", "tasks"): "take" for number in (1, 2, 3)},
        **{(f"worker-{number}", "results"): "pass" for number in (1, 2, 3)},
        ("ventilator-1", "tasks"): "give",
    }
    assert {port.window for port in found.values()} == {1024}


def test_the_sink_connects_to_the_source_which_awaits_it():
    found = ports(PIPELINE)
    sink = found["sink-1", "results"].attachments
    assert [(one.endpoint, one.mode, one.acks) for one in sink] == [
        ("results", "bind", False),
        ("tasks", "connect", True),
    ]
    (source,) = found["ventilator-1", "tasks"].attachments
    assert source.peers == 4
    assert sink[0].peers == 3


def test_a_sink_may_keep_the_results_of_several_deliveries():
    found = ports(TWO)
    sink = found["sink-1", "results"]
    assert [(one.endpoint, one.acks) for one in sink.attachments] == [
        ("results", False),
        ("tasks", True),
        ("jobs", True),
    ]
    assert (sink.window, found["worker-1", "tasks"].window, found["jobber-1", "tasks"].window) == (7, 7, 1024)
    books = {book.name: (book.delivery, book.acknowledges) for book in plan(TWO).books}
    assert books == {"tasks": ("tasks", ()), "jobs": ("tasks", ()), "results": ("results", ("tasks", "jobs"))}


def test_without_it_nothing_is_planned():
    text = PIPELINE.replace("{address: ipc, delivery: at_least_once}", "ipc").replace(
        ", restart: on-failure", ""
    )
    assert ports(text) == {}
    assert all(
        not one.acks for spec in plan(text).processes for port in spec.ports for one in port.attachments
    )
    assert {book.delivery for book in plan(text).books} == {""}
