"""Text for people: numbers with their units, and cells that stand in columns.

Pure. Colour comes in as a `Style`, so the same text is plain in a file and coloured on a terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

NONE = "–"
"""Stands where there is nothing to count or nothing is known."""

Style = Callable[[str, str], str]
"""Takes a kind (`good`, `bad`, `warn`, `dim`, `bold`, `name0` ...) and text; gives the text dressed."""

NAME_COLOURS = 6
_MOST_NAMES = 6

_CODES = {
    "good": "32",
    "bad": "31",
    "warn": "33",
    "dim": "2",
    "bold": "1",
    "name0": "36",
    "name1": "33",
    "name2": "32",
    "name3": "35",
    "name4": "34",
    "name5": "96",
}

_BIDIRECTIONAL = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029}


class Cell(NamedTuple):
    """One cell of a table; `kind` is its style, empty for none."""

    text: str
    kind: str = ""


def plain(kind: str, text: str) -> str:  # noqa: ARG001 - it has the shape of a Style
    """Leave the text as it is."""
    return text


def ansi(kind: str, text: str) -> str:
    """Dress the text in the terminal's colours."""
    code = _CODES.get(kind)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def printable(text: str) -> str:
    """The text with its control characters escaped (tabs stay), so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(_escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return char
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02x}"
    if code in _BIDIRECTIONAL or 0xD800 <= code < 0xE000:
        return f"\\u{code:04x}"
    return char


def width(text: str) -> int:
    """How many columns of a terminal the text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, columns: int) -> str:
    """The text, filled up with spaces to so many columns."""
    return text + " " * (columns - width(text))


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, style: Style = plain) -> list[str]:
    """Lines of a table: a header, then the rows, columns two spaces apart."""
    lines = [[Cell(name, "dim") for name in header], *(list(row) for row in rows)]
    columns = [max(width(line[index].text) for line in lines) for index in range(len(header))]
    return [_line(line, columns, style) for line in lines]


def _line(cells: Sequence[Cell], columns: Sequence[int], style: Style) -> str:
    last = max((index for index, cell in enumerate(cells) if cell.text), default=0)
    parts = []
    for index, (cell, column) in enumerate(zip(cells[: last + 1], columns, strict=False)):
        filling = "" if index == last else " " * (column - width(cell.text))
        parts.append((style(cell.kind, cell.text) if cell.kind else cell.text) + filling)
    return "  ".join(parts)


def count(value: float | None) -> str:
    """A whole number with its thousands apart."""
    return NONE if value is None else f"{value:,.0f}"


def seconds(value_s: float | None) -> str:
    """A span of time, as `1.7 s` or `3 min 05 s`."""
    if value_s is None:
        return NONE
    if value_s < 120:
        return f"{value_s:.1f} s"
    minutes, rest_s = divmod(round(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest_s:02} s"


def uptime(value_s: float | None) -> str:
    """For how long something has been running, as `4.2s`, `3m12s`, `2h03m` or `5d04h`; cut off, not rounded."""
    if value_s is None:
        return NONE
    minutes, rest_s = divmod(int(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest_s:02}s" if minutes else f"{int(value_s * 10) / 10:.1f}s"


def rate(per_s: float | None) -> str:
    """Messages a second, as `53/s`."""
    if per_s is None:
        return NONE
    return f"{per_s:.1f}/s" if per_s < 10 else f"{per_s:,.0f}/s"


def percent(share: float | None) -> str:
    """A part of one, as `34 %`."""
    return NONE if share is None else f"{share * 100:.0f} %"


def memory(value_bytes: int | None) -> str:
    """An amount of memory, as `21 MB` (a megabyte is 1,000,000 bytes)."""
    if value_bytes is None:
        return NONE
    if value_bytes < 10_000_000_000:
        return f"{value_bytes / 1e6:,.0f} MB"
    return f"{value_bytes / 1e9:,.1f} GB"


def times(name: str, replicas: int) -> str:
    """A node's name with its replicas, as `worker ×3`."""
    return name if replicas == 1 else f"{name} ×{replicas}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 node`, `8 nodes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def name_list(names: Sequence[str]) -> str:
    """Names in a row; of very many the first and the last."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names):,})"
