"""The lines on starting: what a command costs before and after its work."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks import ours
from benchmarks.measure import Compare, FailedError, Figures, Line, Measure

_TIMES = 5
_BARE = [sys.executable, "-c", "import zmq, yaml"]
_IMPORTS = [sys.executable, "-c", "import orchestrator.cli"]
_STAMPED = {
    "pipeline.nodes.ventilator.role": "benchmarks.topologies.stamped:Ventilator",
    "pipeline.nodes.sink.role": "benchmarks.topologies.stamped:DemoSink",
}


def command_s(command: Sequence[str]) -> float:
    """How long a command takes, in seconds: the median of a few times, since one is short."""
    took = []
    for _ in range(_TIMES):
        began_s = time.perf_counter()
        done = subprocess.run(
            command, cwd=ours.ROOT, capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        took.append(time.perf_counter() - began_s)
        if done.returncode:
            raise FailedError(f"exit {done.returncode}: {done.stderr.decode()[-500:]}")
    return statistics.median(took)


def demo() -> Figures:
    """Ours: what the pipeline demo takes beyond its work, and where that goes, in seconds.

    The work is from Go to the last result. The processes' clocks and the record's are joined at Go, when the
    ventilator begins.
    """
    imports_s = command_s(_IMPORTS)
    record = ours.run(ours.ROOT / "topology.yaml", _STAMPED, "--pattern", "pipeline")
    (go_s,), (last_s,) = record.stamps("began_s"), record.stamps("ended_s")
    started_s = go_s - record.at_s("RunReady")
    closed_s = started_s + record.events[-1]["at_s"]
    launched_s = started_s + record.at_s("ProcessLaunched")
    return {
        "seconds": (go_s - record.began_s) + (record.ended_s - last_s),
        "imports_s": imports_s,
        "plan_s": max(0.0, started_s - record.began_s - imports_s),
        "launch_s": launched_s - started_s,
        "ready_s": go_s - launched_s,
        "stop_s": closed_s - last_s,
        "reports_s": record.ended_s - closed_s,
    }


def lines() -> list[Line]:
    """The lines on starting."""
    bare = "`python -c 'import zmq, yaml'`"
    return [
        *(
            Line(
                name=f"start-{verb}",
                title=f"`orchestrator {' '.join(words)}`",
                against=bare,
                measures=(Measure(key="seconds", unit="s", compare=Compare.COST, goal=goal),),
                ours=lambda words=words: {"seconds": command_s([ours.COMMAND, *words])},  # type: ignore[misc]
                theirs=lambda: {"seconds": command_s(_BARE)},
            )
            for verb, words, goal in (
                ("help", ("--help",), 1.5),
                ("validate", ("validate", "topology.yaml"), 4.0),
            )
        ),
        Line(
            name="overhead",
            title="pipeline demo beyond its work",
            against="",
            measures=(Measure(key="seconds", unit="s", compare=Compare.ALONE, goal=0.6),),
            ours=demo,
            note=_where,
        ),
    ]


def _where(figures: Mapping[str, float], _theirs: Mapping[str, float]) -> str:
    parts = (
        ("imports_s", "interpreter and imports"),
        ("plan_s", "check and plan"),
        ("launch_s", "until the first launch"),
        ("ready_s", "launch to ready"),
        ("stop_s", "last result to closed books"),
        ("reports_s", "reports and exit"),
    )
    return ", ".join(f"{what} {figures[key]:.2f} s" for key, what in parts)
