"""The verb `down`: what runs comes to its end, drained if that can be, and is reported on."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.engines.handles import Handle
from orchestrator.run.attention import LONGEST_STEP_S
from orchestrator.run.live import LIVE, Live, is_alive, withdraw
from orchestrator.run.reception import Asker, AskError, reception_address, ticket
from orchestrator.run.requests import Answer, Down
from orchestrator.rundir import SUMMARY
from orchestrator.terminal import Terminal
from orchestrator.topology.durations import in_words
from orchestrator.verbs.asking import if_interrupted
from orchestrator.verbs.codes import worst
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.finding import NOT_RUNNING, Wanted, find, how_it_ended, is_private, running, shown
from orchestrator.verbs.reporting import recorded, told

ANSWER_WITHIN_S = 5.0
HURRIES_WITHIN_S = 15.0
TERM_WITHIN_S = 15.0
KILL_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.02


def down(wanted: Wanted, *, timeout_s: float, terminal: Terminal) -> int:
    """Bring the services that are meant to their end, or where there is none, the runs; the worst exit code of theirs.

    1 where one had to be ended by force, or goes on all the same; 0 where nothing runs.
    """
    runs = _meant(wanted, terminal)
    with if_interrupted(
        "interrupted; what was asked to come to its end still does (orchestrator ps shows how it is)"
    ):
        ends = [_End(live, wanted, terminal, timeout_s=timeout_s) for live in runs]
        while not all(end.look() for end in ends):
            time.sleep(_LOOK_EVERY_S)
    for end in ends:
        end.clear_away()
    return worst(_reported(end, terminal, several=len(ends) > 1) for end in ends)


def _meant(wanted: Wanted, terminal: Terminal) -> list[Live]:
    """The services, or where there is none, the runs; none where nothing runs, which is told."""
    try:
        runs = find(wanted)
    except CommandError as error:
        if error.exit_code != NOT_RUNNING:
            raise
        (problem,) = error.problems
        if wanted.pattern and running(wanted):
            aside = problem["hint"]
        else:
            aside = how_it_ended(wanted.file) if wanted.run_dir is None else ""
        what = f"pattern '{wanted.pattern}' of {wanted.name}" if wanted.pattern else wanted.name
        terminal.tell(f"nothing of {what} is running{f' ({aside})' if aside else ''}\n")
        return []
    services = [live for live in runs if live.service]
    for live in runs if services else ():
        if not live.service:
            there = f"--run-dir {shown(live.run_dir)} brings it down"
            terminal.tell(f"{live.pattern} runs in the foreground, too, and goes on ({there})\n")
    return services or runs


class _End:
    """The end of one run: it is asked for, then asked for at once, and a service that has no ears is made to end.

    Where this process stood still, so may have the run: from one look to the next only so much counts.
    `forced` says that asking was not enough, and `given_up` that the run goes on all the same.
    """

    def __init__(self, live: Live, wanted: Wanted, terminal: Terminal, *, timeout_s: float) -> None:
        self.live = live
        self.forced = self.given_up = False
        self._file = wanted.name
        self._terminal = terminal
        self._process = _held(live)
        self._attended_s, self._looked_s = 0.0, time.monotonic()
        self._due_s = self._timeout_s = timeout_s
        self._next: Callable[[], None] = self._hurry
        self._ask()

    @property
    def place(self) -> Path:
        """Where its record is."""
        return Path(self.live.run_dir)

    def look(self) -> bool:
        """Whether it is over, or given up; takes the next step where it is time for that."""
        now_s = time.monotonic()
        self._attended_s += min(now_s - self._looked_s, LONGEST_STEP_S)
        self._looked_s = now_s
        if not self.given_up and self._attended_s >= self._due_s and not self._is_over():
            self._next()
        return self.given_up or self._is_over()

    def clear_away(self) -> None:
        """Remove what a service leaves behind that had to be ended, or that ended before it could."""
        if self._process is not None:
            self._process.close()
        path = Path(self.live.sockets)
        if self.live.service and not self.given_up:
            with contextlib.suppress(OSError):
                withdraw(self.live)
            if is_private(path):
                shutil.rmtree(path, ignore_errors=True)

    def _ask(self) -> None:
        answer = self._answer(at_once=False)
        if answer is not None:
            self._terminal.tell(f"{self.live.pattern}: {answer.text}\n")

    def _hurry(self) -> None:
        """What drains for too long is cut short by its own coordinator, so that its books are kept."""
        self.forced = True
        self._tell(f"it has not drained after {in_words(self._timeout_s)}", "it ends at once")
        if self._answer(at_once=True) is not None:
            self._due_s = self._attended_s + HURRIES_WITHIN_S
            self._next = lambda: self._force(f"it is not over after {HURRIES_WITHIN_S:g} s more")

    def _answer(self, *, at_once: bool) -> Answer | None:
        """What is answered to the wish that it ends; None where nothing is, and it is made to."""
        with Asker(reception_address(self.live.sockets)) as asker:
            try:
                return asker.ask(Down(ticket=ticket(), at_once=at_once), within_s=ANSWER_WITHIN_S)
            except AskError as error:
                if not self._is_over():
                    self._force(str(error))
        return None

    def _is_over(self) -> bool:
        if self._process is None or self._process.ended():
            return True
        written = (self.place / SUMMARY).exists() and not (self.place / LIVE).exists()
        return written and not self.live.service

    def _force(self, why: str) -> None:
        """Have supervisord end it, the coordinator first, which drains; what is in the foreground is left."""
        self.forced = True
        if not self.live.service:
            self.given_up = True
            self._tell(why, "it goes on; Ctrl-C at its own terminal ends it, a second one at once")
            return
        self._tell(why, "supervisord is told to end it")
        self._signal(signal.SIGTERM, within_s=TERM_WITHIN_S, then=self._kill)

    def _kill(self) -> None:
        self._tell(
            f"supervisord is there {TERM_WITHIN_S:g} s after SIGTERM", "it is killed, and all below it"
        )
        self._signal(signal.SIGKILL, within_s=KILL_WITHIN_S, then=self._give_up)

    def _give_up(self) -> None:
        self.given_up = True
        self._tell(
            f"supervisord is there {KILL_WITHIN_S:g} s after SIGKILL", f"process {self.live.pid} is left"
        )

    def _signal(self, number: int, *, within_s: float, then: Callable[[], None]) -> None:
        if self._process is not None:
            self._process.signal(number)
        self._due_s, self._next = self._attended_s + within_s, then

    def _tell(self, why: str, hint: str) -> None:
        text = f"cannot bring {self.live.pattern} down: {why}"
        self._terminal.tell(f"{fault(text, code='not-down', file=self._file, hint=hint).text}\n")


def _held(live: Live) -> Handle | None:
    """The run's process, or None where that has gone; its number must not have come to mean another."""
    try:
        process = Handle(live.pid)
    except ProcessLookupError:
        return None
    if is_alive(live):
        return process
    process.close()
    return None


def _reported(end: _End, terminal: Terminal, *, several: bool) -> int:
    """Report on a run that is over; its exit code, at least 1 where it was forced."""
    codes = [1] if end.forced else []
    if not end.given_up:
        try:
            summary = recorded(end.place)
        except CommandError as error:
            terminal.tell(f"{error.text}\n")
            return worst([*codes, error.exit_code])
        text = told(summary, end.place, terminal, shown=shown(end.place), several=several)
        terminal.answer(f"{text}\n" if several else text)
        codes.append(summary.exit_code)
    return worst(codes)
