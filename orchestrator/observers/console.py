"""What a user sees while a run goes on: stages, readiness, progress, what roles print, problems.

Lines are only ever added, but for the progress on a terminal, which a `Canvas` draws in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TextIO

from orchestrator.cells import Style, count, name_list, plain, plural, printable, rate
from orchestrator.observers.board import Board, Row
from orchestrator.observers.prefixes import Prefixes
from orchestrator.observers.stages import stage_lines
from orchestrator.observers.tail import LogTail
from orchestrator.run.events import (
    ChangeEnded,
    FaultFired,
    Known,
    ProblemFound,
    ProcessAdded,
    ProcessContinued,
    ProcessEnded,
    ProcessLaunched,
    ProcessStopped,
    Progress,
    RunChanged,
    RunDraining,
    RunEnded,
    RunReady,
    RunStarted,
)

_PLAIN_EVERY_S = 5.0
_DRAW_EVERY_S = 0.1
_LOGS_A_LOOK = 50
_PROBLEM_WAITS_S = 1.0


class Drawing(Protocol):
    """What a terminal's progress is drawn on."""

    def draw(self, rows: list[Row]) -> None:
        """Show these rows in place of those before."""

    def write(self, line: str) -> None:
        """Write a line above the rows."""

    def close(self) -> None:
        """Take the rows away."""


