"""The lines on processes: how soon many are there, and what they cost while they wait."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import ours
from benchmarks.measure import Compare, FailedError, Figures, Line, Measure, SkippedError
from benchmarks.peers import crowds, plain

_SETTLE_S = 1.0
_IDLE_S = 10.0
_IDLE_WORKERS = 10


def crowd(clients: int) -> Figures:
    """Ours: so many clients that ask a server once each, behind the barrier.

    `seconds` is from the command until the last one has its answer, `wall_s` until the command has ended.
    """
    record = ours.run("lockstep.yaml", {"lockstep.nodes.client.replicas": clients})
    if record.received("server") != clients:
        raise FailedError("not all clients were answered")
    return {
        "seconds": max(record.stamps("ended_s")) - record.began_s,
        "ready_s": record.summary["ready_s"],
        "wall_s": record.wall_s,
    }


def interpreters(measured: int, clients: int) -> Figures:
    """So many interpreters with a plain client each, scaled from a measured number of them."""
    figures = crowds.interpreters(measured)
    return {
        "wall_s": figures["wall_s"] + figures["span_s"] * (clients / measured - 1),
        "measured_s": figures["wall_s"],
    }


def memory(count: int = _IDLE_WORKERS) -> Figures:
    """Ours: the memory of one of so many idle workers, shared pages by their share."""
    with ours.standing("idle.yaml", {"idle.nodes.worker.replicas": count}) as run:
        time.sleep(_SETTLE_S)
        return {"pss_bytes": statistics.median(map(pss_bytes, run.pids["worker"]))}


def plain_memory(count: int = _IDLE_WORKERS) -> Figures:
    """As many plain workers that wait, an interpreter each."""
    with plain.sockets() as place, ExitStack() as stack:
        addresses = [f"{place}/tasks", f"{place}/results"]
        workers = [stack.enter_context(_idle_worker(addresses)) for _ in range(count)]
        time.sleep(_SETTLE_S)
        return {"pss_bytes": statistics.median(pss_bytes(worker.pid) for worker in workers)}


@contextmanager
def _idle_worker(addresses: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([*plain.python("idle_worker.py"), *addresses]) as process:
        try:
            yield process
        finally:
            process.kill()


def idle(processes: int, seconds: float) -> Figures:
    """Ours: how much of a core the orchestrator takes while so many processes have nothing to do, in percent.

    `all_percent` is with all of its processes.
    """
    workers = processes - 2
    with ours.standing("idle.yaml", {"idle.nodes.worker.replicas": workers}) as run:
        time.sleep(_SETTLE_S)
        everyone = [run.pid, *(pid for pids in run.pids.values() for pid in pids)]
        began_s, before = time.monotonic(), [cpu_s(pid) for pid in everyone]
        time.sleep(seconds)
        after, ended_s = [cpu_s(pid) for pid in everyone], time.monotonic()
        used = [100 * (end - begin) / (ended_s - began_s) for begin, end in zip(before, after, strict=True)]
        shares = [pss_bytes(pid) for pid in everyone]
        return {
            "percent": used[0],
            "all_percent": sum(used),
            "memory_bytes": shares[0],
            "worker_bytes": statistics.median(map(pss_bytes, run.pids["worker"])),
            "all_memory_bytes": sum(shares),
        }


def pss_bytes(pid: int) -> int:
    """What a process takes of memory, pages that it shares by their share (Linux)."""
    return pss_of(_proc(pid, "smaps_rollup"))


def pss_of(rollup: str) -> int:
    """The proportional set size in a text such as /proc/PID/smaps_rollup, in bytes."""
    for line in rollup.splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss":
            return int(rest.split()[0]) * 1024
    raise FailedError("this system does not tell how memory is shared")


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds (Linux)."""
    return ticks_of(_proc(pid, "stat")) / os.sysconf("SC_CLK_TCK")


def ticks_of(stat: str) -> int:
    """User and system time in a text such as /proc/PID/stat, in clock ticks; the name in it may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def peak_bytes(pid: int) -> int:
    """The memory of a process when it was highest, shared pages in full (Linux)."""
    return peak_of(_proc(pid, "status"))


def peak_of(status: str) -> int:
    """The highest resident set size in a text such as /proc/PID/status, in bytes; 0 where it has ended."""
    for line in status.splitlines():
        name, _, rest = line.partition(":")
        if name == "VmHWM":
            return int(rest.split()[0]) * 1024
    return 0


def _proc(pid: int, name: str) -> str:
    if not Path("/proc/self/smaps_rollup").exists():
        raise SkippedError("this needs Linux's /proc")
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FailedError(f"a process has gone: {error}") from None


def lines(*, quick: bool) -> list[Line]:
    """The lines on processes."""
    launched, alive = (50, 100) if quick else (200, 1000)
    goal = None if quick else 6.0  # of many processes: what a run costs once is less of theirs
    return [
        _launch_line(launched, goal),
        _crowd_line(20 if quick else 100, alive, goal),
        Line(
            name="memory",
            title="memory of an idle worker",
            against="plain pyzmq worker, an interpreter each",
            measures=(Measure(key="pss_bytes", unit="bytes", compare=Compare.COST, goal=0.25),),
            ours=memory,
            theirs=lambda: {**plain_memory(), "alone_bytes": plain_memory(1)["pss_bytes"]},
            note=_memory_note,
        ),
        Line(
            name="idle",
            title="idle orchestrator with 1,000 processes",
            against="",
            measures=(Measure(key="percent", unit="% of a core", compare=Compare.ALONE, goal=2.0),),
            ours=lambda: idle(1000, _IDLE_S),
            quick=False,
            most=1,
            note=_idle_note,
        ),
    ]


def _launch_line(count: int, goal: float | None) -> Line:
    launchers = crowds.Fastest([crowds.honcho, crowds.circus, crowds.supervisord], count)
    return Line(
        name="launch",
        title=f"{count} clients launched and answered",
        against="the fastest of honcho, circus and supervisord",
        measures=(Measure(key="seconds", unit="s", compare=Compare.TIME, goal=goal),),
        ours=lambda: crowd(count),
        theirs=launchers,
        note=lambda _ours, _theirs: f"tried first, {', '.join(launchers.words)}",
    )


def _crowd_line(measured: int, count: int, goal: float | None) -> Line:
    return Line(
        name="crowd",
        title=f"{count:,} clients alive at once, answered, stopped and reaped",
        against="an interpreter each with a plain client",
        measures=(Measure(key="wall_s", unit="s", compare=Compare.TIME, goal=goal),),
        ours=lambda: crowd(count),
        theirs=lambda: interpreters(measured, count),
        note=lambda _ours, theirs: (
            f"the interpreters were {measured}, in {theirs['measured_s']:.1f} s, and are scaled to {count:,}"
        ),
    )


def _memory_note(_ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    return (
        f"PSS of one of {_IDLE_WORKERS} on both sides, so that shared pages count once; "
        f"a plain worker that is alone has {theirs['alone_bytes'] / 1e6:.1f} MB"
    )


def _idle_note(ours_: Mapping[str, float], _theirs: Mapping[str, float]) -> str:
    return f"{ours_['all_percent']:.1f} % with its processes, over {_IDLE_S:.0f} s"
