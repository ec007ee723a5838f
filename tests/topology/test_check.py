"""What a right topology means: its values, wires and lines; and what changes it from outside."""

import pytest
from role_sources import read_source

from orchestrator.topology.check import check
from orchestrator.topology.problem import TopologyError, render
from orchestrator.topology.wiring import Wire

PIPELINE = """\
version: 1
patterns:
  pipeline:
    description: a batch of tasks
    codec: text
    endpoints:
      tasks: tcp://127.0.0.1:5557
      results: {address: ipc, hwm: 1000, codec: json, idle_after: 1m30s}
    nodes:
      ventilator:
        role: ventilator
        bind: tasks
        connect: {start: results}
        params: {count: 100, workload_ms: [1, 100]}
      worker:
        role: worker
        connect: [tasks, results]
        replicas: 3
        params:
          call: {function: "scan:errors", with: {needle: ERROR}}
        options: {tasks: {RCVHWM: 1, IMMEDIATE: true}}
      sink: {role: sink, bind: results, params: {start: true}, stop_grace_period: 250ms}
"""


def checked(text, *overrides, **environment):
    return check(text, overrides=overrides, environment=environment, read_source=read_source)


def told(text, *overrides, **environment):
    with pytest.raises(TopologyError) as caught:
        checked(text, *overrides, **environment)
    return render(caught.value.problems, file="f", text=text).splitlines()


def test_short_forms_are_written_out_and_durations_are_seconds():
    pattern = checked(PIPELINE).topology.patterns["pipeline"]
    assert pattern.endpoints["tasks"].address == "tcp://127.0.0.1:5557"
    assert pattern.endpoints["results"].idle_after_s == 90
    assert pattern.nodes["ventilator"].bind == (("", "tasks"),)
    assert pattern.nodes["ventilator"].connect == (("start", "results"),)
    assert pattern.nodes["sink"].stop_grace_period_s == 0.25
    assert (pattern.stall_s, pattern.settle_s) == (5, 0.25)


def test_params_and_options_are_values_that_roles_take():
    nodes = checked(PIPELINE).topology.patterns["pipeline"].nodes
    assert nodes["ventilator"].params == {"count": 100, "workload_ms": [1, 100]}
    assert nodes["worker"].params == {"call": {"function": "scan:errors", "with": {"needle": "ERROR"}}}
    assert nodes["worker"].options == {"tasks": {"RCVHWM": 1, "IMMEDIATE": 1}}


def test_wires_are_resolved_against_the_ports_of_the_roles():
    assert checked(PIPELINE).wires["pipeline"] == (
        Wire(node="ventilator", port="tasks", kind="PUSH", endpoint="tasks", mode="bind"),
        Wire(node="ventilator", port="start", kind="PUSH", endpoint="results", mode="connect"),
        Wire(node="worker", port="tasks", kind="PULL", endpoint="tasks", mode="connect"),
        Wire(node="worker", port="results", kind="PUSH", endpoint="results", mode="connect"),
        Wire(node="sink", port="results", kind="PULL", endpoint="results", mode="bind"),
    )


def test_lines_are_known_by_the_path_of_their_keys():
    lines = checked(PIPELINE).lines["pipeline"]
    assert lines["endpoints.tasks"] == 7
    assert lines["nodes.worker"] == 15
    assert lines["nodes.worker.params.call"] == 20
    assert lines["nodes.worker.params.call.function"] == 20


def test_a_role_of_the_users_has_its_ports_and_those_of_its_base():
    text = PIPELINE.replace("role: worker", "role: mine:Faster").replace("with: {", "with: {x: 1, ")
    found = checked(text)
    assert found.shapes["pipeline"]["worker"].family == "worker"
    assert list(found.shapes["pipeline"]["worker"].ports) == ["tasks", "results"]


def test_ports_stand_in_for_a_source_that_is_not_there():
    text = PIPELINE.replace(
        "role: worker", "role: nowhere:Thing\n        ports: {tasks: pull, results: push}"
    )
    found = checked(text)
    assert [wire.kind for wire in found.wires["pipeline"] if wire.node == "worker"] == ["PULL", "PUSH"]
    assert found.topology.patterns["pipeline"].nodes["worker"].params["call"]["function"] == "scan:errors"


