"""Runs a claim's topology through the command line, as often as it asks for, and keeps the records."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.outcome.values import Summary
from prover.catalogue import Claim

CLAIMS = Path(__file__).resolve().parents[1]
RECORDS = CLAIMS.parent / ".runs" / "claims"
DOCUMENT = "document.json"
_SPARE_S = 600
"""A run ends by its own `--timeout`; this is for one that does not even do that."""


@dataclass(slots=True)
class Trials:
    """What came of a claim's runs; `told` are the reasons why one of them did not take place."""

    runs: list[dict[str, Summary]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def run_claim(claim: Claim, seed: int, *, records: Path = RECORDS, extra: Sequence[str] = ()) -> Trials:
    """Run the claim's file as often as it asks for, each time with the next seed; `extra` goes to the command line."""
    folder = records / claim.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trials = Trials()
    for number in range(1, claim.runs + 1):
        place = folder / f"run-{number:02d}"
        told = _run_once(claim, place, seed + number - 1, extra)
        trials.runs.append(summaries(place) if not told else {})
        trials.told += [f"run {number}: {text}" if claim.runs > 1 else text for text in told]
    return trials


def summaries(place: Path) -> dict[str, Summary]:
    """The summaries of one run of a file, by pattern, from the document beside its record."""
    document = json.loads(_document(place).read_bytes())
    return {run["pattern"]: msgspec.convert(run, Summary) for run in document["runs"]}


def _document(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _run_once(claim: Claim, place: Path, seed: int, extra: Sequence[str]) -> list[str]:
    """Run all patterns of the file once; the reasons why that could not be done, if any."""
    document = _document(place)
    command = [sys.executable, "-m", "orchestrator", "run", f"{CLAIMS.name}/{claim.file}", "--quiet"]
    command += ["--run-dir", str(place.resolve()), "--json", str(document.resolve())]
    command += ["--seed", str(seed), "--timeout", claim.timeout, *extra]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            cwd=CLAIMS.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SPARE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"it did not end within {_SPARE_S} s"]
    if not document.is_file():
        return [f"exit code {done.returncode}: {done.stderr.strip()[-500:] or 'it says nothing'}"]
    return [_problem(problem) for problem in _problems(document)]


def _problems(document: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document.read_bytes())["problems"]
    return [problem for problem in found if problem.get("severity") != "warning"]


def _problem(problem: dict[str, Any]) -> str:
    place = f"{problem['file']}:{problem['line']}: " if problem.get("line") else ""
    return f"{place}{problem['text']}"
