"""What every claim has: a file and an entry, a sentence, patterns that say what they show, and something expected of each."""

import subprocess
import sys

import pytest
import yaml
from proofs import CATALOGUE

from prover.catalogue import chosen
from prover.judge import judge
from prover.measured import placeholders
from prover.trials import CLAIMS, run_claim

EVERY_CLAIM = pytest.mark.parametrize("claim", CATALOGUE, ids=lambda claim: claim.name)


def patterns(claim):
    return yaml.safe_load((CLAIMS / claim.file).read_text(encoding="utf-8"))["patterns"]


def test_every_claim_has_its_file_and_every_file_its_claim():
    assert [claim.file for claim in CATALOGUE] == sorted(path.name for path in CLAIMS.glob("[0-9]*.yaml"))
    assert [claim.number for claim in CATALOGUE] == list(range(1, 19))


@EVERY_CLAIM
def test_a_claim_is_in_order(claim):
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate", f"claims/{claim.file}"],
        cwd=CLAIMS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@EVERY_CLAIM
def test_a_claim_says_what_it_shows(claim):
    text = (CLAIMS / claim.file).read_text(encoding="utf-8")
    first, second, *_ = text.splitlines()
    assert first == "# yaml-language-server: $schema=../topology.schema.json"
    assert second.startswith(f"# Claim {claim.number}: ")
    assert "# The guide: " in text
    for name, pattern in patterns(claim).items():
        assert pattern.get("description"), name
        assert pattern.get("expect"), name


@EVERY_CLAIM
def test_what_is_told_of_a_claim_is_measured_in_its_patterns(claim):
    known = set(patterns(claim))
    told = placeholders(claim.measured)
    assert any(one.measure for one in told)
    expressions = [one.measure for one in told if one.measure]
    expressions += [check.expression for check in claim.checks.values()]
    expressions += [one.over for one in expressions if one.over]
    assert {one.pattern for one in expressions} | set(claim.wants) <= known


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        ("1", "lockstep.expect.asker.result.send_again=done"),
        ("14", "even.expect.worker.received.max=74"),
        ("15", "backlog.expect.receiver.result.jain_altogether=>= 0.99"),
        ("17", "shallow.expect.tasks.lost=0"),
    ],
)
def test_a_wrong_number_in_a_run_makes_the_claim_fail(tmp_path, number, wrong):
    (claim,) = chosen(CATALOGUE, number)
    trials = run_claim(claim, 1, records=tmp_path, extra=["--set", wrong])
    row = judge(claim, trials.runs, trials.told)
    path, _, value = wrong.partition("=")
    pattern, _, measure = path.partition(".expect.")
    assert len(row.faults) == 1, row.faults
    assert (
        f"{pattern}: failed: {measure} {value if value.startswith('>') else f'== {value}'}, was"
        in row.faults[0]
    )


@pytest.mark.system
def test_a_topology_that_is_wrong_is_told(tmp_path):
    (claim,) = chosen(CATALOGUE, "14")
    trials = run_claim(claim, 1, records=tmp_path, extra=["--set", "even.nodes.worker.replica=3"])
    row = judge(claim, trials.runs, trials.told)
    assert not row.shown
    assert "unknown key 'replica'" in row.faults[0]
