"""Many plain clients that ask one server: what starts them is honcho, circus, supervisord, or a script."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import FailedError, Figures, SkippedError
from benchmarks.peers.plain import python
from benchmarks.peers.venv import program

_CIRCUS = """
[circus]
endpoint = ipc://{folder}/endpoint
pubsub_endpoint = ipc://{folder}/pubsub
statsd = false
warmup_delay = 0

[watcher:server]
cmd = {server}

[watcher:client]
cmd = {client}
numprocesses = {count}
"""
_SUPERVISOR = """
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
minfds = {files}

[program:server]
command = {server}
stdout_logfile = NONE
stderr_logfile = NONE
startsecs = 0

[program:client]
command = {client}
process_name = client-%(process_num)d
numprocs = {count}
stdout_logfile = NONE
stderr_logfile = NONE
startsecs = 0
"""
_FILES_A_PROCESS = 8


def honcho(folder: Path, server: str, client: str, count: int) -> list[str]:
    """A Procfile with two lines."""
    (folder / "Procfile").write_text(f"server: {server}\nclient: {client}\n")
    return [program("honcho"), "-f", str(folder / "Procfile"), "start", "-c", f"client={count}"]


def circus(folder: Path, server: str, client: str, count: int) -> list[str]:
    """Two watchers."""
    text = _CIRCUS.format(folder=folder, server=server, client=client, count=count)
    (folder / "circus.ini").write_text(text)
    return [program("circusd"), str(folder / "circus.ini")]


def supervisord(folder: Path, server: str, client: str, count: int) -> list[str]:
    """Two programs, with no more logs than ours has."""
    files = 1024 + count * _FILES_A_PROCESS
    text = _SUPERVISOR.format(folder=folder, server=server, client=client, count=count, files=files)
    (folder / "supervisord.conf").write_text(text)
    here = Path(sys.executable).with_name("supervisord")
    return [str(here) if here.exists() else program("supervisord"), "-c", str(folder / "supervisord.conf")]


Launcher = Callable[[Path, str, str, int], list[str]]


class Fastest:
    """The fastest of some launchers: the first run tries them all, those after it only the one that won."""

    def __init__(self, launchers: Sequence[Launcher], count: int) -> None:
        self._launchers = launchers
        self._count = count
        self.words: list[str] = []

    def __call__(self) -> Figures:
        """Seconds from the command to the last answer; raises SkippedError where no launcher is there."""
        if not self.words:
            return self._first_run()
        return {"seconds": answered_s(self._launchers[0], self._count)}

    def _first_run(self) -> Figures:
        found: list[tuple[float, Launcher]] = []
        for launcher in self._launchers:
            try:
                took_s = answered_s(launcher, self._count)
            except (SkippedError, FailedError) as error:
                self.words.append(f"{launcher.__name__}: {error}")
            else:
                found.append((took_s, launcher))
                self.words.append(f"{launcher.__name__}: {took_s:.1f} s")
        if not found:
            raise SkippedError("; ".join(self.words))
        best_s, best = min(found, key=lambda one: one[0])
        self._launchers = [best]
        return {"seconds": best_s, **{f"{one.__name__}_s": took_s for took_s, one in found}}


def answered_s(launcher: Launcher, count: int, within_s: float = 120) -> float:
    """How long it takes until a server has answered so many clients, from the launcher's command.

    Raises SkippedError where the launcher is not installed, and FailedError where they are not all answered in time.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as place:
        folder = Path(place)
        address, stamp = f"ipc://{folder}/hello", folder / "answered"
        server = " ".join([*python("counting_server.py"), address, str(count), str(stamp)])
        command = launcher(folder, server, " ".join([*python("asker.py"), address]), count)
        output = folder / "output"
        with output.open("wb") as out:
            began_s = time.monotonic()
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        try:
            while not stamp.exists():
                if process.poll() is not None or time.monotonic() - began_s > within_s:
                    raise FailedError(f"its clients were not all answered: {output.read_text()[-500:]}")
                time.sleep(0.02)
            return float(stamp.read_text()) - began_s
        finally:
            _end(process)
            _sweep(folder)


def _sweep(folder: Path) -> None:
    """End what a launcher left behind, where /proc tells: not all end what they had hardly started.

    Who has this folder in its command line is ours, for nobody else knows it.
    """
    left = True
    while left:
        left = False
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.fsencode(folder) in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
                    left = True


def _end(process: subprocess.Popen[bytes], grace_s: float = 60) -> None:
    """End a launcher and what it started: it leads a session of its own."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=grace_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def interpreters(count: int) -> Figures:
    """A server and so many clients, an interpreter each, started by a script: all alive, answered, reaped.

    `span_s` is without the script's own start.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder:
        began_s = time.monotonic()
        try:
            done = subprocess.run(
                [*python("crowd.py"), f"ipc://{folder}/hello", str(count)],
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            wall_s = time.monotonic() - began_s
        finally:
            _sweep(Path(folder))
    if done.returncode:
        raise FailedError(done.stderr[-500:])
    return {"wall_s": wall_s, "span_s": float(done.stdout)}
