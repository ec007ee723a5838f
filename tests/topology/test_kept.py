"""Topologies that chance has made, one for each way of being told: what is told of them stays as it is."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_problems import CORPUS, LARGE, problems_of

from orchestrator.topology.problem import headline

KEPT = Path(__file__).with_name("kept_topologies.jsonl")
MOST_MEMORY_BYTES = 100 * 1024**2
CASES = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_what_is_told(case):
    started_s = time.process_time()
    told = [headline(problem, file="topology.yaml") for problem in problems_of(case["text"])]
    assert told == case["says"]
    assert time.process_time() - started_s < 1


def test_five_hundred_are_kept():
    assert len(CASES) + CORPUS.read_text(encoding="utf-8").count("\n--- says\n") >= 500


HARMFUL = {
    "bombs": "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(2000)),
    "depth": "a: " + "[" * 100_000,
    "quotes": "a: '" * 50_000,
    "numbers": "a: " + "9" * 200_000,
    "large": "a: b\n" * 1_000_000,
    "merges": "a: {<<: *b, <<: *c}\n" * 10_000,
    **{f"large-{number}": text for number, text in enumerate(LARGE)},
}


PEAK = """
import sys
from pathlib import Path
from orchestrator.cli import main

code = main(["validate", sys.argv[1]])
(peak,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(peak)
sys.exit(code)
"""
"""What getrusage tells of a child begins with the memory of who has started it."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone tells of it so")
@pytest.mark.parametrize(
    "name", ["bombs", "depth", "quotes", "numbers", "large", "merges", "large-0", "large-7", "large-10"]
)
def test_no_file_takes_much_memory(tmp_path, name):
    """As `validate` does it, the interpreter and all that it imports included; exit 2, and no traceback."""
    path = tmp_path / "topology.yaml"
    path.write_text(HARMFUL[name])
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert int(done.stdout) * 1024 < MOST_MEMORY_BYTES
