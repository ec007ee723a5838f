"""`make chaos` and `make fuzz`: gates by turns, until each has had its full amount or the time is up.

`python -m chaos --seed 7 --minutes 10 --only orphans --write` writes the rows of the gates that ran into
docs/reliability.md, after each round. Exits with 1 where anything went wrong; each time is told with what leads to it.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path

from chaos.gate import Gate, Tally, rounds
from chaos.gates import FUZZED, GATES
from chaos.page import row, written_anew

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
_SHOWN_FAULTS = 20


def main() -> int:
    """Go round the gates that are asked for, and tell what came of it."""
    options = _options()
    named = options.only.split(",") if options.only else [gate.name for gate in GATES]
    if options.fuzz:
        named = list(FUZZED)
    unknown = set(named) - {gate.name for gate in GATES}
    if unknown:
        print(f"cannot run {', '.join(sorted(unknown))}: there is no such gate", file=sys.stderr)
        return 2
    gates = [gate for gate in GATES if gate.name in named]
    seed = options.seed if options.seed is not None else secrets.randbelow(2**31)
    print(f"seed {seed}", flush=True)
    until_s = time.monotonic() + 60 * options.minutes
    tallies = {gate.name: Tally() for gate in gates}
    for gate, tally in rounds(gates, seed, time.monotonic, until_s):
        told = tallies[gate.name]
        told.add(tally)
        now = time.strftime("%H:%M:%S")
        print(
            f"{now} {gate.name}: {told.tried:,} {gate.unit}, {told.lost} went wrong; {told.told}", flush=True
        )
        for fault in tally.faults[:_SHOWN_FAULTS]:
            print(f"{gate.name}: {fault}", file=sys.stderr, flush=True)
        if options.write:
            _write(gate, told, seed)
    return 1 if any(tally.lost for tally in tallies.values()) else 0


def _write(gate: Gate, tally: Tally, seed: int) -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = {gate.name: row(gate, tally, seed)}
    PAGE.write_text(written_anew(page, rows, [one.name for one in GATES]), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of all chance (default: any, which is printed)")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", help="gates, with commas between them")
    parser.add_argument("--fuzz", action="store_true", help="the gates of what comes from outside")
    parser.add_argument("--write", action="store_true", help="write the table in docs/reliability.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
