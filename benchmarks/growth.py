"""How it grows: with workers, clients, processes and messages; measured, and drawn as one picture."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks import messages, ours, processes
from benchmarks.chart import Panel, Series, svg
from benchmarks.measure import FailedError, SkippedError
from benchmarks.peers import crowds

Points = list[tuple[float, float]]

_ROUNDS = 2
_TASKS = 200_000
_BATCHED_TASKS = 1_000_000
_WORKERS = (1, 2, 4, 8)
_CLIENTS = (1, 10, 100, 1000)
_PLAIN_CLIENTS = (1, 10, 100)
"""A thousand interpreters would need more memory than many machines have."""
_REQUESTS = 20_000
_PROCESSES = (10, 100, 1000)
_PLAIN_PROCESSES = (10, 100)
_MESSAGES = (10_000, 100_000, 1_000_000, 4_000_000)
_IDLE_S = 5.0

_LAUNCH, _MEMORY = "Launched, answered, stopped", "Memory over processes"
_LOGARITHMIC = (_LAUNCH, _MEMORY)
_PANELS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    (
        "Pipeline of tiny tasks",
        "workers",
        "tasks a second",
        {"tasks": "ours", "tasks_plain": "plain pyzmq", "tasks_batched": "ours, batch: 100"},
    ),
    (
        "Request-reply",
        "clients",
        "requests a second",
        {"requests": "ours", "requests_plain": "plain pyzmq"},
    ),
    (_LAUNCH, "processes", "seconds", {"launch": "ours", "launch_plain": "an interpreter each"}),
    ("Processor time of an idle orchestrator", "processes", "% of a core", {"idle_percent": "orchestrator"}),
    (_MEMORY, "processes", "bytes", {"memory": "orchestrator", "memory_of_all": "with its processes"}),
    (
        "Memory of an idle worker",
        "processes",
        "bytes",
        {"worker_memory": "ours", "worker_memory_plain": "plain pyzmq, an interpreter each"},
    ),
    ("Memory over messages", "messages", "bytes", {"memory_of_messages": "orchestrator"}),
    ("Processor time over messages", "messages", "seconds", {"cpu_of_messages": "orchestrator"}),
)
"""Title, axes, and which curves under which names."""


def measured(say: Callable[[str], None]) -> dict[str, Any]:
    """All curves, by name: pairs of x and y. A curve that cannot be measured here is left out, with a word."""
    curves: dict[str, Points] = {}

    def curve(name: str, xs: Iterable[int], figure: Callable[[int], float], rounds: int = 1) -> None:
        try:
            curves[name] = [(x, statistics.median(figure(x) for _ in range(rounds))) for x in xs]
        except (SkippedError, FailedError, OSError, subprocess.SubprocessError) as reason:
            say(f"growth: {name} is left out, {reason}")
        else:
            say(f"growth: {name} {curves[name]}")

    curve("tasks", _WORKERS, lambda n: messages.pipeline(n, _TASKS)["tasks_per_s"], _ROUNDS)
    curve("tasks_plain", _WORKERS, lambda n: messages.plain_pipeline(n, _TASKS)["tasks_per_s"], _ROUNDS)
    curve("tasks_batched", _WORKERS, lambda n: messages.batched(n, _BATCHED_TASKS)["tasks_per_s"], _ROUNDS)
    curve("requests", _CLIENTS, lambda n: messages.lockstep(n, _requests(n))["requests_per_s"])
    curve(
        "requests_plain", _PLAIN_CLIENTS, lambda n: messages.plain_lockstep(n, _requests(n))["requests_per_s"]
    )
    curve("launch", _PROCESSES, lambda n: processes.crowd(n)["wall_s"])
    curve("launch_plain", _PLAIN_PROCESSES, lambda n: crowds.interpreters(n)["wall_s"])
    _idle(curves, say)
    curve("worker_memory_plain", _PLAIN_PROCESSES, lambda n: processes.plain_memory(n)["pss_bytes"])
    _over_messages(curves, say)
    return {name: [list(point) for point in points] for name, points in curves.items()}


def _requests(clients: int) -> int:
    return _REQUESTS // clients


def _idle(curves: dict[str, Points], say: Callable[[str], None]) -> None:
    names = {
        "idle_percent": "percent",
        "memory": "memory_bytes",
        "memory_of_all": "all_memory_bytes",
        "worker_memory": "worker_bytes",
    }
    try:
        told = [(count, processes.idle(count, _IDLE_S)) for count in _PROCESSES]
    except (SkippedError, FailedError) as reason:
        say(f"growth: what an idle orchestrator takes is left out, {reason}")
        return
    for name, key in names.items():
        curves[name] = [(count, figures[key]) for count, figures in told]
        say(f"growth: {name} {curves[name]}")


def _over_messages(curves: dict[str, Points], say: Callable[[str], None]) -> None:
    try:
        told = [(count, orchestrator_of(count)) for count in _MESSAGES]
    except (SkippedError, FailedError) as reason:
        say(f"growth: what the orchestrator takes of messages is left out, {reason}")
        return
    for name, key in {"cpu_of_messages": "cpu_s", "memory_of_messages": "memory_bytes"}.items():
        curves[name] = [(count, figures[key]) for count, figures in told]
        say(f"growth: {name} {curves[name]}")


def orchestrator_of(count: int) -> Mapping[str, float]:
    """What the orchestrator alone takes while so many tasks pass: processor time, and memory at its highest."""
    return ours.watched(
        "pipeline.yaml",
        {
            "pipeline.nodes.ventilator.params.call.with.count": count,
            "pipeline.nodes.sink.params.expected": count,
            "pipeline.nodes.worker.replicas": 2,
        },
        {"cpu_s": processes.cpu_s, "memory_bytes": processes.peak_bytes},
    )


def picture(grown: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """The curves as one SVG; panels of which nothing was measured are left out."""
    return svg([panel for panel in (_panel(grown, *one) for one in _PANELS) if panel.series])


def _panel(
    grown: Mapping[str, Sequence[Sequence[float]]],
    title: str,
    x_label: str,
    y_label: str,
    names: Mapping[str, str],
) -> Panel:
    series = tuple(
        Series(name=name, points=tuple((x, y) for x, y in grown[key]))
        for key, name in names.items()
        if key in grown
    )
    return Panel(title=title, x_label=x_label, y_label=y_label, series=series, log_y=title in _LOGARITHMIC)
