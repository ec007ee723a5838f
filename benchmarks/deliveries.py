"""The lines on acknowledged delivery: what it costs against our own best effort, and what a slow worker costs it."""

from __future__ import annotations

from benchmarks import ours
from benchmarks.measure import Compare, Figures, Line, Measure
from benchmarks.messages import pipeline

_WORKERS = 2
_TASKS = "pipeline.endpoints.tasks"
_RESULTS = "pipeline.endpoints.results"
_CALL = "pipeline.nodes.worker.params.call"
_ACKNOWLEDGED = "{address: ipc, delivery: at_least_once}"
_ACKNOWLEDGED_BATCH = "{address: ipc, delivery: at_least_once, batch: 1000, window: 4096}"
_A_MILLISECOND = "{function: 'load:nap', with: {task_ms: 1}}"
SLOW_TASKS, SLOW_TASK_MS, SLOWER, FAST_WORKERS = 400, 10, 30, 3


def acknowledged(count: int) -> Figures:
    """Ours with acknowledged tasks that take no time."""
    return pipeline(_WORKERS, count, {_TASKS: _ACKNOWLEDGED})


def acknowledged_batches(count: int) -> Figures:
    """The same in large frames."""
    return pipeline(_WORKERS, count, {_TASKS: _ACKNOWLEDGED_BATCH, _RESULTS: "{address: ipc, batch: 1000}"})


def acknowledged_naps(count: int) -> Figures:
    """Ours with acknowledged tasks of a millisecond each."""
    return pipeline(_WORKERS, count, {_TASKS: _ACKNOWLEDGED, _CALL: _A_MILLISECOND})


def slow_worker() -> Figures:
    """How long acknowledged tasks take three workers and one that is 30 times slower."""
    record = ours.run("slow.yaml", {})
    return {"work_s": record.span_s()}


def ideal() -> Figures:
    """How long they would take if all four were at work until the end."""
    return {"work_s": SLOW_TASKS * SLOW_TASK_MS / 1000 / (FAST_WORKERS + 1 / SLOWER)}


def lines(*, quick: bool) -> list[Line]:
    """The lines on acknowledged delivery."""
    tiny, naps = (100_000, 1_000) if quick else (400_000, 5_000)
    plain = "ours, best effort"
    return [
        Line(
            name="acknowledged-tiny",
            title="acknowledged tasks, 2 workers, tiny tasks",
            against=plain,
            measures=(_rate(0.40),),
            ours=lambda: acknowledged(tiny),
            theirs=lambda: pipeline(_WORKERS, tiny),
        ),
        Line(
            name="acknowledged-batch",
            title="acknowledged tasks with batch: 1000, 2 workers",
            against=f"{plain}, without batch",
            measures=(_rate(1.00),),
            ours=lambda: acknowledged_batches(tiny),
            theirs=lambda: pipeline(_WORKERS, tiny),
            quick=False,
        ),
        Line(
            name="acknowledged-1ms",
            title="acknowledged tasks, 2 workers, 1 ms each",
            against=plain,
            measures=(_rate(0.95),),
            ours=lambda: acknowledged_naps(naps),
            theirs=lambda: pipeline(_WORKERS, naps, {_CALL: _A_MILLISECOND}),
            quick=False,
        ),
        Line(
            name="acknowledged-slow",
            title="acknowledged tasks, 3 workers and one 30 × slower",
            against="all at work until the end",
            measures=(Measure(key="work_s", unit="s", compare=Compare.COST, goal=1.25),),
            ours=slow_worker,
            theirs=ideal,
            quick=False,
        ),
    ]


def _rate(goal: float) -> Measure:
    return Measure(key="tasks_per_s", unit="tasks/s", compare=Compare.RATE, goal=goal)
