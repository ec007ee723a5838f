"""`restart`: its short and long forms, what they mean, and what may stand in for them."""

import pytest
from test_check import PIPELINE, checked

from orchestrator.topology.model import Restart

DEFAULT = Restart(policy="no", most=5, within_s=60, backoff_s=0.5)

GOOD = {
    "no": DEFAULT,
    "No": DEFAULT,
    "'no'": DEFAULT,
    "off": DEFAULT,
    "on-failure": Restart(policy="on-failure"),
    '"always"': Restart(policy="always"),
    "{policy: no}": DEFAULT,
    '{policy: "no"}': DEFAULT,
    "{policy: always}": Restart(policy="always"),
    "{policy: on-failure, max: 1, within: 1m30s, backoff: 0s}": Restart(
        policy="on-failure", most=1, within_s=90, backoff_s=0
    ),
    "{backoff: 29s1000ms, within: 10m, policy: always}": Restart(policy="always", within_s=600, backoff_s=30),
}
"""What may stand in a file, and what it means."""


def restart(written, *overrides, **environment):
    text = PIPELINE.replace("replicas: 3", f"restart: {written}") if written else PIPELINE
    (pattern,) = checked(text, *overrides, **environment).topology.patterns.values()
    return pattern.nodes["worker"].restart


@pytest.mark.parametrize(("written", "meant"), GOOD.items())
def test_what_restarts_mean(written, meant):
    assert restart(written) == meant


def test_nothing_is_restarted_unasked():
    assert restart("") == DEFAULT


@pytest.mark.parametrize(("word", "policy"), [("no", "no"), ("false", "no"), ("on-failure", "on-failure")])
@pytest.mark.parametrize("written", ["${WORD}", '"${WORD}"', "{policy: '${WORD}'}"])
def test_a_variable_may_name_the_policy(written, word, policy):
    assert restart(written, WORD=word).policy == policy


def test_variables_may_be_limits():
    written = "{policy: always, max: '${MOST}', within: '${LONG}', backoff: '${LONG}'}"
    assert restart(written, MOST="7", LONG="20s") == Restart(
        policy="always", most=7, within_s=20, backoff_s=20
    )


@pytest.mark.parametrize(
    ("written", "path", "value", "meant"),
    [
        ("", "restart", "on-failure", Restart(policy="on-failure")),
        ("always", "restart", "no", DEFAULT),
        ("", "restart", "{policy: always, max: 2}", Restart(policy="always", most=2)),
        ("", "restart.policy", "always", Restart(policy="always")),
        ("on-failure", "restart.max", "3", Restart(policy="on-failure", most=3)),
        ("no", "restart.max", "3", Restart(policy="no", most=3)),
        ("{policy: always, max: 3}", "restart.backoff", "1s", Restart(policy="always", most=3, backoff_s=1)),
    ],
)
def test_an_option_may_set_it(written, path, value, meant):
    assert restart(written, (f"pipeline.nodes.worker.{path}", value)) == meant


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("role: ventilator", "role: ventilator\n        restart: no"),
        ("replicas: 3", "restart: {policy: always, max: 6}"),
        ("replicas: 3", "restart: {policy: on-failure, backoff: 1.9s}"),
        ("replicas: 3", "restart: {policy: always, max: 1000000, backoff: 0s}"),
    ],
)
def test_what_ends_is_no_warning(old, new):
    assert checked(PIPELINE.replace(old, new)).warnings == ()


def test_a_source_that_is_meant_to_start_over_is_not_told():
    text = PIPELINE.replace("role: ventilator", "role: ventilator\n        restart: on-failure")
    assert [problem.code for problem in checked(text).warnings] == ["starts-over"]
    assert checked(f"{text}    allow: [starts-over]\n").warnings == ()


def test_restarts_without_end_can_be_allowed():
    text = PIPELINE.replace("replicas: 3", "restart: {policy: always, max: 7}")
    assert [problem.code for problem in checked(text).warnings] == ["never-ends"]
    assert checked(f"{text}    allow: [never-ends]\n").warnings == ()
