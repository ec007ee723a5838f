"""The verb `ps`: how the processes of what runs are at the moment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec

from orchestrator.outcome.summary import to_json
from orchestrator.run.live import Live, is_alive
from orchestrator.run.reception import Asker, AskError, reception_address, ticket
from orchestrator.run.requests import Answer, Look
from orchestrator.terminal import Terminal
from orchestrator.verbs.asking import if_interrupted
from orchestrator.verbs.codes import VERSION
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.finding import Wanted, find
from orchestrator.verbs.statetable import heading, rates, state_lines

LOOK_WITHIN_S = 5.0
"""A coordinator answers in no time, unless it is on its way back."""

_RATES_OVER_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A run, its last answer and its processes' rates."""

    live: Live
    answer: Answer
    rates: Mapping[str, float | None]


def ps(wanted: Wanted, *, json: bool, terminal: Terminal) -> int:
    """Show the processes of all runs that are meant; 1 where one of these does not answer.

    Raises CommandError where nothing runs.
    """
    with if_interrupted("interrupted"):
        try:
            runs = find(wanted)
        except CommandError as error:
            if json:
                terminal.answer(_document([], error.problems))
            raise
        seen, faults = _look_at(runs, wanted)
    for told in faults:
        terminal.tell(f"{told.text}\n")
    if json:
        terminal.answer(_document(seen, [problem for told in faults for problem in told.problems]))
    else:
        terminal.answer("\n".join(_told(one, terminal, several=len(runs) > 1) for one in seen))
    return 1 if faults else 0


def _look_at(runs: Sequence[Live], wanted: Wanted) -> tuple[list[_Seen], list[CommandError]]:
    """Two looks at each run, some time apart; and why not, of those that do not answer."""
    firsts: list[tuple[Live, Asker, Answer]] = []
    faults: list[CommandError] = []
    with ExitStack() as stack:
        for live in runs:
            asker = stack.enter_context(Asker(reception_address(live.sockets)))
            try:
                firsts.append((live, asker, _look(asker)))
            except AskError as error:
                faults.append(_fault(live, error, wanted))
        if firsts:
            time.sleep(_RATES_OVER_S)
        return [_again(live, asker, first) for live, asker, first in firsts], faults


def _look(asker: Asker) -> Answer:
    return asker.ask(Look(ticket=ticket()), within_s=LOOK_WITHIN_S)


def _again(live: Live, asker: Asker, first: Answer) -> _Seen:
    """A second look for the rates; a run that is over by then is told as it was."""
    try:
        answer = _look(asker)
    except AskError:
        answer = first
    return _Seen(live=live, answer=answer, rates=rates(first, answer))


def _fault(live: Live, error: AskError, wanted: Wanted) -> CommandError:
    hint = "it is over by now"
    if is_alive(live):
        hint = "its coordinator may be on its way back; try again" if live.service else "try again"
    text = f"cannot look at {live.pattern}: {error}"
    return fault(text, code="no-answer", file=wanted.name, hint=hint, exit_code=1)


def _told(seen: _Seen, terminal: Terminal, *, several: bool) -> str:
    """The table; where it is not the only one, or the run is not at its work, with a line of which and how."""
    lines = state_lines(seen.answer.processes, seen.rates, style=terminal.out_style)
    if several or seen.answer.phase != "working":
        lines.insert(0, heading(seen.live, seen.answer.phase, style=terminal.out_style))
    return "\n".join(lines) + "\n"


def _document(seen: Sequence[_Seen], problems: Sequence[dict[str, Any]]) -> str:
    runs = [_run(one) for one in seen]
    return to_json({"version": VERSION, "runs": runs, "problems": problems}).decode()


def _run(seen: _Seen) -> dict[str, Any]:
    live, answer = seen.live, seen.answer
    processes = [
        msgspec.structs.asdict(one) | {"rate_per_s": seen.rates.get(one.name)} for one in answer.processes
    ]
    return {
        "run_id": live.run_id,
        "file": live.file,
        "pattern": live.pattern,
        "engine": live.engine,
        "service": live.service,
        "phase": answer.phase,
        "at_s": answer.at_s,
        "run_dir": live.run_dir,
        "processes": processes,
    }
