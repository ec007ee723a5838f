"""Small claims and summaries, made up for the tests of the prover."""

from __future__ import annotations

from orchestrator.outcome.values import LinkSummary, PortSummary, ProblemSummary, ProcessSummary, Summary
from prover.catalogue import Check, Claim


def a_claim(**changes) -> Claim:
    """A claim that asks for nothing but that its patterns pass."""
    values = {
        "number": 7,
        "claim": "All arrives",
        "file": "07-all.yaml",
        "measured": "{plain.tasks.lost} lost",
    }
    return Claim(**values | changes)


def a_check(measure: str, condition: str, **changes) -> Check:
    """A check."""
    return Check(measure=measure, condition=condition, **changes)


def a_summary(
    pattern: str = "plain",
    *,
    verdict: str = "passed",
    lost: int | None = 0,
    received=(10, 20),
    kinds=(),
    **changes,
) -> Summary:
    """A run of workers that have received so many tasks each."""
    values = {
        "run_id": "r",
        "topology": "07-all.yaml",
        "pattern": pattern,
        "engine": "local",
        "seed": 1,
        "verdict": verdict,
        "started_at": "2026-01-01T00:00:00Z",
        "elapsed_s": 2.0,
        "ready_s": 0.1,
        "work_s": 1.5,
        "speedup": None,
        "stages": (),
        "processes": tuple(
            ProcessSummary(
                name=f"worker-{number}",
                node="worker",
                role="worker",
                stage=1,
                outcome="finished",
                exit_code=0,
                ports={"tasks": PortSummary(received=count)},
                result={"word": f"w{number}", "flag": True},
            )
            for number, count in enumerate(received, start=1)
        ),
        "links": (
            LinkSummary(
                endpoint="tasks", addresses=(), senders=(), receivers=(), sent=30, received=30, lost=lost
            ),
        ),
        "problems": tuple(
            ProblemSummary(
                kind=kind, process=None, endpoint=None, text=f"was {kind}", code=kind, file=None, line=None
            )
            for kind in kinds
        ),
    }
    return Summary(**values | changes)


def a_run(*summaries: Summary) -> dict[str, Summary]:
    """What came of a file whose patterns ended so."""
    return {summary.pattern: summary for summary in summaries or (a_summary(),)}
