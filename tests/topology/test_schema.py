"""The schema agrees with the checks: what it refuses is wrong, what is right it takes."""

from pathlib import Path

import jsonschema
import pytest
import yaml
from test_check import PIPELINE
from test_restart import GOOD as GOOD_RESTARTS

from orchestrator.topology.schema import schema, schema_text

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_file_beside_the_topology_is_current():
    assert (ROOT / "topology.schema.json").read_text(encoding="utf-8") == schema_text()


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_it_takes_short_and_long_forms():
    VALIDATOR.validate(yaml.safe_load(PIPELINE))


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("topology.yaml"), *ROOT.glob("examples/*.yaml"), *ROOT.glob("claims/[0-9]*.yaml")]),
    ids=str,
)
def test_it_takes_every_topology_of_this_project(path):
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("codec: text", "codec: txt"),
        ("hwm: 1000", "hwm: many"),
        ("hwm: 1000", "hwm: -1"),
        ("replicas: 3", "replica: 3"),
        ("replicas: 3", "replicas: 0"),
        ("replicas: 3", "replicas: 10001"),
        ("stop_grace_period: 250ms", "stop_grace_period: 250"),
        ("stop_grace_period: 250ms", "stop_grace_period: 5 minutes"),
        ("bind: tasks", "bind: 5"),
        ("connect: {start: results}", "connect: {start: {a: b}}"),
        ("address: ipc, ", ""),
        ("      sink:", "      Sink:"),
        ("description: a batch of tasks", "description: 02134"),
        ("description: a batch of tasks", "expect: {sink.received: {least: 100}}"),
        ("description: a batch of tasks", "expect: {sink.received: []}"),
        ("description: a batch of tasks", "expect: [sink.received]"),
        ("description: a batch of tasks", "faults: {at: 1s, kill: worker}"),
        ("description: a batch of tasks", "faults: [{kill: worker}]"),
        ("description: a batch of tasks", "faults: [{at: 1s}]"),
        ("description: a batch of tasks", "faults: [{at: 1s, when: {sink.received: 1}, kill: worker}]"),
        ("description: a batch of tasks", "faults: [{at: 1s, kill: worker, pause: sink}]"),
        ("description: a batch of tasks", "faults: [{at: 1s, kill: worker, for: 1s}]"),
        ("description: a batch of tasks", "faults: [{at: 1s, kil: worker}]"),
        ("description: a batch of tasks", "faults: [{when: {sink.received: 0}, kill: worker}]"),
        ("description: a batch of tasks", "faults: [{when: {}, kill: worker}]"),
        ("description: a batch of tasks", "faults: [{at: 1s, scale: {worker: 0}}]"),
        ("hwm: 1000", "sequence: often"),
        ("replicas: 3", "start_delay: 1"),
        ("replicas: 3", "restart: yes"),
        ("replicas: 3", "restart: on_failure"),
        ("replicas: 3", "restart: [always]"),
        ("replicas: 3", "restart: {max: 3}"),
        ("replicas: 3", "restart: {policy: true}"),
        ("replicas: 3", "restart: {policy: always, max: 0}"),
        ("replicas: 3", "restart: {policy: always, within: 0s}"),
        ("replicas: 3", "restart: {policy: always, within: 0m0.0s}"),
        ("replicas: 3", "restart: {policy: always, backoff: 1}"),
        ("replicas: 3", "restart: {policy: always, most: 3}"),
    ],
)
def test_it_refuses_what_is_wrong(old, new):
    assert old in PIPELINE
    assert not VALIDATOR.is_valid(yaml.safe_load(PIPELINE.replace(old, new)))


def test_it_takes_a_variable_where_a_number_or_a_choice_stands():
    text = PIPELINE.replace("replicas: 3", "replicas: ${N:-3}").replace("codec: text", "codec: ${CODEC}")
    VALIDATOR.validate(yaml.safe_load(text.replace("250ms", '"${GRACE}"')))
    assert not VALIDATOR.is_valid(yaml.safe_load(text.replace("${N:-3}", "${N:3}")))


@pytest.mark.parametrize(
    "lines",
    [
        "expect: {sink.received: 100, elapsed_s: '< 2s', worker.exit_code: [0, SIGKILL], a.result.ok: true}",
        "expect: {sink.received: '${N:-100}', a.result.x: 1.5}",
        "faults: [{at: 2s, kill: worker-2}, {when: {worker-1.received: 500}, pause: any worker, for: 1s}]",
        "faults: [{at: 3s, scale: {worker: 6}}, {at: 1s, restart: worker, for: 200ms}, {at: 1s, resume: sink}]",
        "faults: [{at: '${T}', terminate: sink}, {when: {sink.received: '${N}'}, kill: sink}]",
    ],
)
def test_it_takes_expectations_and_faults(lines):
    VALIDATOR.validate(yaml.safe_load(PIPELINE.replace("description: a batch of tasks", lines)))


def test_it_takes_numbered_endpoints_and_late_nodes():
    text = PIPELINE.replace("hwm: 1000", "sequence: true").replace("replicas: 3", "start_delay: 1s")
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize("written", GOOD_RESTARTS)
def test_it_takes_restarts(written):
    VALIDATOR.validate(yaml.safe_load(PIPELINE.replace("replicas: 3", f"restart: {written}")))


def test_every_key_is_described():
    forms = [schema(), *schema()["$defs"].values()]
    undescribed = [
        key
        for form in forms
        for key, value in form.get("properties", {}).items()
        if not value.get("description")
    ]
    assert undescribed == []
