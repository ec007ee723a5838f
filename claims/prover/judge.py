"""What came of a claim's runs -> its row: what was measured, whether it is shown, and what did not hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.outcome.values import Summary
from prover.catalogue import Check, Claim
from prover.measured import UNKNOWN, Run, Runs, filled, span, value_at


@dataclass(frozen=True, slots=True)
class Row:
    """One claim as the table tells it; `faults` are the reasons why it is not shown."""

    number: int
    claim: str
    file: str
    runs: int
    measured: str
    faults: tuple[str, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether everything held that shows the claim."""
        return not self.faults

    @property
    def verdict(self) -> str:
        """The verdict as the table has it."""
        return "shown" if self.shown else "not shown"


def judge(claim: Claim, runs: Runs, told: Sequence[str] = ()) -> Row:
    """Judge a claim by the summaries of its runs; `told` is what kept a run from taking place at all."""
    faults = [*told, *_verdicts(claim, runs)]
    rates: dict[str, str] = {}
    for name, check in claim.checks.items():
        held = [_holds(check, run) for run in runs]
        rates[name] = f"{sum(held)} of {len(held)}"
        if sum(held) < check.needed(claim.runs):
            faults.append(_missed(name, check, runs, rates[name]))
    measured = filled(claim.measured, runs, rates)
    if UNKNOWN in measured and not faults:
        faults.append(f"measured: {UNKNOWN}")
    return Row(claim.number, claim.claim, claim.file, len(runs), measured, tuple(faults))


def _verdicts(claim: Claim, runs: Runs) -> Iterator[str]:
    """What is wrong with the verdicts of the patterns, run by run."""
    for number, run in enumerate(runs, start=1):
        where = f"run {number}, " if len(runs) > 1 else ""
        for pattern in sorted(set(claim.wants) - set(run)):
            yield f"{where}{pattern}: did not run"
        for pattern, summary in run.items():
            fault = _verdict(claim, pattern, summary)
            if fault:
                yield f"{where}{pattern}: {fault}"


def _verdict(claim: Claim, pattern: str, summary: Summary) -> str:
    if pattern not in claim.wants:
        return "" if summary.verdict == "passed" else f"{summary.verdict}: {_problems(summary)}"
    wanted = sorted(claim.wants[pattern])
    found = sorted({problem.kind for problem in summary.problems})
    if summary.verdict != "failed":
        return f"{summary.verdict}, and should have failed ({', '.join(wanted)})"
    return "" if found == wanted else f"failed, but not by {', '.join(wanted)} alone: {_problems(summary)}"


def _problems(summary: Summary) -> str:
    return "; ".join(problem.text for problem in summary.problems) or "it does not say why"


def _holds(check: Check, run: Run) -> bool:
    values = check.expression.values(run)
    return bool(values) and all(
        check.parsed.holds(value, lambda path: value_at(run, path)) for value in values
    )


def _missed(name: str, check: Check, runs: Runs, rate: str) -> str:
    values = ", ".join(span(check.expression.values(run)) for run in runs)
    wanted = "" if check.at_least == "all" else f", wanted at least {check.at_least}"
    return f"{name}: {check.expression} {check.parsed} in {rate} runs{wanted} (it was {values})"
