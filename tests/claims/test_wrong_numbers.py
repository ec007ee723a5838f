"""No claim can pass whatever happens: each number that it expects, made wrong, makes it fail."""

import msgspec
import pytest
from proofs import CATALOGUE, proof
from wrong import wrong_conditions

from orchestrator.outcome.measures import Measures
from orchestrator.outcome.summary import summarise
from orchestrator.run.events import RunStarted
from prover.judge import judge

pytestmark = pytest.mark.slow

EVERY_CLAIM = pytest.mark.parametrize("claim", CATALOGUE, ids=lambda claim: claim.name)


@pytest.fixture(scope="module")
def proofs(fresh):
    """The record of a claim; each claim is run once at the most."""
    found = {}

    def of(claim):
        if claim.number not in found:
            found[claim.number] = proof(claim, fresh)
        return found[claim.number]

    return of


def once(claim):
    """The claim as one run shows it, by the expectations in its topology alone."""
    return msgspec.structs.replace(claim, runs=1, checks={}, measured="")


def written(events):
    (start,) = [event for event in events if isinstance(event, RunStarted)]
    return [one for one in start.expectations if not one.default]


def with_condition(events, line, condition):
    """The same run, had this line of the topology said something else."""

    def changed(event):
        if not isinstance(event, RunStarted):
            return event
        lines = [
            msgspec.structs.replace(one, condition=condition) if one is line else one
            for one in event.expectations
        ]
        return msgspec.structs.replace(event, expectations=tuple(lines))

    return [changed(event) for event in events]


@EVERY_CLAIM
def test_every_line_can_fail(claim, proofs):
    record = proofs(claim)
    first = {pattern: summarise(events) for pattern, events in record.events.items()}
    assert judge(once(claim), [first]).faults == ()
    tried = 0
    for pattern, events in record.events.items():
        lines = written(events)
        assert lines, f"{pattern} expects nothing"
        for line in lines:
            values = Measures(first[pattern]).values(line.path)
            wrong = wrong_conditions(line.condition, values)
            assert wrong, line
            for condition in wrong:
                summary = summarise(with_condition(events, line, condition))
                row = judge(once(claim), [first | {pattern: summary}])
                assert not row.shown, f"{pattern}: {line.path} {condition} is wrong, and nobody says so"
                assert any(line.path in fault for fault in row.faults), row.faults
                tried += 1
    assert tried


@EVERY_CLAIM
def test_every_check_can_fail(claim, proofs):
    runs = proofs(claim).runs
    assert judge(claim, runs).faults == ()
    for name, check in claim.checks.items():
        values = [value for run in runs for value in check.expression.values(run)]
        assert values, name
        for condition in wrong_conditions(str(check.parsed), values):
            checks = claim.checks | {name: msgspec.structs.replace(check, condition=condition)}
            row = judge(msgspec.structs.replace(claim, checks=checks), runs)
            assert not row.shown, f"{name}: {condition} is wrong, and nobody says so"


@EVERY_CLAIM
def test_every_failure_that_is_wanted_is_needed(claim, proofs):
    """A pattern that must fail and passes, or fails by something else, does not show the claim."""
    runs = proofs(claim).runs
    for pattern, kinds in claim.wants.items():
        without = {other: wanted for other, wanted in claim.wants.items() if other != pattern}
        assert not judge(msgspec.structs.replace(claim, wants=without), runs).shown
        for kind in kinds:
            fewer = claim.wants | {pattern: [other for other in kinds if other != kind]}
            assert not judge(msgspec.structs.replace(claim, wants=fewer), runs).shown
        passed = [run | {pattern: msgspec.structs.replace(run[pattern], verdict="passed")} for run in runs]
        assert not judge(claim, passed).shown
