"""`--set PATH=VALUE`: values put in before the checks, and told by their option where they are wrong."""

import pytest
from test_check import PIPELINE, checked, told


def overridden(*overrides):
    return checked(PIPELINE, *overrides).topology.patterns["pipeline"]


def test_a_value_is_replaced():
    assert overridden(("pipeline.nodes.worker.replicas", "8")).nodes["worker"].replicas == 8


def test_a_key_is_added_where_the_format_knows_it():
    pattern = overridden(("pipeline.stall", "2s"), ("pipeline.nodes.sink.environment.TZ", "UTC"))
    assert pattern.stall_s == 2
    assert pattern.nodes["sink"].environment == {"TZ": "UTC"}


def test_a_short_form_becomes_a_long_one():
    endpoint = overridden(("pipeline.endpoints.tasks.hwm", "5")).endpoints["tasks"]
    assert (endpoint.address, endpoint.hwm) == ("tcp://127.0.0.1:5557", 5)


def test_an_item_of_a_list_is_replaced():
    assert overridden(("pipeline.nodes.ventilator.params.workload_ms.1", "9")).nodes["ventilator"].params == {
        "count": 100,
        "workload_ms": [1, 9],
    }


def test_values_are_yaml_and_the_last_one_counts():
    pattern = overridden(
        ("pipeline.nodes.worker.params", "{call: 'a:b'}"),
        ("pipeline.nodes.worker.params.call.with", "{n: 1}"),
        ("pipeline.seed", "1"),
        ("pipeline.seed", "2"),
    )
    assert pattern.nodes["worker"].params == {"call": {"function": "a:b", "with": {"n": 1}}}
    assert pattern.seed == 2


def test_an_expectation_is_one_key_whatever_dots_it_has():
    expect = {
        one.path: one.condition
        for one in overridden(
            ("pipeline.expect.sink.received", "101"),
            ("pipeline.expect.worker.received.jain", ">= 0.9"),
            ("pipeline.expect.sink.received", "102"),
        ).expect
    }
    assert expect == {"sink.received": "== 102", "worker.received.jain": ">= 0.9"}


def test_faults_are_items_of_a_list():
    text = PIPELINE + "    faults: [{at: 2s, kill: worker-2}]\n"
    overrides = [("pipeline.faults.0.at", "1s"), ("pipeline.faults.0.kill", "any worker")]
    (fault,) = checked(text, *overrides).topology.patterns["pipeline"].faults
    assert (fault.at_s, fault.target, fault.one_of_them) == (1, "worker", True)
    (line,) = told(text, ("pipeline.faults.1.at", "1s"))[:1]
    assert "there is no item '1' (the list has 1, counted from 0)" in line


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pipline.seed", "1", "unknown pattern 'pipline' (did you mean 'pipeline'?) [override]"),
        ("pipeline.sed", "1", "unknown key 'sed' (did you mean 'seed'?) [override]"),
        ("pipeline.nodes.wroker.replicas", "1", "unknown node 'wroker' (did you mean 'worker'?) [override]"),
        ("pipeline.nodes.worker.replica", "1", "unknown key 'replica' (did you mean 'replicas'?) [override]"),
        ("pipeline.endpoints.task.hwm", "1", "unknown endpoint 'task' (did you mean 'tasks'?) [override]"),
        (
            "pipeline",
            "1",
            (
                "cannot read the path 'pipeline' "
                "(write PATTERN.KEY, as pipeline.nodes.worker.replicas) [override]"
            ),
        ),
        (
            "pipeline.nodes.worker.connect.7",
            "x",
            "there is no item '7' (the list has 2, counted from 0) [override]",
        ),
        ("pipeline.seed.x", "1", None),
        ("pipeline.codec.x", "1", "'codec' is a single value: it has no 'x' [override]"),
        ("pipeline.nodes.worker.replicas", "0", "'replicas' must be at least 1, not 0 [range]"),
        (
            "pipeline.nodes.worker.replicas",
            "",
            "'replicas' has no value (give it one, or leave it out) [no-value]",
        ),
        (
            "pipeline.nodes.ventilator.params.files",
            "*.txt",
            "a value cannot begin with '*' (quote it: \"*.txt\") [yaml-quote]",
        ),
        (
            "pipeline.nodes.sink.params.foldd",
            "m:f",
            "'sink' has no param 'foldd' (did you mean 'fold'?) [unknown-param]",
        ),
        (
            "pipeline.expect.sink.recieved",
            "100",
            "'sink' has no measure 'recieved' (did you mean 'received'?) [unknown-measure]",
        ),
        (
            "pipeline.expect.sink.received",
            "many",
            "'sink.received' is a number, not 'many' (write 100, \">= 100\", \"90..110\" or a list) [condition]",
        ),
        ("pipeline.faults.0.at", "1s", "'faults' must be a list, not a mapping [value]"),
        (
            "pipeline.nodes.worker.restart",
            "yes",
            "'restart' must be one of no, on-failure, always, not 'yes' (write on-failure or always) [choice]",
        ),
        (
            "pipeline.nodes.worker.restart.max",
            "3",
            "'restart' needs 'policy' (write policy: on-failure, or policy: always) [missing-key]",
        ),
        (
            "pipeline.nodes.worker.restart.maxx",
            "3",
            None,
        ),
    ],
)
def test_a_wrong_option_is_told_by_its_name(path, value, said):
    lines = told(PIPELINE, (path, value))
    if said is None:
        assert lines[0].startswith(f"--set {path}={value}: error: ")
    else:
        assert lines == [f"--set {path}={value}: error: {said}", "1 problem; nothing was started."]
