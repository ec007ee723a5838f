"""Runs a topology as a user does: a file in a folder of its own, and the command line in a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.run.attention import LONGEST_STEP_S
from orchestrator.run.live import LIVE, Live, read_live
from orchestrator.run.reception import Asker, reception_address, ticket
from orchestrator.run.requests import Answer, Look, ProcessState, Request

ENGINES = ("local", "supervisor")

MARKER = "SYSTEM_TEST_RUN"
"""In the environment of everything that a run starts, so that what it leaves behind can be found."""

SCRIPTS = Path(__file__).resolve().parents[1] / "tests" / "system" / "scripts"
DEADLINE_S = 60.0
_LOOK_EVERY_S = 0.005


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of `condition`; fails, saying what did not come about, after the deadline.

    From one look to the next no more counts than for a coordinator: where this process stood still, so may have others.
    """
    looked_s, before_s = 0.0, time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        now_s = time.monotonic()
        looked_s += min(now_s - before_s, LONGEST_STEP_S)
        before_s = now_s
        if looked_s > deadline_s:
            raise AssertionError(f"{what}: not within {deadline_s:g} s")
        time.sleep(_LOOK_EVERY_S)


def processes_with(marker: str) -> list[int]:
    """The living processes of a run, by the mark in their environment (zombies have none left); Linux only."""
    wanted = f"{MARKER}={marker}".encode()
    return [pid for pid in _all_pids() if wanted in _environment_of(pid)]


def _all_pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if entry.name.isdigit():
            yield int(entry.name)


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit code, its two outputs and the JSON document."""

    exit_code: int
    stdout: str
    stderr: str
    run_dir: Path

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document of `--json -`."""
        assert self.stdout, f"no document; stderr:\n{self.stderr}"
        return json.loads(self.stdout)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The summary of the one pattern that ran."""
        runs = self.document["runs"]
        assert len(runs) == 1, self.stderr
        return runs[0]

    @cached_property
    def patterns(self) -> dict[str, Outcome]:
        """The outcome of each pattern, where several ran one after another."""
        return {run["pattern"]: self._of(run) for run in self.document["runs"]}

    def _of(self, run: dict[str, Any]) -> Outcome:
        document = self.document | {"runs": [run]}
        return Outcome(run["exit_code"], json.dumps(document), self.stderr, self.run_dir / run["pattern"])

    @cached_property
    def processes(self) -> dict[str, dict[str, Any]]:
        """The processes of the summary by name."""
        return {process["name"]: process for process in self.summary["processes"]}

    @cached_property
    def links(self) -> dict[str, dict[str, Any]]:
        """The links of the summary by endpoint."""
        return {link["endpoint"]: link for link in self.summary["links"]}

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The reasons for failure."""
        return self.summary["problems"]

    def of_node(self, node: str) -> list[dict[str, Any]]:
        """The processes of one node."""
        return [process for process in self.summary["processes"] if process["node"] == node]

    def received(self, process: str, port: str) -> int:
        """What a process has received at a port."""
        return self.processes[process]["ports"][port]["received"]

    def sent(self, process: str, port: str) -> int:
        """What a process has sent at a port."""
        return self.processes[process]["ports"][port]["sent"]

    def log(self, process: str) -> str:
        """What a process printed."""
        return (self.run_dir / "logs" / f"{process}.log").read_text()

    def passed(self) -> Outcome:
        """This outcome; fails with all that was said where the run did not pass."""
        said = f"exit {self.exit_code}\n{self.stderr}"
        assert self.exit_code == 0, said
        assert self.summary["verdict"] == "passed", said
        return self

    def balanced(self, *endpoints: str) -> Outcome:
        """This outcome; fails where one of these links (all, if none is named) does not balance."""
        self.passed()
        for endpoint in endpoints or self.links:
            link = self.links[endpoint]
            assert (link["sent"], link["lost"], link["unread"]) == (link["received"], 0, 0), link
            replies = link.get("replies")
            assert replies is None or (replies["sent"], replies["lost"]) == (replies["received"], 0), link
        return self


