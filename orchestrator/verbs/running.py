"""The verb `run`: patterns one after another, each in a directory of its own, and the verdict on them all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.cells import plural
from orchestrator.engines.base import EngineChoice, EngineError
from orchestrator.observers.console import Console, Drawing
from orchestrator.observers.journal import Journal
from orchestrator.observers.tail import LogTail, last_lines
from orchestrator.observers.totals import known_totals
from orchestrator.outcome.annotations import of_problems, of_summary
from orchestrator.outcome.entries import Refusal, Run
from orchestrator.outcome.summary import summarise, to_json
from orchestrator.outcome.text import report_text
from orchestrator.outcome.values import Summary
from orchestrator.run.events import Known, Progress, RunEnded, RunStarted
from orchestrator.run.plan import Plan
from orchestrator.rundir import EVENTS, SUMMARY, RunDir, write_whole
from orchestrator.terminal import Terminal
from orchestrator.verbs.broken import broken_off
from orchestrator.verbs.codes import worst
from orchestrator.verbs.documents import (
    STDOUT,
    Outcome,
    outcome_documents,
    write_documents,
)
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.github import Actions
from orchestrator.verbs.keymaking import folder_of_keys
from orchestrator.verbs.loading import Loaded, Overrides, load, make_plans
from orchestrator.verbs.places import new_place
from orchestrator.verbs.tails import tails

DEFAULT_TIMEOUT_S = 600.0
_INTERRUPTED = (130, 143)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line asks of `run`. `timeout_s` and `seed` are None where it leaves them open."""

    file: str
    pattern: str | None = None
    engine: EngineChoice
    overrides: Overrides = ()
    timeout_s: float | None = None
    seed: int | None = None
    run_dir: Path | None = None
    keys: Path | None = None
    json: str | None = None
    junit: str | None = None
    markdown: str | None = None
    quiet: bool = False

    @property
    def stdout_is_taken(self) -> bool:
        """Whether a document is to stand there alone."""
        return STDOUT in (self.json, self.junit, self.markdown)


class Runner(Protocol):
    """Runs a plan to its end and makes its events known to the observers, as `run_plan` does."""

    def __call__(
        self,
        plan: Plan,
        *,
        engine: EngineChoice,
        folder: Path,
        run_dir: Path,
        run_id: str,
        seed: int,
        timeout_s: float | None,
        observers: Sequence[Callable[[Known], None]],
        keys: Path | None,
    ) -> RunEnded:
        """Raises EngineError where the machine cannot run it."""
        ...


def run(options: RunOptions, terminal: Terminal, runner: Runner, actions: Actions | None = None) -> int:
    """Run what the options ask for and report on it; the exit code, the worst of all patterns.

    `actions` is the step of a GitHub Actions job that is to hear of it. Raises CommandError where a document
    that is asked for could not be written.
    """
    documents = outcome_documents(json=options.json, junit=options.junit, markdown=options.markdown)
    outcome = Outcome()
    try:
        documented = bool(documents or actions)  # to read the ends of a thousand logs takes a while
        _run_patterns(options, terminal, runner, outcome, documented=documented)
    except CommandError as told:
        _refuse(told, options.pattern or options.file, options, terminal, outcome)
    failed = write_documents(documents, outcome, terminal)
    if actions:
        found = [one for summary in outcome.summaries for one in of_summary(summary)]
        actions.annotate([*of_problems(outcome.problems), *found], terminal)
        actions.summarise(outcome.entries, terminal)
    return worst([outcome.exit_code, failed])


def _refuse(told: CommandError, name: str, options: RunOptions, terminal: Terminal, outcome: Outcome) -> None:
    """Tell, and keep for the documents, why a pattern or the whole file does not run."""
    terminal.tell(told.text + "\n")
    outcome.codes.append(told.exit_code)
    outcome.problems += told.problems
    outcome.entries.append(Refusal(name=name, file=options.file, text=told.text, problems=told.problems))


def _run_patterns(
    options: RunOptions, terminal: Terminal, runner: Runner, outcome: Outcome, *, documented: bool
) -> None:
    """Every pattern has its turn, whatever became of those before, unless the user interrupts."""
    loaded = load(options.file, options.overrides)
    outcome.problems += loaded.warnings
    terminal.tell(loaded.told_warnings())
    plans = make_plans(loaded, options.pattern)
    for plan in plans:
        one = _OneRun(
            options=options,
            loaded=loaded,
            plan=plan,
            terminal=terminal,
            several=len(plans) > 1,
            tells_last_words=documented,
        )
        try:
            entry = one.run(runner)
        except CommandError as told:
            _refuse(told, plan.pattern, options, terminal, outcome)
            continue
        outcome.entries.append(entry)
        outcome.codes.append(entry.summary.exit_code)
        if entry.summary.exit_code in _INTERRUPTED:
            break
    if len(plans) > 1 and not (options.quiet and options.stdout_is_taken):
        _say(options, terminal, _count(plans, outcome))


