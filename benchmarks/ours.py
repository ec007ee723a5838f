"""How a topology is run for a benchmark, and what is read of its record."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import FailedError, SkippedError

ROOT = Path(__file__).resolve().parents[1]
TOPOLOGIES = Path(__file__).with_name("topologies")
COMMAND = str(Path(sys.executable).with_name("orchestrator"))
_REFUSED = 2
_WATCH_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a run left, and when its command began and had ended, in seconds of the monotonic clock."""

    summary: dict[str, Any]
    events: list[dict[str, Any]]
    began_s: float
    ended_s: float

    @property
    def wall_s(self) -> float:
        """How long the whole command took."""
        return self.ended_s - self.began_s

    def stamps(self, name: str) -> list[float]:
        """What the processes put into their results under this name."""
        results = (process["result"] or {} for process in self.summary["processes"])
        return [result[name] for result in results if name in result]

    def span_s(self) -> float:
        """From the first process's first message to the last one's last."""
        began, ended = self.stamps("began_s"), self.stamps("ended_s")
        if not began or not ended:
            raise FailedError("the run told no times")
        return max(ended) - min(began)

    def received(self, node: str) -> int:
        """What the processes of a node received on all ports."""
        return sum(
            port.get("received", 0)
            for process in self.summary["processes"]
            if process["node"] == node
            for port in process["ports"].values()
        )

    def at_s(self, event: str) -> float:
        """When the first event of this kind was, in seconds from the run's start."""
        return float(next(one["at_s"] for one in self.events if one["event"] == event))


def run(topology: str | Path, settings: Mapping[str, object], *options: str, within_s: float = 300) -> Record:
    """Run a topology to its end; `settings` are values by path, as `--set` takes them.

    Raises SkippedError where the file is refused with these settings, and FailedError where the run does not pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record")
        command = _command(topology, record, settings, options)
        began_s = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=within_s,
            stdin=subprocess.DEVNULL,
        )
        ended_s = time.monotonic()
        if done.returncode == _REFUSED:
            raise SkippedError(f"it is refused: {_first_problem(done.stderr)}")
        if done.returncode:
            raise FailedError(f"exit {done.returncode}: {(done.stderr + done.stdout)[-2000:]}")
        return Record(
            summary=json.loads((record / "summary.json").read_bytes()),
            events=_events(record / "events.jsonl"),
            began_s=began_s,
            ended_s=ended_s,
        )


def watched(
    topology: str | Path, settings: Mapping[str, object], readings: Mapping[str, Callable[[int], float]]
) -> dict[str, float]:
    """What is read of the orchestrator while a run goes on: the greatest of each reading, taken by its process number.

    Raises FailedError where the run does not pass.
    """
    greatest = dict.fromkeys(readings, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen(
            _command(topology, Path(folder, "record"), settings, ()),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        ) as process:
            try:
                while process.poll() is None:
                    for name, read in readings.items():
                        greatest[name] = max(greatest[name], read(process.pid))
                    time.sleep(_WATCH_S)
            finally:
                end(process)
        if process.returncode:
            raise FailedError(f"exit {process.returncode}")
    return greatest


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run that goes on: the orchestrator's process number, and those of its processes by node."""

    pid: int
    pids: dict[str, list[int]]


@contextlib.contextmanager
def standing(
    topology: str | Path, settings: Mapping[str, object], within_s: float = 120
) -> Iterator[Standing]:
    """A run that is held while the block lasts, from when all are in place, and is ended then.

    Raises FailedError where it does not get there.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record")
        output = Path(folder, "output")
        with output.open("wb") as out:
            process = subprocess.Popen(
                _command(topology, record, settings, ()),
                cwd=ROOT,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield _in_place(process, record / "events.jsonl", output, within_s)
        finally:
            end(process)


def end(process: subprocess.Popen[Any], grace_s: float = 30) -> None:
    """Ask a command to end, and end it where it does not."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace_s if number == signal.SIGTERM else None)
            return


def _in_place(process: subprocess.Popen[bytes], events: Path, output: Path, within_s: float) -> Standing:
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise FailedError(f"exit {process.returncode}: {output.read_text()[-2000:]}")
        if events.exists() and '"RunReady"' in events.read_text():
            break
        time.sleep(0.1)
    else:
        raise FailedError(f"not in place within {within_s:.0f} s")
    told = _events(events)
    nodes = {one["name"]: one["node"] for one in told[0]["processes"]}
    pids: dict[str, list[int]] = {}
    for one in told:
        if one["event"] == "ProcessLaunched":
            pids.setdefault(nodes[one["process"]], []).append(one["pid"])
    return Standing(pid=process.pid, pids=pids)


def _command(
    topology: str | Path, record: Path, settings: Mapping[str, object], options: Sequence[str]
) -> list[str]:
    command = [COMMAND, "run", str(TOPOLOGIES / topology), "--run-dir", str(record), "--quiet", *options]
    for path, value in settings.items():
        command += ["--set", f"{path}={value}"]
    return command


def _events(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a journal."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def _first_problem(text: str) -> str:
    """The text of the first problem, without its place and its code."""
    line = text.strip().partition("\n")[0]
    return line.partition("error: ")[2].rpartition(" [")[0] or line
