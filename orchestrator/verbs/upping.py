"""The verb `up`: patterns as services under supervisord, or where they run already, what has changed of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cells import plural
from orchestrator.engines.base import EngineError
from orchestrator.engines.handles import Handle
from orchestrator.engines.supervisord.config import COORDINATOR
from orchestrator.observers.console import Console
from orchestrator.observers.follow import JournalFollower
from orchestrator.observers.tail import LogTail, last_lines
from orchestrator.outcome.summary import summarise
from orchestrator.outcome.text import report_text
from orchestrator.run.coordinator import SIGTERM_DRAINS_WITHIN_S
from orchestrator.run.difference import difference, successor
from orchestrator.run.events import Known, RunEnded, RunReady
from orchestrator.run.live import Live, announce, live_runs, withdraw
from orchestrator.run.plan import Plan
from orchestrator.run.planfile import kept_plan
from orchestrator.run.reception import Asker, AskError, reception_address, ticket
from orchestrator.run.requests import Become
from orchestrator.run.runner import wall_clock_now
from orchestrator.run.service import Service, keep_service, kept_service
from orchestrator.run.sockets import make_private_directory
from orchestrator.rundir import EVENTS, RunDir
from orchestrator.terminal import Terminal
from orchestrator.verbs.asking import if_interrupted
from orchestrator.verbs.codes import worst
from orchestrator.verbs.fault import fault
from orchestrator.verbs.keymaking import check_keys, folder_of_keys
from orchestrator.verbs.loading import Loaded, Overrides, load, make_plans
from orchestrator.verbs.places import new_place

CHANGED_WITHIN_S = 300.0
DRAINS_WITHIN_S = int(SIGTERM_DRAINS_WITHIN_S) + 5
"""A supervisord that is told to leave gives its coordinator so long, beyond all grace periods, to drain the run."""

_LOOK_EVERY_S = 0.02
_LEAVES_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line asks of `up`."""

    file: str
    pattern: str | None = None
    overrides: Overrides = ()
    seed: int | None = None
    run_dir: Path | None = None
    pid_file: Path | None = None
    keys: Path | None = None
    quiet: bool = False


def up(options: UpOptions, terminal: Terminal) -> int:
    """Bring up what the options ask for, each pattern a service; 0 once all are in place, or changed.

    Raises CommandError where the file is wrong, or what it names is not there.
    """
    loaded = load(options.file, options.overrides)
    terminal.tell(loaded.told_warnings())
    plans = make_plans(loaded, options.pattern)
    with _one_after_another(loaded.path):
        return _all(plans, loaded, options, terminal)


