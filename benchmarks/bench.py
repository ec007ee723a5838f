"""The benchmarks: `make bench`, `make bench-quick`, or `python -m benchmarks.bench --only pipeline-1 --pairs 3`.

Each line runs ours and its counterpart in turn, and tells the median of the paired ratios. A full run writes
`results.json`, `results.md` and `growth.svg` beside this file, and the part of README.md between its two markers;
with `--only` the other lines stay as they were. A quick run writes nothing, unless `--out` names a folder.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import alternatives, deliveries, growth, messages, processes, report, starting
from benchmarks.machine import machine, versions
from benchmarks.measure import FailedError, Line, SkippedError, run_pair
from benchmarks.ours import ROOT

FOLDER = Path(__file__).parent
_PAIRS = 5
_QUICK_PAIRS = 1
_BUSY = 0.5
_BRIEF_CHARACTERS = 300
_GROWTH = "growth"


def main() -> None:
    """Run what was asked for, tell it line by line, and write it down."""
    options = _options()
    signal.signal(signal.SIGTERM, _leave)
    try:
        sys.exit(_run(options))
    except KeyboardInterrupt:
        sys.exit(130)


def _run(options: argparse.Namespace) -> int:
    """Run what was asked for; the exit code, 1 where a line failed. A goal that is missed is no failure."""
    lines = all_lines(quick=options.quick)
    names = [line.name for line in lines]
    if options.list:
        _say("\n".join([*names, _GROWTH]))
        return 0
    here = machine()
    if here["load_1m"] > _BUSY * here["cores"]:
        _say(f"others are at work on this machine (load {here['load_1m']:.1f}): figures will scatter")
    wanted = _wanted(options.only, [*names, _GROWTH]) if options.only else {*names, _GROWTH}
    chosen = [
        line for line in lines if line.name in wanted and (options.only or line.quick or not options.quick)
    ]
    entries = [
        run_line(line, options.pairs or (_QUICK_PAIRS if options.quick else _PAIRS)) for line in chosen
    ]
    out = options.out or (None if options.quick else FOLDER)
    grown = None if options.quick or _GROWTH not in wanted else growth.measured(_say)
    if out is None:
        _say(f"\n{report.table(entries)}")
    else:
        _write(out, entries, names, grown, {"machine": here, "pairs": options.pairs or _PAIRS})
    return int(any(one["word"].startswith("failed") for one in entries))


def all_lines(*, quick: bool) -> list[Line]:
    """All lines, in the order of the table."""
    return [
        *messages.lines(quick=quick),
        *alternatives.lines(quick=quick),
        *deliveries.lines(quick=quick),
        *processes.lines(quick=quick),
        *starting.lines(),
    ]


def run_line(line: Line, count: int) -> dict[str, Any]:
    """Run the pairs of a line; what goes wrong ends the line with a word, and not the others."""
    pairs = []
    word = ""
    began_s = time.monotonic()
    try:
        for number in range(min(count, line.most or count)):
            pairs.append(run_pair(line, number))  # noqa: PERF401 - the pairs before one that fails are kept
        entry = report.entry(line, pairs)
    except SkippedError as reason:
        word = f"skipped, {reason}"
    except (FailedError, subprocess.SubprocessError, OSError, ValueError, KeyError) as reason:
        word = f"failed, {_brief(str(reason))}"
        _say(f"{line.name}: {reason}")
    if word:
        entry = report.entry(line, pairs, word)
    _say(f"{line.name} ({time.monotonic() - began_s:.0f} s)\n{_told(entry)}")
    return entry


def _brief(text: str) -> str:
    """The end of a text as one line of a table's note."""
    return " ".join(text.split())[-_BRIEF_CHARACTERS:].replace("|", "/")


def _told(entry: report.Entry) -> str:
    """The rows of one line, without the head of the table."""
    return "\n".join(f"  {line}" for line in report.table([entry]).splitlines()[2:] if line)


def _write(
    out: Path,
    entries: Sequence[report.Entry],
    names: Sequence[str],
    grown: dict[str, Any] | None,
    told: dict[str, Any],
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "results.json"
    old = json.loads(kept.read_bytes()) if kept.exists() else {"lines": [], "growth": None}
    results: dict[str, Any] = {
        **told,
        "versions": versions(),
        "lines": report.merged(old["lines"], entries, names),
        "growth": grown or old["growth"],
    }
    kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    picture = ""
    if results["growth"]:
        picture = "growth.svg"
        (out / picture).write_text(growth.picture(results["growth"]), encoding="utf-8")
    (out / "results.md").write_text(f"# Results\n\n{report.page(results, picture)}", encoding="utf-8")
    if out == FOLDER:
        readme = ROOT / "README.md"
        before = readme.read_text(encoding="utf-8")
        after = report.replaced(before, report.page(results, picture and f"benchmarks/{picture}"))
        if after != before:
            readme.write_text(after, encoding="utf-8")
    _say(f"written: {out / 'results.md'}")


def _wanted(only: str, names: Sequence[str]) -> set[str]:
    """The names that were asked for; `pipeline` stands for all that begin with `pipeline-`, too."""
    wanted = set()
    for asked in only.split(","):
        found = [name for name in names if name == asked or name.startswith(f"{asked}-")]
        if not found:
            sys.exit(f"there is no line '{asked}'; there are {', '.join(names)}")
        wanted.update(found)
    return wanted


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs ours and its counterparts in turn.")
    parser.add_argument("--quick", action="store_true", help="fewer lines, one pair each, under a minute")
    parser.add_argument(
        "--only", metavar="NAMES", help="these lines, with commas; 'pipeline' is all pipeline-…"
    )
    parser.add_argument(
        "--pairs", type=int, metavar="N", help=f"pairs a line ({_PAIRS}; quick {_QUICK_PAIRS})"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results are written")
    parser.add_argument("--list", action="store_true", help="list the names of the lines")
    return parser.parse_args()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End what was started, as Ctrl-C does."""
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
