"""Text for GitHub's Markdown: escaped words, code, tables and details, none of which its content can break. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchestrator.cells import Cell, Style, plain, printable

_SPECIAL = re.compile(r"[\\`*\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown could take for markup; an underscore within a word is none."""

_TICKS = re.compile("`+")
_LEFT = {"PROCESS", "LINK", "OUTCOME", "EXIT", "NODE"}
"""Columns of words; the others hold numbers, and stand on the right."""

LONGEST_LINE = 400
"""Characters of a line of code that are shown."""


def escaped(text: str) -> str:
    """Text that is shown as it is; line ends become breaks."""
    return "<br>".join(_SPECIAL.sub(r"\\\g<0>", printable(line)) for line in text.split("\n"))


def code(text: str) -> str:
    """Text as a span of code, outside of tables."""
    shown = printable(text)
    ticks = "`" * (_longest_ticks(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def block(lines: Iterable[str]) -> str:
    """Lines as a block of code, very long ones cut."""
    shown = [_cut(printable(line)) for line in lines]
    fence = "`" * max([3, *(_longest_ticks(line) + 1 for line in shown)])
    return "\n".join([f"{fence}text", *shown, fence])


def details(title: str, content: str) -> str:
    """What is shown once the reader opens it."""
    return f"<details><summary>{escaped(title)}</summary>\n\n{content}\n\n</details>"


def grid(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, style: Style = plain) -> list[str]:
    """Lines of a table, in the form of `cells.table`; what is bad is bold."""
    lines = [_row([escaped(style("", name.lower())) for name in header])]
    lines.append(_row([":---" if name in _LEFT else "---:" for name in header]))
    return [*lines, *(_row([_cell(cell) for cell in row]) for row in rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    return f"**{text}**" if cell.kind == "bad" and text else text


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def _longest_ticks(text: str) -> int:
    return max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
