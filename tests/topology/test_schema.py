"""The schema agrees with the checks: what it refuses is wrong, what is right it takes."""

from pathlib import Path

import jsonschema
import pytest
import yaml
from test_check import PIPELINE

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
    "path", sorted([*ROOT.glob("topology.yaml"), *ROOT.glob("examples/*.yaml")]), ids=str
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
        ("description: a batch of tasks", "expect: {sink.received: 100}"),
    ],
)
def test_it_refuses_what_is_wrong(old, new):
    assert old in PIPELINE
    assert not VALIDATOR.is_valid(yaml.safe_load(PIPELINE.replace(old, new)))


def test_it_takes_a_variable_where_a_number_or_a_choice_stands():
    text = PIPELINE.replace("replicas: 3", "replicas: ${N:-3}").replace("codec: text", "codec: ${CODEC}")
    VALIDATOR.validate(yaml.safe_load(text.replace("250ms", '"${GRACE}"')))
    assert not VALIDATOR.is_valid(yaml.safe_load(text.replace("${N:-3}", "${N:3}")))


def test_every_key_is_described():
    forms = [schema(), *schema()["$defs"].values()]
    undescribed = [
        key
        for form in forms
        for key, value in form.get("properties", {}).items()
        if not value.get("description")
    ]
    assert undescribed == []