class Recorded:
    """A run or a service, by the journal that it writes."""

    run_dir: Path

    def events(self, kind: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The whole lines of the journal up to now: those of a kind that have these fields, where asked for."""
        try:
            lines = (self.run_dir / "events.jsonl").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        found = [json.loads(line) for line in lines]
        wanted = fields | ({"event": kind} if kind else {})
        return [event for event in found if all(event.get(key) == value for key, value in wanted.items())]

    def ask(self, make: Callable[..., Request], within_s: float = DEADLINE_S, **fields: Any) -> Answer:
        """Ask the run for something, as somebody at another terminal; the answer."""
        live = wait_until(lambda: read_live(self.run_dir / LIVE), "the record of the live run")
        with Asker(reception_address(live.sockets)) as asker:
            return asker.ask(make(ticket=ticket(), **fields), within_s=within_s)

    def states(self) -> dict[str, ProcessState]:
        """Its processes as they are now, by name."""
        return {process.name: process for process in self.ask(Look).processes}


@dataclass
class Service(Recorded):
    """A service that was brought up."""

    project: Project
    run_dir: Path
    marker: str
    file: str
    environment: dict[str, str]
    said: str = ""

    @property
    def live(self) -> Live:
        """Its record, while it goes on."""
        live = read_live(self.run_dir / LIVE)
        assert live is not None, "it is over"
        return live

    def coordinator(self) -> int:
        """The process number of its coordinator, which is waited for."""

        def look() -> int | None:
            for pid in processes_with(self.marker):
                with contextlib.suppress(OSError):  # it has just ended
                    if b"orchestrator.verbs.serving" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return pid
            return None

        found: int = wait_until(look, "the coordinator")
        return found

    def call(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call a verb for this service."""
        return self.project.call(
            verb, *arguments, "--run-dir", str(self.run_dir), environment=self.environment
        )

    def wait_for(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first event of that kind with these fields."""
        found: dict[str, Any] = wait_until(
            lambda: next(iter(self.events(kind, **fields)), None), f"{kind} {fields}"
        )
        return found

    def down(self) -> Outcome:
        """Take it down; how it ended. Fails where anybody or anything is left behind."""
        sockets = Path(self.live.sockets)
        called = self.call("down")
        wait_until(lambda: not processes_with(self.marker), "everybody gone after down", 30)
        assert not sockets.exists(), "the private directory is left"
        summary = (self.run_dir / "summary.json").read_text()
        document = json.dumps({"runs": [json.loads(summary)]})
        return Outcome(called.returncode, document, called.stdout + called.stderr, self.run_dir)

    def abandon(self) -> None:
        """End whatever lives of it; supervisord last, or it would start the coordinator again."""
        for _ in range(3):
            for pid in sorted(processes_with(self.marker)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


@dataclass
class Run(Recorded):
    """A run under way."""

    process: subprocess.Popen[bytes]
    run_dir: Path
    marker: str
    out_path: Path
    err_path: Path

    @property
    def stderr(self) -> str:
        """What was said up to now."""
        return self.err_path.read_text(errors="replace")

    def wait_for(self, kind: str, *, deadline_s: float = DEADLINE_S, **fields: Any) -> dict[str, Any]:
        """The first event of that kind with these fields, as soon as it is in the journal."""

        def look() -> dict[str, Any] | None:
            found = self.events(kind, **fields)
            if not found and self.process.poll() is not None:
                found = self.events(kind, **fields)
                assert found, f"the run ended without {kind} {fields}:\n{self.stderr}"
            return found[0] if found else None

        return wait_until(look, f"{kind} {fields}", deadline_s)

    def pid(self, process: str) -> int:
        """The number of a process, which is waited for."""
        return self.wait_for("ProcessLaunched", process=process)["pid"]

    def signal(self, number: int) -> None:
        """Send the orchestrator a signal."""
        self.process.send_signal(number)

    def living(self) -> list[int]:
        """What lives of this run, the orchestrator and its fork server included."""
        return processes_with(self.marker)

    def outcome(self, deadline_s: float = DEADLINE_S) -> Outcome:
        """Wait for the end; fails where it does not come in time or somebody is left behind."""
        try:
            wait_until(lambda: self.process.poll() is not None, "the end of the run", deadline_s)
        except AssertionError as late:
            self.abandon()
            raise AssertionError(f"{late}:\n{self.stderr}") from None
        exit_code = self.process.wait()
        wait_until(lambda: not self.living(), "everybody gone after the run", 30)
        return Outcome(exit_code, self.out_path.read_text(), self.stderr, self.run_dir)

    def abandon(self) -> None:
        """End whatever lives of this run."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for pid in self.living():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@dataclass
class Project:
    """A user's folder: the topology, the code beside it, and what is run there."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _runs: list[Run] = field(default_factory=list)
    _scripts: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _services: list[Service] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the user's."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def topology(self, text: str, name: str = "topology.yaml") -> Path:
        """Write a topology; `text` may begin at its patterns, however far to the right."""
        text = textwrap.dedent(text)
        if "version:" not in text:
            text = "version: 1\npatterns:\n" + textwrap.indent(text, "  ")
        return self.write(name, text)

    def start(
        self, *arguments: str, environment: Mapping[str, str] | None = None, json_target: str = "-"
    ) -> Run:
        """Start `orchestrator run` with these arguments in the folder."""
        run_dir, marker = self.folder / "runs" / str(next(self._numbers)), uuid.uuid4().hex
        run_dir.mkdir(parents=True)
        out_path, err_path = run_dir.with_suffix(".stdout"), run_dir.with_suffix(".stderr")
        command = [sys.executable, "-m", "orchestrator", "run", *arguments]
        command += ["--run-dir", str(run_dir), "--json", json_target]
        with out_path.open("wb") as out, err_path.open("wb") as err:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | {MARKER: marker} | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        run = Run(process, run_dir, marker, out_path, err_path)
        self._runs.append(run)
        return run

    def run(self, *arguments: str, deadline_s: float = DEADLINE_S, **options: Any) -> Outcome:
        """Run to the end."""
        return self.start(*arguments, **options).outcome(deadline_s)

    def call(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> subprocess.CompletedProcess[str]:
        """Call the orchestrator in the folder and wait for its exit."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *arguments],
            cwd=folder or self.folder,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline_s,
            check=False,
        )

    def up(
        self, *arguments: str, file: str = "topology.yaml", environment: Mapping[str, str] | None = None
    ) -> Service:
        """Bring up a service from a file in the folder; fails where it does not come up."""
        run_dir, marker = self.folder / "runs" / str(next(self._numbers)), uuid.uuid4().hex
        environment = {MARKER: marker} | dict(environment or {})
        service = Service(self, run_dir, marker, file, dict(environment))
        self._services.append(service)
        called = self.call("up", file, *arguments, "--run-dir", str(run_dir), environment=environment)
        assert called.returncode == 0, f"exit {called.returncode}\n{called.stdout}{called.stderr}"
        service.said = called.stdout + called.stderr
        return service

    def script(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the plain pyzmq scripts, as somebody else would."""
        log = (self.folder / f"{name}-{len(self._scripts)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self._scripts.append(process)
        return process

    def close(self) -> None:
        """End whatever still lives of what was started here."""
        for run in self._runs:
            run.abandon()
        for service in self._services:
            service.abandon()
        for script in self._scripts:
            if script.poll() is None:
                script.kill()
            script.wait(10)
            if script.stdin is not None:
                script.stdin.close()


def jain(shares: list[int]) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has all."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0