class Console:
    """An observer that tells of the run on `stream`. It never raises: what cannot be shown is not shown.

    `canvas` makes the drawing once there is progress to draw; without it progress is a line now and then.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        tail: LogTail,
        style: Style = plain,
        totals: Mapping[str, int] | None = None,
        canvas: Callable[[], Drawing] | None = None,
    ) -> None:
        """Be ready for the events of one run."""
        self._stream = stream
        self._tail = tail
        self._style = style
        self._totals = totals or {}
        self._canvas = canvas
        self._drawing: Drawing | None = None
        self._board: Board | None = None
        self._prefixes = Prefixes(style)
        self._running: list[str] = []
        self._waiting: list[ProblemFound] = []
        self._shown_s = 0.0
        self._broken = False

    def __call__(self, event: Known) -> None:
        """Show what the event tells."""
        if self._broken:
            return
        try:
            self._take(event)
        except Exception:  # noqa: BLE001 - whatever is wrong with a terminal, the run goes on
            self._broken = True
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was; for a run that ends without its last event."""
        drawing, self._drawing, self._canvas = self._drawing, None, None
        if drawing:
            try:
                drawing.close()
            except Exception:  # noqa: BLE001 - as above
                self._broken = True

    def _take(self, event: Known) -> None:
        if self._board:
            self._board.take(event)
        match event:
            case RunStarted():
                self._start(event)
            case ProcessLaunched():
                self._launched(event)
            case ProcessAdded():
                self._prefixes.add({event.outline.name: event.outline.node})
            case FaultFired() | RunChanged() | ChangeEnded() | ProcessStopped() | ProcessContinued():
                self._changed(event)
            case RunReady():
                places = plural(event.connections, "connection")
                self._line(self._style("dim", f"ready in {event.at_s:.2f} s: {places} in place"))
                self._shown_s = event.at_s
            case RunDraining():
                self._draining(event.why)
            case Progress():
                self._progress(event)
            case ProcessEnded():
                self._ended(event.process)
            case ProblemFound():
                self._waiting.append(event)
            case RunEnded():
                self._over()
            case _:
                pass

    def _changed(
        self, event: FaultFired | RunChanged | ChangeEnded | ProcessStopped | ProcessContinued
    ) -> None:
        """Somebody, or the file itself, has done something to the run."""
        match event:
            case FaultFired():
                self._fault(event)
            case RunChanged(changes=changes):
                for change in changes:
                    self._line(self._style("warn", printable(f"change: {change}")))
            case ChangeEnded(text=text, done=done):
                self._line(self._style("dim", "changed") if done else printable(text))
            case ProcessStopped(process=process, pid=pid):
                text = f"{process} is stopped by a signal (kill -CONT {pid} lets it go on)"
                self._line(self._style("warn", text))
            case ProcessContinued(process=process):
                self._line(self._style("dim", f"{process} goes on"))

    def _start(self, event: RunStarted) -> None:
        self._board = Board(event, self._totals)
        self._prefixes.add({process.name: process.node for process in event.processes})
        head = printable(f": {event.description}") if event.description else ""
        self._line(self._style("bold", event.pattern) + head)
        for line in stage_lines(event.stages):
            self._line(line)
        external = dict.fromkeys(process.node for process in event.processes if process.role == "external")
        if external:
            self._line(f"waiting for {', '.join(external)}: external, to be started by you")

    def _launched(self, event: ProcessLaunched) -> None:
        self._running.append(event.process)
        if event.incarnation:
            self._line(self._style("dim", f"{event.process} is started again"))

    def _fault(self, event: FaultFired) -> None:
        """What is broken, and who is hit or added where the words of the fault leave that open."""
        self._tell_problems(event.at_s, wait_s=0.0)  # the run goes on, and what came first is told first
        named = all(process in event.text for process in event.processes)
        hit = "" if named else f": {name_list(event.processes)}"
        self._line(self._style("warn", printable(f"fault: {event.text}{hit}")))

    def _draining(self, why: str) -> None:
        if why == "duration":
            self._line(self._style("dim", "the duration is over: what is under way is brought to its end"))
        elif why.startswith("SIG"):
            self._line(f"{why}: what is under way is brought to its end; a second one ends it at once")

    def _progress(self, event: Progress) -> None:
        self._look_at_logs()
        self._tell_problems(event.at_s)
        if self._board is None:
            return
        if self._canvas and self._drawing is None:
            self._drawing = self._canvas()
        if self._drawing and event.at_s - self._shown_s >= _DRAW_EVERY_S:
            self._drawing.draw(self._board.rows())
            self._shown_s = event.at_s
        elif not self._drawing and event.at_s - self._shown_s >= _PLAIN_EVERY_S:
            self._line(progress_line(event.at_s, self._board.rows(by_node=True)))
            self._shown_s = event.at_s

    def _tell_problems(self, now_s: float, wait_s: float = _PROBLEM_WAITS_S) -> None:
        """The report tells all problems; only where the run goes on for a while are they told here too."""
        while self._waiting and now_s - self._waiting[0].at_s >= wait_s:
            problem = self._waiting.pop(0)
            mark, kind = ("·", "") if problem.expected else ("✗", "bad")
            self._line(self._style(kind, f"{mark} {printable(problem.text)}"))

    def _look_at_logs(self) -> None:
        """Look at some of the logs, others the next time: a thousand files are too many for one look."""
        for process in self._running[:_LOGS_A_LOOK]:
            self._output(process, self._tail.read(process))
        self._running = self._running[_LOGS_A_LOOK:] + self._running[:_LOGS_A_LOOK]

    def _ended(self, process: str) -> None:
        if process in self._running:
            self._running.remove(process)
        self._output(process, self._tail.rest(process))

    def _over(self) -> None:
        self.close()
        for process in list(self._running):
            self._ended(process)

    def _output(self, process: str, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(self._prefixes.of(process) + line)

    def _line(self, line: str) -> None:
        if self._drawing:
            self._drawing.write(line)
        else:
            self._stream.write(line + "\n")
            self._stream.flush()


def progress_line(at_s: float, rows: Iterable[Row]) -> str:
    """How far the run is, in one line: `5.0 s: worker 57 received, 57 sent (11/s); …`."""
    return f"  {at_s:.1f} s: " + "; ".join(_told(row) for row in rows)


def _told(row: Row) -> str:
    counts = [("received", row.received), ("sent", row.sent)]
    parts = [f"{count(number)} {name}" for name, number in counts if number is not None]
    speed = f" ({rate(row.rate_per_s)})" if row.rate_per_s else ""
    return f"{row.name} {', '.join(parts)}{speed}" if parts else row.name
