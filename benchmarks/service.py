"""How long it takes to bring up a service of many processes and to take it down: `make bench-service`.

Each process is a Python interpreter of its own, since supervisord starts programs. Times are of the whole commands, and
of the run itself from its start until every socket was in place.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOPOLOGY = """
version: 1
patterns:
  crowd:
    endpoints: {{tasks: ipc, results: ipc}}
    nodes:
      ventilator: {{role: ventilator, bind: tasks, params: {{count: 1000000000, rate: 2000}}}}
      worker:
        role: worker
        connect: [tasks, results]
        replicas: {workers}
        params: {{call: "roles.functions:echo"}}
        ready_within: 1m
      sink: {{role: sink, bind: results}}
"""


def main() -> None:
    """Print the figures of each round, and their medians."""
    parser = argparse.ArgumentParser(description="Brings up a service of many processes and takes it down.")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "topology.yaml").write_text(TOPOLOGY.format(workers=options.processes - 2))
        print(f"{options.processes} processes\n   UP s  READY s  DOWN s  TASKS   LOST")
        for number in range(options.rounds):
            figures = _round(Path(folder), number)
            rounds.append(figures)
            print(_line(figures))
    medians = tuple(statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{_line(medians)}  median")


def _round(folder: Path, number: int) -> tuple[float, float, float, float, float]:
    up_s = _timed(folder, "up", "--quiet", "--run-dir", f"run-{number}")
    down_s = _timed(folder, "down")
    summary = json.loads((folder / f"run-{number}" / "summary.json").read_bytes())
    tasks = next(link for link in summary["links"] if link["endpoint"] == "tasks")
    return up_s, summary["ready_s"], down_s, tasks["received"], tasks["lost"]


def _timed(folder: Path, *arguments: str) -> float:
    began_s = time.monotonic()
    command = [sys.executable, "-m", "orchestrator", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return time.monotonic() - began_s


def _line(figures: tuple[float, ...]) -> str:
    up_s, ready_s, down_s, tasks, lost = figures
    return f"{up_s:7.1f}  {ready_s:7.1f}  {down_s:6.1f}  {tasks:6,.0f}  {lost:4,.0f}"


if __name__ == "__main__":
    main()
