"""Plain pyzmq: the scripts of `benchmarks.plain`, an interpreter each, let go together by a small barrier."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import FailedError
from benchmarks.ours import ROOT

_SETTLE_S = 0.3
"""Longer than libzmq waits between two attempts to connect; not in any time that is taken."""

Command = list[str]


def together(
    runs_on: Sequence[Command], ends: Sequence[Command], within_s: float = 120
) -> list[dict[str, float]]:
    """Start all scripts, let them go when all have their sockets, and return what those that end tell.

    Those that run on are let go first and ended last. Raises FailedError where one does not come up or does not end.
    """
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_started(one)) for one in (*runs_on, *ends)]
        watch = threading.Timer(within_s, _kill, [processes])
        stack.callback(watch.cancel)
        watch.start()
        for process in processes:
            _expect(process, "ready")
        time.sleep(_SETTLE_S)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(_expect(process)) for process in processes[len(runs_on) :]]


def script(name: str, *arguments: str | int) -> Command:
    """The command of a script that has the barrier."""
    return [sys.executable, "-m", f"benchmarks.plain.{name}", *map(str, arguments)]


@contextlib.contextmanager
def sockets() -> Iterator[str]:
    """A directory for ipc sockets, as the beginning of an address."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder:
        yield f"ipc://{folder}"


@contextlib.contextmanager
def _started(command: Command) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def _kill(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()


def _expect(process: subprocess.Popen[str], wanted: str = "") -> str:
    """The next line of a script; raises FailedError where there is none, or another than what is wanted."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line or (wanted and line != wanted):
        raise FailedError("a plain script did not come up, or did not come to its end in time")
    return line


def python(name: str) -> Command:
    """The command of a script that is run by its path, and has no barrier."""
    return [sys.executable, str(Path(__file__).resolve().parents[1] / "plain" / name)]


def free_port() -> int:
    """A TCP port that was free a moment ago: the guide's programs take fixed ones."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