def test_a_proxy_has_the_sockets_of_its_kind():
    text = """\
version: 1
patterns:
  p:
    endpoints: {front: ipc, back: ipc}
    nodes:
      pub: {role: publisher, connect: front, params: {count: 1}}
      proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: forwarder}}
      sub: {role: subscriber, connect: back}
"""
    assert {wire.kind for wire in checked(text).wires["p"] if wire.node == "proxy"} == {"XSUB", "XPUB"}


def test_commands_and_externals_have_wires_without_ports():
    text = """\
version: 1
patterns:
  p:
    endpoints: {tasks: "tcp://127.0.0.1:5557", results: ipc}
    nodes:
      source: {external: true, bind: tasks}
      worker: {command: python3 "my worker.py" -v, connect: [tasks, results]}
      sink: {role: sink, bind: results}
"""
    found = checked(text)
    assert found.topology.patterns["p"].nodes["worker"].command == ("python3", "my worker.py", "-v")
    assert found.wires["p"][0] == Wire(node="source", port="", kind="", endpoint="tasks", mode="bind")
    assert found.warnings == ()


def test_what_a_pattern_allows_is_not_told():
    text = PIPELINE.replace("results: {", "unused: ipc\n      results: {")
    assert [problem.code for problem in checked(text).warnings] == ["unused-endpoint"]
    assert checked(text.replace("codec: text", "codec: text\n    allow: [unused-endpoint]")).warnings == ()


@pytest.mark.parametrize("key", ["insecure: true", "security: curve"])
def test_an_address_that_other_machines_reach_is_curved_or_said_to_be_insecure(key):
    text = PIPELINE.replace("tcp://127.0.0.1:5557", "tcp://*:5557")
    assert [line.rpartition(" ")[2] for line in told(text) if "error" in line] == ["[open-bind]"]
    assert checked(text.replace("codec: text", f"codec: text\n    {key}")).warnings == ()
    at_the_endpoint = text.replace("tcp://*:5557", f"{{address: 'tcp://*:5557', {key}}}")
    assert checked(at_the_endpoint).warnings == ()


def test_what_was_left_out_causes_no_further_problems():
    text = PIPELINE.replace("results: {address: ipc", "results: {adress: ipc")
    assert [line for line in told(text) if "error" in line] == [
        "f:8:17: error: unknown key 'adress' (did you mean 'address'?) [unknown-key]"
    ]


def test_variables_are_expanded_and_read_as_their_key_needs_them():
    text = PIPELINE.replace("replicas: 3", "replicas: ${N:-2}").replace(
        "a batch of tasks", "${ZIP} costs $$5"
    )
    pattern = checked(text, ZIP="02134").topology.patterns["pipeline"]
    assert pattern.description == "02134 costs $5"
    assert pattern.nodes["worker"].replicas == 2
    assert checked(text, ZIP="", N="4").topology.patterns["pipeline"].nodes["worker"].replicas == 4


def test_a_variable_may_be_a_param_a_choice_or_an_option():
    text = (
        PIPELINE.replace("codec: text", "codec: ${CODEC}")
        .replace("count: 100", 'count: "${COUNT}"')
        .replace("RCVHWM: 1", 'RCVHWM: "${MARK}"')
    )
    pattern = checked(text, CODEC="json", COUNT="7", MARK="9").topology.patterns["pipeline"]
    assert pattern.codec == "json"
    assert pattern.nodes["ventilator"].params["count"] == 7
    assert pattern.nodes["worker"].options["tasks"]["RCVHWM"] == 9


def test_where_anything_may_stand_quotes_decide_what_a_variable_is():
    text = PIPELINE.replace("with: {needle: ERROR}", "with: {a: '${N}', b: 1}").replace(
        'call: {function: "scan:errors"', "call:\n            function: scan:errors\n            "
    )
    text = text.replace(
        "            , with: {a: '${N}', b: 1}}",
        "            with:\n              a: '${N}'\n              b: ${N}",
    )
    params = checked(text, N="5").topology.patterns["pipeline"].nodes["worker"].params
    assert params["call"]["with"] == {"a": "5", "b": 5}