@contextlib.contextmanager
def _one_after_another(path: Path) -> Iterator[None]:
    """Of two that bring up one file at the same time, the second finds what the first has brought up."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _all(plans: Sequence[Plan], loaded: Loaded, options: UpOptions, terminal: Terminal) -> int:
    if options.pid_file is not None and len(plans) > 1:
        text = "cannot write one pid file for several services"
        raise fault(text, code="pid-file", file=options.file, hint="name one with --pattern")
    _tell_left_over(loaded, terminal)
    is_up: list[str] = []
    code = 0
    for plan in plans:
        up_already = f"; {', '.join(is_up)} {'is' if len(is_up) == 1 else 'are'} up" if is_up else ""
        with if_interrupted(f"interrupted; nothing of {plan.pattern} is running{up_already}"):
            its_own = _one(plan, loaded, options, terminal, several=len(plans) > 1)
        code = worst([code, its_own])
        is_up += [] if its_own else [plan.pattern]
    if not code:
        terminal.answer(f"Next: orchestrator ps {options.file}, or down\n")
    return code


def _tell_left_over(loaded: Loaded, terminal: Terminal) -> None:
    """A pattern that has another name now, or is gone from the file, runs on; only its user knows what to do."""
    file = str(loaded.path.resolve())
    for live in live_runs():
        if live.file == file and live.service and live.pattern not in loaded.checked.topology.patterns:
            how = f"orchestrator down {shlex.quote(str(loaded.path))} --pattern {shlex.quote(live.pattern)}"
            terminal.tell(
                f"{live.pattern} is no longer in {loaded.path}, and runs on ({how} brings it down)\n"
            )


def _one(plan: Plan, loaded: Loaded, options: UpOptions, terminal: Terminal, *, several: bool) -> int:
    file = str(loaded.path.resolve())
    for live in live_runs():
        if (live.file, live.pattern, live.service) == (file, plan.pattern, True):
            with if_interrupted(
                "interrupted; what was asked for still happens (orchestrator ps shows how it is)"
            ):
                return _change(live, plan, options, terminal)
    try:
        return _Start(plan, loaded, options, terminal, several=several).run()
    except EngineError as error:
        raise fault(str(error), code="engine", file=options.file, exit_code=error.exit_code) from error


def _change(live: Live, plan: Plan, options: UpOptions, terminal: Terminal) -> int:
    """It runs already: only what is different is touched, and told beforehand."""
    try:
        before = kept_plan(Path(live.run_dir))
        keys = kept_service(Path(live.run_dir)).keys
    except (OSError, ValueError) as error:
        text = f"cannot read the plan of what runs: {error}"
        raise fault(text, code="broken-record", file=live.run_dir, exit_code=3) from error
    check_keys(plan, Path(keys) if keys else None, file=options.file)
    found = difference(before, successor(plan, before))
    terminal.answer(f"{plan.pattern} runs already; {plural(len(found.changes), 'change')}\n")
    terminal.answer("".join(f"  {line}\n" for line in found.changes))
    with Asker(reception_address(live.sockets)) as asker:
        try:
            answer = asker.ask(Become(ticket=ticket(), plan=plan), within_s=CHANGED_WITHIN_S)
        except AskError as error:
            text = f"cannot change {plan.pattern}: {error}"
            raise fault(text, code="no-answer", file=options.file, exit_code=1) from error
    if answer.done:
        terminal.answer(f"{answer.text}\n" if not found.changes else "done\n")
        return 0
    terminal.tell(f"{options.file}: error: {answer.text}\n")
    return 1


class _Start:
    """Starts one service, and looks on until it is in place."""

    def __init__(
        self, plan: Plan, loaded: Loaded, options: UpOptions, terminal: Terminal, *, several: bool
    ) -> None:
        self._plan = plan
        self._loaded = loaded
        self._options = options
        self._terminal = terminal
        self._several = several

    def run(self) -> int:
        """Bring it up; 0 once it is in place, its own exit code where it has ended before."""
        self._check_pid_file()
        self._keys = folder_of_keys(self._plan, self._loaded, self._options.keys)
        place = new_place(self._options.run_dir, self._plan, self._loaded, several=self._several)
        sockets, lock = make_private_directory(self._plan)
        try:
            live = self._start(place, sockets)
        except BaseException:
            shutil.rmtree(sockets, ignore_errors=True)
            raise
        finally:
            os.close(lock)
        try:
            self._make_known(live)
            is_up = self._look_on(place, live)
        except BrokenPipeError:
            raise  # nobody reads what is shown; the service goes on
        except OSError as error:
            clear_away(live)
            text = f"cannot bring {self._plan.pattern} up: {error}"
            raise fault(text, code="up", file=self._options.file, exit_code=3) from error
        except KeyboardInterrupt:
            clear_away(live)
            raise
        if is_up:
            return 0
        clear_away(live)
        return self._told_end(place)

    def _start(self, place: RunDir, sockets: Path) -> Live:
        from orchestrator.engines.supervisord.attended import start_attended  # noqa: PLC0415 - it alone brings supervisor

        plan, seeds = self._plan, (self._options.seed, self._plan.seed)
        service = Service(
            run_id=place.run_id,
            folder=str(self._loaded.folder),
            sockets=str(sockets),
            run_dir=str(place.path),
            seed=next((seed for seed in seeds if seed is not None), secrets.randbelow(2**31)),
            started_at=wall_clock_now(),
            started_s=time.monotonic(),
            keys=str(self._keys or ""),
        )
        keep_service(service)
        grace_s = max(spec.stop_grace_s for spec in plan.processes) * len(plan.stages)
        pid = start_attended(
            service.place(plan),
            plan.processes,
            entry="orchestrator.verbs.serving:main",
            argument=str(place.path),
            stop_wait_s=int(grace_s) + DRAINS_WITHIN_S,
        )
        return Live(
            run_id=place.run_id,
            file=str(self._loaded.path.resolve()),
            pattern=plan.pattern,
            engine="supervisor",
            pid=pid,
            sockets=str(sockets),
            run_dir=str(place.path),
            service=True,
        )

    def _check_pid_file(self) -> None:
        """What cannot be written is told before anything is started."""
        path = self._options.pid_file
        if path is None:
            return
        try:
            path.touch()
        except OSError as error:
            text = f"cannot write the pid file {path}: {error.strerror}"
            hint = "name another with --pid-file"
            raise fault(text, code="pid-file", file=self._options.file, hint=hint) from error

    def _make_known(self, live: Live) -> None:
        announce(live)
        if self._options.pid_file is not None:
            self._options.pid_file.write_text(f"{live.pid}\n")

    def _look_on(self, place: RunDir, live: Live) -> bool:
        """Show what the journal tells until everyone is in place; False where it ends before that."""
        options, terminal = self._options, self._terminal
        console = None
        if not options.quiet:
            tail = LogTail(place.path / "logs")
            console = Console(terminal.err, tail=tail, style=terminal.err_style)
        for event in self._events(place, live):
            if console is not None:
                console(event)
            if isinstance(event, RunReady):
                processes = plural(len(self._plan.processes), "process", "processes")
                terminal.answer(f"{self._plan.pattern} is up: {processes}. Record: {place.shown}\n")
                return True
        return False

    def _events(self, place: RunDir, live: Live) -> Iterator[Known]:
        """What is made known, as it is, until the end of the run, or of supervisord, whichever comes first."""
        follower = JournalFollower(place.path / EVENTS)
        while True:
            was_alive = _lives(live.pid)
            for event in follower.read():
                yield event
                if isinstance(event, RunEnded):
                    return
            if not was_alive:
                return
            time.sleep(_LOOK_EVERY_S)

    def _told_end(self, place: RunDir) -> int:
        """It has ended before it was in place, or supervisord has: what the record says of that."""
        events = JournalFollower(place.path / EVENTS).read()
        if not events:
            lines = last_lines(place.path / "logs" / f"{COORDINATOR}.log")
            raise EngineError(
                f"the coordinator did not start: {' / '.join(lines[-3:]) or 'it has said nothing'}"
            )
        summary = summarise(events)
        ended = [process.name for process in summary.processes if process.outcome in ("failed", "killed")]
        logs = {name: last_lines(place.log(name)) for name in ended}
        style = self._terminal.out_style
        self._terminal.answer(report_text(summary, logs=logs, place=place.shown, style=style))
        return summary.exit_code or 1


def _lives(pid: int) -> bool:
    """Whether there is such a process; one that has ended and waits for whoever reaps it is no more."""
    try:
        with contextlib.closing(Handle(pid)) as process:
            return not process.ended()
    except ProcessLookupError:
        return False


def clear_away(live: Live) -> None:
    """Have supervisord end all that it runs, the coordinator first; if it takes too long, all at once."""
    with contextlib.suppress(ProcessLookupError), contextlib.closing(Handle(live.pid)) as process:
        for number in (signal.SIGTERM, signal.SIGKILL):
            process.signal(number)
            if process.ended(_LEAVES_WITHIN_S):
                break
    withdraw(live)
    shutil.rmtree(live.sockets, ignore_errors=True)
