"""Proves the claims: `make claims`, or `claims/prove.py --only 4,7 --seed 1` in an environment that is set up."""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also where it is not run as a script

from orchestrator.engines.choice import ENGINES
from prover.catalogue import CatalogueError, Claim, chosen, read_catalogue
from prover.judge import Row, judge
from prover.tables import Conditions, line, markdown, sums, table
from prover.trials import CLAIMS, RECORDS, run_claim

CATALOGUE = CLAIMS / "claims.yaml"
PAGE = CLAIMS / "claims.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the claims, print the table and write the page; 0 if all are shown, 1 if not, 2 where nothing could begin."""
    options = _options(arguments)
    try:
        claims = read_catalogue(CATALOGUE.read_text(encoding="utf-8"))
        if options.only:
            claims = chosen(claims, options.only)
    except (CatalogueError, OSError) as error:
        print(f"{CATALOGUE.name}: {error}", file=sys.stderr)
        return 2
    started_s = time.monotonic()
    print(f"{len(claims)} claims, seed {options.seed}", flush=True)
    rows = [_prove(claim, options.seed, options.engine) for claim in claims]
    print(f"\n{table(rows)}\n\n{sums(rows, time.monotonic() - started_s)}")
    if options.only or options.engine != "local":
        print("the page is left as it is: it shows all claims, under the engine local")
    else:
        PAGE.write_text(markdown(rows, _conditions(options.seed)), encoding="utf-8")
    if not all(row.shown for row in rows):
        print(f"the records are in {os.path.relpath(RECORDS)}", file=sys.stderr)
        return 1
    return 0


def _prove(claim: Claim, seed: int, engine: str) -> Row:
    started_s = time.monotonic()
    records = RECORDS if engine == "local" else RECORDS.with_name(f"{RECORDS.name}-{engine}")
    trials = run_claim(claim, seed, records=records, extra=["--engine", engine])
    row = judge(claim, trials.runs, trials.told)
    print(line(row, time.monotonic() - started_s), flush=True)
    return row


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the claims and tells what was measured.")
    parser.add_argument("--only", metavar="NUMBERS", default="", help="these alone, as 4,7")
    parser.add_argument(
        "--seed", type=int, default=None, help="makes chance repeatable; drawn, and told, by default"
    )
    parser.add_argument(
        "--engine", choices=ENGINES, default="local", help="what runs the processes (default: local)"
    )
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = secrets.randbelow(2**31)
    return options


def _conditions(seed: int) -> Conditions:
    return Conditions(
        seed=seed,
        python=platform.python_version(),
        pyzmq=zmq.pyzmq_version(),
        libzmq=zmq.zmq_version(),
        cores=os.cpu_count(),
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
