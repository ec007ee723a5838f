"""A bench for the supervisor engine: a private directory, an engine in it, and the certainty that nobody is left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from harness import MARKER, processes_with, wait_until

from orchestrator.engines.supervisor import SupervisorEngine
from orchestrator.run.attention import LONGEST_STEP_S
from orchestrator.run.events import Event, Exited, Launched
from roles.kit.spec import Place, ProcessSpec

DEADLINE_S = 30.0


class Bench:
    """One private directory and the engines on it."""

    TELL = """
        import json, os, sys
        told = {"cwd": os.getcwd(), "argv": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}
        print(json.dumps(told))
    """
    """A program that tells what has reached it."""

    STAY = """
        import time
        print("here", flush=True)
        while True:
            time.sleep(60)
    """

    def __init__(self, base: Path, folder: Path, marker: str) -> None:
        self.marker = marker
        self.directory = base / "p"
        self.directory.mkdir(mode=0o700)
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        self.place = Place(
            run_id="run",
            pattern="pattern",
            folder=str(folder),
            control="ipc://nowhere",
            slots="",
            sockets=str(self.directory),
            logs=str(self.logs),
            seed=1,
        )
        self.news: list[Event] = []
        self.rounds = 0
        self._engines: list[SupervisorEngine] = []

    @staticmethod
    def command(name: str, code: str = STAY, *arguments: str, **fields: Any) -> ProcessSpec:
        """A process that runs a few lines of Python."""
        node, _, number = name.rpartition("-")
        words = (sys.executable, "-c", textwrap.dedent(code), *arguments)
        return ProcessSpec(name=name, node=node, replica=int(number), command=words, **fields)

    def open(self, *specs: ProcessSpec, owns: bool = True) -> SupervisorEngine:
        """An engine that is open for these, and is closed after the test."""
        engine = SupervisorEngine(time.monotonic, owns=owns)
        engine.open(self.place, specs)
        self._engines.append(engine)
        return engine

    def run(self, *specs: ProcessSpec) -> SupervisorEngine:
        """An engine on which these have been launched."""
        engine = self.open(*specs)
        for spec in specs:
            engine.start(spec, incarnation=0)
        for spec in specs:
            self.wait_for(engine, Launched, spec.name)
        return engine

    def wait_for(
        self, engine: SupervisorEngine, kind: type[Event], process: str, within_s: float = DEADLINE_S
    ) -> Any:
        """The next event of that kind of that process; what else comes stays for later."""

        def look() -> Event | None:
            self.rounds += 1
            for event in self.news:
                if type(event) is kind and event.process == process:
                    self.news.remove(event)
                    return event
            select.select([engine.fileno()], [], [], LONGEST_STEP_S)
            self.news += engine.poll()
            return None

        return wait_until(look, f"{kind.__name__} of {process}", within_s)

    def ended(self, engine: SupervisorEngine, process: str) -> tuple[int | None, str | None]:
        """Wait for a process's end: its exit code and its signal."""
        event: Exited = self.wait_for(engine, Exited, process)
        return event.exit_code, event.signal

    def log(self, process: str) -> str:
        """What a process has printed."""
        path = self.logs / f"{process}.log"
        return path.read_text() if path.exists() else ""

    def here(self, process: str) -> None:
        """Wait until the user's program itself runs, and has printed the whole line that says so."""
        # With PYTHONUNBUFFERED each word of a `print` is a write of its own.
        wait_until(lambda: re.search("here.*\n", self.log(process)), f"{process} runs", DEADLINE_S)

    def here_after(self, engine: SupervisorEngine, process: str) -> None:
        """Wait until a process is launched and the user's program runs."""
        self.wait_for(engine, Launched, process)
        self.here(process)

    def told(self, engine: SupervisorEngine, process: str) -> dict[str, Any]:
        """What has reached a process that runs `TELL`."""
        assert self.ended(engine, process) == (0, None), self.log(process)
        return json.loads(self.log(process))

    @staticmethod
    def readable(engine: SupervisorEngine) -> bool:
        """Whether there is something to poll for."""
        return bool(select.select([engine.fileno()], [], [], 0)[0])

    @staticmethod
    def hang_up(engine: SupervisorEngine) -> None:
        """Have the engine connect anew for its next call."""
        engine._starts._rpc.close()

    def abandon(self, engine: SupervisorEngine) -> None:
        """Leave an engine as if its program had been killed: nobody closes what it has started."""
        self._engines.remove(engine)
        engine._watch._processes.clear()
        engine._log.running.clear()
        engine.close()

    @staticmethod
    def json(value: Any) -> str:
        """A value of the contract, to be told to another program."""
        return msgspec.json.encode(value).decode()

    def living(self) -> list[int]:
        """Who lives of all that was started here, supervisord included."""
        return processes_with(self.marker)

    def end_the_escaped(self, engine: SupervisorEngine) -> None:
        """End whom no signal to a group reaches."""
        for pid in self.living():
            if pid != engine._daemon.pid:
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        for engine in self._engines:
            engine.close()


@pytest.fixture
def short_temp() -> Iterator[Path]:
    """A folder with a short path."""
    path = Path(tempfile.mkdtemp(prefix="zt-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_bench(monkeypatch: pytest.MonkeyPatch, short_temp: Path) -> Iterator[Callable[[Path, Path], Bench]]:
    """Makes benches, given a short folder for the private directory and one for the user's files.

    It asks for `short_temp` so that this is there as long as it is.
    """
    marker = uuid.uuid4().hex
    monkeypatch.setenv(MARKER, marker)
    made: list[Bench] = []

    def make(base: Path, folder: Path) -> Bench:
        made.append(Bench(base, folder, marker))
        return made[-1]

    yield make
    try:
        for bench in made:
            bench.close()
        wait_until(lambda: not processes_with(marker), "nobody left", 30)
    finally:
        for pid in processes_with(marker):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def bench(make_bench: Callable[[Path, Path], Bench], short_temp: Path, tmp_path: Path) -> Bench:
    """A bench in usual places."""
    return make_bench(short_temp, tmp_path / "folder")