def _count(plans: Sequence[Plan], outcome: Outcome) -> str:
    passed = sum(run.verdict == "passed" for run in outcome.summaries)
    return f"{plural(len(plans), 'pattern')}, {passed} passed\n"


def _say(options: RunOptions, terminal: Terminal, text: str) -> None:
    """The report is what was asked for, unless stdout is to hold a document alone."""
    if not options.stdout_is_taken:
        terminal.answer(text)
    elif not options.quiet:
        terminal.tell(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneRun:
    options: RunOptions
    loaded: Loaded
    plan: Plan
    terminal: Terminal
    several: bool
    tells_last_words: bool

    def run(self, runner: Runner) -> Run:
        """Run the pattern, keep its record and report on it; raises CommandError where it cannot begin."""
        keys = folder_of_keys(self.plan, self.loaded, self.options.keys)
        place = new_place(self.options.run_dir, self.plan, self.loaded, several=self.several)
        events = self._observed(runner, place, keys)
        summary = summarise(events)
        try:
            write_whole(place.path / SUMMARY, to_json(summary))
        except OSError as error:
            self.terminal.tell(f"cannot write {place.shown}/{SUMMARY}: {error.strerror}\n")
        self._report(summary, place)
        return Run(summary=summary, logs=tails(summary, place.path) if self.tells_last_words else {})

    def _report(self, summary: Summary, place: RunDir) -> None:
        terminal, options = self.terminal, self.options
        ended = [process.name for process in summary.processes if process.outcome in ("failed", "killed")]
        text = report_text(
            summary,
            logs={name: last_lines(place.log(name)) for name in ended},
            place=place.shown,
            style=terminal.err_style if options.stdout_is_taken else terminal.out_style,
            several=self.several,
        )
        if not options.quiet:
            terminal.tell("\n")
        _say(options, terminal, f"{text}\n" if self.several else text)

    def _observed(self, runner: Runner, place: RunDir, keys: Path | None) -> list[Known]:
        """Run with the journal and the console looking on; all events but progress."""
        events: list[Known] = []
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(place.path / EVENTS))
            observers: list[Callable[[Known], None]] = [lambda event: _keep(event, events), journal]
            if not self.options.quiet:
                console = self._console(place)
                stack.callback(console.close)
                observers.append(console)
            try:
                self._start(runner, place, observers, keys)
            except EngineError as error:
                self._close_record(str(error), events, observers)
            if journal.fault:
                self.terminal.tell(f"cannot write {place.shown}/{EVENTS}: {journal.fault}\n")
        return events

    def _start(
        self,
        runner: Runner,
        place: RunDir,
        observers: Sequence[Callable[[Known], None]],
        keys: Path | None,
    ) -> None:
        options, plan = self.options, self.plan
        timeout_s = options.timeout_s
        if timeout_s is None and plan.duration_s is None:
            timeout_s = DEFAULT_TIMEOUT_S
        seeds = [seed for seed in (options.seed, plan.seed) if seed is not None]
        runner(
            plan,
            engine=options.engine,
            folder=self.loaded.folder,
            run_dir=place.path,
            run_id=place.run_id,
            seed=seeds[0] if seeds else secrets.randbelow(2**31),
            timeout_s=timeout_s,
            observers=observers,
            keys=keys,
        )

    def _close_record(
        self, text: str, events: list[Known], observers: Sequence[Callable[[Known], None]]
    ) -> None:
        """The engine gave up: a run that had begun says so in its record, else the fault is all there is."""
        if not any(isinstance(event, RunStarted) for event in events):
            raise fault(text, code="engine", file=self.loaded.file, exit_code=3)
        for event in broken_off(text, at_s=events[-1].at_s):
            for observer in observers:
                observer(event)

    def _console(self, place: RunDir) -> Console:
        terminal = self.terminal
        return Console(
            terminal.err,
            tail=LogTail(place.path / "logs"),
            style=terminal.err_style,
            totals=known_totals(self.plan),
            canvas=(lambda: _canvas(terminal)) if terminal.live else None,
        )


def _keep(event: Known, events: list[Known]) -> None:
    if not isinstance(event, Progress):
        events.append(event)


def _canvas(terminal: Terminal) -> Drawing:
    from orchestrator.observers.live import Canvas  # noqa: PLC0415 - rich is for terminals alone

    return Canvas(terminal.err, colour=terminal.err_style("bold", "x") != "x")
