"""The launch order comes from the sockets, whatever the order in the file."""

from __future__ import annotations

import itertools
import json

import pytest
from harness import Project

pytestmark = pytest.mark.slow

NODES = {
    "ventilator": "{role: ventilator, bind: tasks, params: {count: 12}}",
    "worker": "{role: worker, connect: [tasks, results], replicas: 2, params: {call: 'roles.functions:echo'}}",
    "sink": "{role: sink, bind: results}",
}
SHUFFLES = list(itertools.permutations(NODES))


def pipeline(order: tuple[str, ...]) -> str:
    lines = [f"      {node}: {NODES[node]}" for node in order]
    return "\n".join(["  p:", "    endpoints: {tasks: ipc, results: ipc}", "    nodes:", *lines, ""])


@pytest.mark.parametrize("order", SHUFFLES, ids="-".join)
def test_launch_order_is_told_by_the_sockets(project: Project, order: tuple[str, ...]) -> None:
    project.topology(pipeline(order))
    run = project.start()
    outcome = run.outcome().balanced()
    assert outcome.summary["stages"] == [["sink"], ["worker"], ["ventilator"]]
    assert json.loads((outcome.run_dir / "summary.json").read_text()) == outcome.summary
    launched = [event["process"] for event in run.events("ProcessLaunched")]
    assert launched == ["sink-1", "worker-1", "worker-2", "ventilator-1"]
    shown = [line.split()[:2] for line in outcome.stderr.splitlines()]
    shown = [words for words in shown if words and words[0].isdigit()]
    assert shown == [["1", "sink"], ["2", "worker"], ["3", "ventilator"]], outcome.stderr


@pytest.mark.parametrize(
    ("nodes", "stages"),
    [
        (
            {"p": "{role: publisher, bind: e, params: {count: 3}}", "s": "{role: subscriber, connect: e}"},
            [["s"], ["p"]],
        ),
        (
            {"c": "{role: client, connect: e, params: {requests: 3}}", "s": "{role: server, bind: e}"},
            [["s"], ["c"]],
        ),
    ],
    ids=["publish-subscribe", "request-reply"],
)
def test_receivers_start_first(project: Project, nodes: dict[str, str], stages: list[list[str]]) -> None:
    for order in itertools.permutations(nodes):
        lines = [f"      {node}: {nodes[node]}" for node in order]
        project.topology("\n".join(["  x:", "    endpoints: {e: ipc}", "    nodes:", *lines, ""]))
        assert project.run().passed().summary["stages"] == stages


def test_depends_on_adds_to_the_order(project: Project) -> None:
    """Two pipelines without a link between them: the second waits for all of the first."""
    project.topology("""\
          p:
            endpoints: {a: ipc, b: ipc}
            nodes:
              first_sink: {role: sink, bind: a}
              first: {role: ventilator, connect: a, params: {count: 3}}
              second_sink: {role: sink, bind: b, depends_on: first}
              second: {role: ventilator, connect: b, params: {count: 3}}
        """)
    run = project.start()
    outcome = run.outcome().balanced()
    assert outcome.summary["stages"] == [["first_sink"], ["first"], ["second_sink"], ["second"]]
    launched = [event["process"] for event in run.events("ProcessLaunched")]
    assert launched == ["first_sink-1", "first-1", "second_sink-1", "second-1"]
