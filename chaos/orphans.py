"""The orchestrator is killed at any moment, and a second later nobody is left of its run, under either engine.

The moment is drawn: while it starts, while its processes are launched, or while they work. Some of them may stand still
then, or be in one long call that lets no other thread run.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos.gate import Gate, Tally, dice
from chaos.harness import wait_until

GONE_WITHIN_S = 1.0
ENGINES = ("local", "supervisor")
MARKER = "CHAOS_RUN"
_DEADLINE_S = 60.0
_LAUNCHED = re.compile(r'"event":"ProcessLaunched".*?"pid":(\d+)')
_LOOK_EVERY_S = 0.005
_START_TAKES_S = 1.2
"""How long a run takes until all its processes work, about: the moments before are drawn from it."""

_MOST_STARTS = 10
"""Several die one after the other, and each may be held up where the machine is busy; an orphan stays for good."""

TOPOLOGY = """
version: 1
patterns:
  orphans:
    codec: text
    endpoints: {tasks: ipc, results: "tcp://127.0.0.1:*"}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 100000, rate: 500}}
      worker: {role: worker, connect: [tasks, results], replicas: 3, params: {call: "work:work"}}
      sink: {role: sink, bind: results}
      program: {command: [PYTHON, -c, "import time; time.sleep(1000)"]}
"""
WORK = '''
def work(task):
    """One loop in C that never lets go of the interpreter, in one of the workers."""
    return sum(range(10**15)) if task == "7" else task
'''


def run(seed: str, amount: int) -> Tally:
    """Kill so many orchestrators, every other one under supervisord."""
    chance, tally = dice(seed), Tally()
    slowest_s = 0.0
    with tempfile.TemporaryDirectory(prefix="orphans-", dir="/tmp") as folder:
        write(Path(folder))
        for number in range(amount):
            engine = ENGINES[number % len(ENGINES)]
            moment, gone_s, left = kill_one(Path(folder), chance, engine=engine, number=number)
            slowest_s = max(slowest_s, gone_s)
            tally.tried += 1
            if left:
                what = f"{len(left)} left of a run under {engine} that was killed {moment}"
                tally.faults.append(f"seed {seed}, number {number}: {what}: {'; '.join(left)}")
    tally.note = f"all gone after {slowest_s * 1000:.0f} ms at the latest, under both engines"
    return tally


def write(folder: Path) -> None:
    """The topology and its work."""
    topology = TOPOLOGY.replace("PYTHON", sys.executable)
    (folder / "topology.yaml").write_text(textwrap.dedent(topology))
    (folder / "work.py").write_text(WORK)


def kill_one(
    folder: Path, chance: random.Random, *, engine: str, number: int, path: str = ""
) -> tuple[str, float, list[str]]:
    """Start a run and kill its orchestrator: when that was, how long until all were gone, and who was not.

    With `path` Python looks for the programs there first. Whoever is left is ended.
    """
    marker, run_dir = uuid.uuid4().hex, folder / f"run-{number}"
    environment = os.environ | {MARKER: marker, "TMPDIR": str(folder)}
    if path:
        environment["PYTHONPATH"] = path
    command = [sys.executable, "-m", "orchestrator", "run", "--engine", engine, "--run-dir", str(run_dir)]
    with (folder / f"said-{number}").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    moment = _await_a_moment(process, run_dir / "events.jsonl", chance)
    if chance.random() < 0.5:
        moment += f", {_stop_some(run_dir / 'events.jsonl', chance)} stopped"
    process.kill()
    process.wait()
    killed_s = time.monotonic()
    left = left_of(lambda: list(_living(marker)))
    gone_s = time.monotonic() - killed_s
    told = [_told(pid) for pid in left]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return moment, gone_s, told


def left_of(living: Callable[[], list[int]]) -> list[int]:
    """Who lives a second after the orchestrator's death, and as long as those that are being started need to see it."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not living(), "nobody left", GONE_WITHIN_S)
    for _ in range(_MOST_STARTS):
        if not living():
            break
        _start_an_interpreter()
    return living()


def _start_an_interpreter() -> None:
    """Who was being started when its parent died ends at the first thing it does: wait as long as that takes here.

    On a machine that is not overloaded it is some ten milliseconds.
    """
    subprocess.run([sys.executable, "-c", "import multiprocessing.forkserver"], check=True)


def _await_a_moment(process: subprocess.Popen[bytes], journal: Path, chance: random.Random) -> str:
    """Let it come to some point of its start, or of its work; where that was, in words."""
    kind = chance.randrange(3)
    if kind == 0:
        after_s = chance.uniform(0, _START_TAKES_S)
        time.sleep(after_s)  # the moment is what is drawn here; nothing is waited for
        return f"{after_s * 1000:.0f} ms after its start"
    if kind == 1:
        count = chance.randint(1, 6)
        _wait(process, lambda: _text(journal).count('"ProcessLaunched"') >= count)
        return f"after {count} launches"
    _wait(process, lambda: '"RunReady"' in _text(journal))
    after_s = chance.uniform(0, 0.3)
    time.sleep(after_s)  # as above
    return f"{after_s * 1000:.0f} ms after Go"


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + _DEADLINE_S
    while not condition():
        if process.poll() is not None or time.monotonic() > until_s:
            return  # it is killed where it is; that nobody is left must hold all the same
        time.sleep(_LOOK_EVERY_S)


def _stop_some(journal: Path, chance: random.Random) -> int:
    """Stop some of the processes that have been launched; how many."""
    pids = [int(found) for found in _LAUNCHED.findall(_text(journal))]
    chosen = chance.sample(pids, chance.randint(0, len(pids)))
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    return len(chosen)


def _living(marker: str) -> Iterator[int]:
    wanted = f"{MARKER}={marker}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def _told(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    return ""


GATE = Gate(
    name="orphans",
    title="SIGKILL of the orchestrator: at its start, at a launch, at work; some processes stopped, one busy in C",
    unit="kills",
    must="nobody is left after 1 s",
    once=10,
    full=200,
    run=run,
)
