"""The list of lines, what they stand on, and one of them run small."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import messages
from benchmarks.bench import all_lines, run_line
from benchmarks.measure import Compare, FailedError, Line, Measure, SkippedError
from benchmarks.processes import peak_of, pss_of, ticks_of

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.parametrize("quick", [False, True])
def test_every_line_has_a_name_of_its_own(quick):
    names = [line.name for line in all_lines(quick=quick)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("topologies/*.yaml")), ids=lambda path: path.stem)
def test_every_topology_is_in_order(path):
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_counterparts_are_pinned_alike_in_all_files():
    pins = {}
    for path in BENCHMARKS.glob("requirements/*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            if "==" in line and not line.startswith(" "):
                package, _, rest = line.rstrip("\\ ").partition("==")
                pins.setdefault((package, rest.partition(" ; ")[2]), set()).add(rest.partition(" ")[0])
        assert "--hash=sha256:" in "".join(lines), path
    assert {name for name, versions in pins.items() if len(versions) > 1} == set()


def test_what_goes_wrong_ends_one_line_with_a_word():
    measure = Measure(key="s", unit="s", compare=Compare.ALONE)

    def told(error):
        figures = iter([{"s": 1.0}, error])

        def run():
            one = next(figures)
            if isinstance(one, Exception):
                raise one
            return one

        return run_line(Line(name="x", title="x", against="", measures=(measure,), ours=run), 2)

    assert told(SkippedError("it is not there"))["word"] == "skipped, it is not there"
    failed = told(FailedError("exit 1"))
    assert failed["word"] == "failed, exit 1"
    assert len(failed["pairs"]) == 1


def test_proc_is_read_as_linux_writes_it():
    stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 1 0 100 1000 10"
    assert ticks_of(stat) == 42
    assert pss_of("Rss:   900 kB\nPss:               5855 kB\nPss_Dirty: 1 kB\n") == 5855 * 1024
    assert peak_of("Name:\tpython\nVmHWM:\t   44500 kB\nVmRSS:\t 1 kB\n") == 44500 * 1024
    assert peak_of("Name:\tpython\nState:\tZ (zombie)\n") == 0
    with pytest.raises(FailedError):
        pss_of("Rss: 1 kB\n")


@pytest.mark.slow
@pytest.mark.system
def test_a_small_line_runs_on_both_sides():
    measure = Measure(key="tasks_per_s", unit="tasks/s", compare=Compare.RATE)
    patience = {f"pipeline.nodes.{node}.ready_within": "2m" for node in ("ventilator", "worker", "sink")}
    line = Line(
        name="tiny",
        title="tiny",
        against="plain pyzmq",
        measures=(measure,),
        ours=lambda: messages.pipeline(2, 500, patience),
        theirs=lambda: messages.plain_pipeline(2, 500),
    )
    entry = run_line(line, 1)
    assert entry["word"] == ""
    (pair,) = entry["pairs"]
    assert pair["ours"]["tasks_per_s"] > 0
    assert pair["theirs"]["tasks_per_s"] > 0
