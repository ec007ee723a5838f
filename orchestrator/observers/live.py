"""The progress of a run, drawn in place on a terminal. The only module that draws with rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cells import count, percent, rate, times
from orchestrator.observers.board import Row

_BAR_COLUMNS = 24


class Canvas:
    """Draws rows below the lines that are written, and takes itself away in the end."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        """Begin to draw on `stream`, which is a terminal."""
        self._console = Console(
            file=stream, force_terminal=True, no_color=not colour, highlight=False, markup=False, emoji=False
        )
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def draw(self, rows: Sequence[Row]) -> None:
        """Show these rows in place of those before."""
        grid = Table.grid(padding=(0, 2))
        for row in rows:
            grid.add_row(*_cells(row))
        self._live.update(grid, refresh=True)

    def write(self, line: str) -> None:
        """Write a line above the rows; it may hold colours."""
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def close(self) -> None:
        """Take the rows away."""
        self._live.stop()


def _cells(row: Row) -> tuple[Text | ProgressBar, ...]:
    name, speed = Text(f"  {times(row.name, row.replicas)}"), Text(rate(row.rate_per_s))
    share = Text("" if row.share is None else percent(row.share))
    if not row.total:
        return name, Text(""), Text(count(row.done)), speed, share
    bar = ProgressBar(
        total=row.total,
        completed=min(row.done, row.total),
        width=_BAR_COLUMNS,
        complete_style="cyan",
        finished_style="green",
    )
    return name, bar, Text(f"{count(row.done)} of {count(row.total)}"), speed, share
