"""Every claim under the other engine: the same links, and the same verdict."""

import msgspec
import pytest
from proofs import CATALOGUE, SEED, proof

from prover.trials import run_claim

EVERY_CLAIM = pytest.mark.parametrize("claim", CATALOGUE, ids=lambda claim: claim.name)
SMALLER = {"02-thousands": ["--set", "sockets.nodes.client.params.sockets=100",
                            "--set", "sockets.expect.server.received=1600",
                            "--set", "sockets.expect.client.received=1600",
                            "--set", "sockets.expect.client.received.min=200",
                            "--set", "processes.nodes.client.replicas=40",
                            "--set", "processes.expect.server.received=80",
                            "--set", "processes.expect.client.received=80"],
           "05-heavy-load": ["--set", "heavy.nodes.client.params.requests=2000",
                             "--set", "heavy.expect.server.received=32000",
                             "--set", "heavy.expect.client.received=32000",
                             "--set", "heavy.expect.client.received.min=2000"]}  # fmt: skip
"""A thousand interpreters take a minute to start; it is the engine that is compared here, not the load."""


@pytest.mark.system
@pytest.mark.slow
@EVERY_CLAIM
def test_a_claim_has_the_same_links_and_the_same_verdict_under_supervisord(tmp_path, fresh, claim):
    once = msgspec.structs.replace(claim, runs=1)
    extra = ["--engine", "supervisor", *SMALLER.get(claim.name, [])]
    trials = run_claim(once, SEED, records=tmp_path, extra=extra)
    assert trials.told == []
    here, there = proof(claim, fresh).runs[0], trials.runs[0]
    assert list(here) == list(there)
    for pattern, local in here.items():
        other = there[pattern]
        assert other.engine == "supervisor"
        told = pattern, [problem.text for problem in (*local.problems, *other.problems)]
        assert (local.verdict, local.exit_code) == (other.verdict, other.exit_code), told
        assert [_link(link) for link in local.links] == [_link(link) for link in other.links], pattern
        assert _kinds(local) == _kinds(other), pattern
        assert [(one.path, one.held) for one in local.expectations] == [
            (one.path, one.held) for one in other.expectations
        ], pattern


def _link(link):
    """A link but for its numbers, which its expectations speak of."""
    return (
        link.endpoint,
        link.kind,
        link.senders,
        link.receivers,
        link.book,
        link.sent is None,
        link.lost is None,
    )


def _kinds(summary):
    return sorted({problem.kind for problem in summary.problems})
