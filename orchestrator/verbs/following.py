"""The verb `logs`: what the processes of a run print, while it goes on and afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.engines.supervisord.config import COORDINATOR
from orchestrator.observers.prefixes import Prefixes
from orchestrator.observers.tail import LogTail
from orchestrator.run.live import LIVE, Live, is_alive
from orchestrator.run.plan import Plan
from orchestrator.run.planfile import PLAN, kept_plan
from orchestrator.rundir import LATEST
from orchestrator.terminal import Terminal
from orchestrator.topology.suggest import meant_process
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.finding import NOT_RUNNING, Wanted, find_one, shown

_LOOK_EVERY_S = 0.1
_ALIVE_EVERY_S = 1.0
_MOST_LOOKS = 64
"""So often one process's log is read at once before the others have their turn."""

_NUMBERED = re.compile(r"(.+)-([0-9]+)")


def logs(wanted: Wanted, *, names: Sequence[str], follow: bool, lines: int, terminal: Terminal) -> int:
    """Show the last lines of each process, or of those that are named, and go on where asked to, until Ctrl-C.

    Raises CommandError where there is no such run, or it has no such process.
    """
    place, live = _place(wanted, terminal)
    reader = _Reader(place, _chosen(place, names, wanted), terminal)
    try:
        _read(reader, live if follow else None, lines)
    except OSError as error:
        text = f"cannot read the logs: {error.strerror}: {error.filename}"
        raise fault(text, code="logs", file=str(place), exit_code=3) from error
    except KeyboardInterrupt:
        return 0
    return 0


def _read(reader: _Reader, live: Live | None, lines: int) -> None:
    """The last lines, and of a run that goes on those that follow, until it is over or nobody reads them."""
    if live is None:
        reader.last(lines, whole=False)
        return
    wanted = reader.last(lines, whole=True)
    looked_s = time.monotonic()
    while wanted:
        over = not (Path(live.run_dir) / LIVE).exists()
        if time.monotonic() - looked_s >= _ALIVE_EVERY_S:
            looked_s = time.monotonic()
            over = over or not is_alive(live)
        wanted = reader.more()
        if over:
            reader.rest()
            return
        time.sleep(_LOOK_EVERY_S)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which processes are shown. Without `names` all, but not the coordinator."""

    names: frozenset[str]

    def __contains__(self, process: str) -> bool:
        if not self.names:
            return process != COORDINATOR
        return process in self.names or _node(process) in self.names


class _Reader:
    """Writes lines of the processes' logs, those that join later too; each says whether somebody reads them."""

    def __init__(self, place: Path, chosen: _Chosen, terminal: Terminal) -> None:
        self._place = place
        self._chosen = chosen
        self._terminal = terminal
        self._tail = LogTail(place / "logs")
        self._prefixes = Prefixes(terminal.out_style)
        self._order = _planned(place)
        self._known: dict[str, None] = {}

    def last(self, lines: int, *, whole: bool) -> bool:
        """The last so many lines of each; `whole` leaves one without an end to those that follow."""
        self._look_round()
        texts = []
        for process in self._known:
            found = self._tail.last(process, lines)
            if not whole:
                found = [*found, *self._tail.rest(process)][-lines:] if lines else []
            texts.append(self._text(process, found))
        return self._write(texts)

    def more(self) -> bool:
        """What has been added."""
        self._look_round()
        return self._write([self._text(process, self._added(process)) for process in self._known])

    def rest(self) -> bool:
        """All that there still is, of processes that have ended."""
        self._look_round()
        return self._write([self._text(process, self._tail.rest(process)) for process in self._known])

    def _added(self, process: str) -> Iterator[str]:
        for _ in range(_MOST_LOOKS):
            lines = self._tail.read(process)
            if not lines:
                return
            yield from lines

    def _look_round(self) -> None:
        """Take in the logs that there are by now, in the order of the plan."""
        logged = {path.stem for path in (self._place / "logs").glob("*.log")}
        fresh = [name for name in logged if name not in self._known and name in self._chosen]
        fresh.sort(key=lambda name: (self._order.get(name, len(self._order)), _natural(name)))
        self._known |= dict.fromkeys(fresh)
        self._prefixes.add({name: _node(name) for name in fresh})

    def _text(self, process: str, lines: Iterable[str]) -> str:
        prefix = self._prefixes.of(process)
        return "".join(f"{prefix}{line}\n" for line in lines)

    def _write(self, texts: Iterable[str]) -> bool:
        text = "".join(texts)
        return self._terminal.answer(text) if text else True


def _place(wanted: Wanted, terminal: Terminal) -> tuple[Path, Live | None]:
    """The directory of the run that goes on; else of the one that is named, or of the last one, which is told."""
    try:
        live = find_one(wanted)
    except CommandError as error:
        if error.exit_code != NOT_RUNNING:
            raise
        place = _over(wanted)
        if place is None:
            raise
        terminal.tell(f"nothing of {wanted.name} is running; these are the logs of {shown(place)}\n")
        return place, None
    return Path(live.run_dir), live


def _over(wanted: Wanted) -> Path | None:
    """The directory of a run that is over: of the pattern that is asked for, and where none is named, of the file."""
    folder = wanted.run_dir or LATEST
    found = [path.parent for path in (folder / PLAN, *sorted(folder.glob(f"*/{PLAN}"))) if path.exists()]
    plans = {place: plan for place in found if (plan := _plan(place)) is not None}
    if wanted.run_dir is None:
        name = Path(wanted.file).name
        plans = {place: plan for place, plan in plans.items() if Path(plan.topology).name == name}
    places = [place for place, plan in plans.items() if wanted.pattern in (None, plan.pattern)]
    if len(places) > 1:
        patterns = ", ".join(plan.pattern for plan in plans.values())
        text = "cannot tell which run is meant: it holds several"
        raise fault(text, code="several-runs", file=wanted.name, hint=f"say which with --pattern: {patterns}")
    return places[0] if places else None


def _chosen(place: Path, names: Sequence[str], wanted: Wanted) -> _Chosen:
    """Those that are named; raises CommandError where there is no such node or process."""
    processes = [*_planned(place), *(path.stem for path in (place / "logs").glob("*.log"))]
    nodes = list(dict.fromkeys(_node(process) for process in processes if process != COORDINATOR))
    for name in names:
        if name not in processes and name not in nodes:
            hint = meant_process(name, nodes, [COORDINATOR]) or f"nodes: {', '.join(nodes)}"
            text = f"cannot show the log of '{name}': there is no such node or process"
            raise fault(text, code="unknown-process", file=wanted.name, hint=hint)
    return _Chosen(frozenset(names))


def _planned(place: Path) -> dict[str, int]:
    """The processes of a run's plan in launch order, each with its place; none where it cannot be read."""
    plan = _plan(place)
    specs = (*plan.processes, *plan.reserves, *plan.retired) if plan else ()
    return {spec.name: number for number, spec in enumerate(specs)}


def _plan(place: Path) -> Plan | None:
    try:
        return kept_plan(place)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def _node(process: str) -> str:
    found = _NUMBERED.fullmatch(process)
    return found[1] if found else process


def _natural(process: str) -> tuple[str, int]:
    found = _NUMBERED.fullmatch(process)
    return (found[1], int(found[2])) if found else (process, 0)
