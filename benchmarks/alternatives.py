"""The lines on tiny tasks against what a user would pick instead, and our batches against all of them."""

from __future__ import annotations

from benchmarks.measure import Compare, Figures, Line, Measure, Run
from benchmarks.messages import batched, number_of, pipeline, plain_pipeline
from benchmarks.peers import dora, tasks

_WORKERS = 2
_PAIRS_WITHOUT_GOAL = 3
_DORA_MESSAGES = 50_000


def ours_against_dora(count: int) -> Figures:
    """Ours under the name of dora's figure; a run that loses a message does not pass."""
    return {"messages_per_s": pipeline(1, count)["tasks_per_s"], "lost": 0}


def lines(*, quick: bool) -> list[Line]:
    """The lines on alternatives."""
    plainly = 200_000 if quick else 500_000
    # Batches are faster, so that they need more tasks to run for as long.
    packed = 600_000 if quick else 2_000_000
    single = 200_000 if quick else 500_000
    return [
        *(
            Line(
                name=f"batch-{workers}",
                title=f"pipeline with batch: 100, {number_of(workers, 'worker')}",
                against="plain pyzmq, without batch",
                measures=(_tasks(goal),),
                ours=lambda workers=workers: batched(workers, packed),  # type: ignore[misc]
                theirs=lambda workers=workers: plain_pipeline(workers, plainly),  # type: ignore[misc]
                quick=workers == 1,
            )
            for workers, goal in ((1, 4.0), (2, 3.0), (4, 3.0))
        ),
        _batched_line(
            "pool-100",
            "`Pool(2).imap_unordered`, chunks of 100",
            packed,
            lambda: tasks.pool("pool", 100, packed),
            goal=1.2,
        ),
        _batched_line(
            "pool-1", "`Pool(2).imap_unordered`, chunks of 1", packed, lambda: tasks.pool("pool", 1, 30_000)
        ),
        _batched_line(
            "executor", "`ProcessPoolExecutor(2).map`", packed, lambda: tasks.pool("executor", 1, 8_000)
        ),
        Line(
            name="dora",
            title="small messages from source to worker to sink",
            against="dora",
            measures=(Measure(key="messages_per_s", unit="messages/s", compare=Compare.RATE, goal=40.0),),
            ours=lambda: ours_against_dora(_DORA_MESSAGES),
            theirs=lambda: dora.dora(_DORA_MESSAGES),
            quick=False,
            note=lambda ours, theirs: (
                f"of {_DORA_MESSAGES:,} messages ours lost {ours['lost']:,.0f}, dora {theirs['lost']:,.0f}"
            ),
        ),
        _single_line("ray", "Ray tasks, 2 processors", single, lambda: tasks.ray(2_000)),
        _single_line("dask", "Dask tasks, 2 workers", single, lambda: tasks.dask(1_000)),
        _single_line("ceiling", "C on the same libzmq", single, lambda: tasks.ceiling(_WORKERS, single)),
    ]


def _tasks(goal: float | None = None) -> Measure:
    return Measure(key="tasks_per_s", unit="tasks/s", compare=Compare.RATE, goal=goal)


def _batched_line(name: str, against: str, count: int, theirs: Run, goal: float | None = None) -> Line:
    return Line(
        name=name,
        title=f"pipeline with batch: 100, {number_of(_WORKERS, 'worker')}",
        against=against,
        measures=(_tasks(goal),),
        ours=lambda: batched(_WORKERS, count),
        theirs=theirs,
        quick=False,
        most=None if goal else _PAIRS_WITHOUT_GOAL,
    )


def _single_line(name: str, against: str, count: int, theirs: Run) -> Line:
    return Line(
        name=name,
        title=f"pipeline, {number_of(_WORKERS, 'worker')}, tiny tasks",
        against=against,
        measures=(_tasks(),),
        ours=lambda: pipeline(_WORKERS, count),
        theirs=theirs,
        quick=False,
        most=_PAIRS_WITHOUT_GOAL,
    )
