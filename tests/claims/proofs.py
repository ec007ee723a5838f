"""The record of a claim's runs: that of the last `make claims`, where its topology is still the same, else a fresh one."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.observers.journal import JournalError, read_journal
from orchestrator.outcome.values import Summary
from orchestrator.run.events import Known
from orchestrator.rundir import recorded_runs
from prover.catalogue import Claim, read_catalogue
from prover.judge import judge
from prover.trials import CLAIMS, RECORDS, run_claim, summaries

SEED = 1

CATALOGUE = read_catalogue((CLAIMS / "claims.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Proof:
    """What came of a claim's runs, and the events of the first run by pattern."""

    runs: list[dict[str, Summary]]
    events: Mapping[str, list[Known]]


def proof(claim: Claim, fresh: Path) -> Proof:
    """The record of the claim's runs; where there is none that shows it, it is run now and kept in `fresh`.

    Whoever else wants the same one meanwhile waits for it.
    """
    found = _shown(claim, RECORDS)
    if found is not None:
        return found
    with (fresh / f"{claim.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current(claim, fresh / claim.name):
            trials = run_claim(claim, SEED, records=fresh)
            assert not trials.told, trials.told
    return _read(claim, fresh / claim.name)


def _shown(claim: Claim, records: Path) -> Proof | None:
    """What these records hold, if it is all of the claim as it is now, and shows it."""
    if not _is_current(claim, records / claim.name):
        return None
    with suppress(JournalError, msgspec.ValidationError):  # written by another version
        kept = _read(claim, records / claim.name)
        if judge(claim, kept.runs).shown:
            return kept
    return None


def _read(claim: Claim, kept: Path) -> Proof:
    journals = [read_journal(place / "events.jsonl") for place in recorded_runs(kept / "run-01")]
    return Proof(
        runs=[summaries(kept / f"run-{number:02d}") for number in range(1, claim.runs + 1)],
        events={events[0].pattern: events for events in journals},
    )


def _is_current(claim: Claim, kept: Path) -> bool:
    """Whether every run is there, of the topology as it is now."""
    written = (CLAIMS / claim.file).read_bytes()
    for number in range(1, claim.runs + 1):
        place = kept / f"run-{number:02d}"
        copies = list(place.glob(f"**/{claim.file}"))
        complete = place.with_name(f"{place.name}.json").is_file() and copies
        if not complete or any(copy.read_bytes() != written for copy in copies):
            return False
    return True
