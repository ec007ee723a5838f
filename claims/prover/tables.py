"""Rows -> the table, as text for a terminal and as Markdown. Pure."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from prover.judge import Row

_CLAIM_COLUMNS = 44
_MEASURED_COLUMNS = 54
_HEAD = ("#", "CLAIM", "MEASURED", "VERDICT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """On what the claims were run, as far as it bears on the numbers."""

    seed: int
    python: str
    pyzmq: str
    libzmq: str
    cores: int | None

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, Python {self.python}, pyzmq {self.pyzmq}, libzmq {self.libzmq}, "
            f"{self.cores or 'an unknown number of'} {'core' if self.cores == 1 else 'cores'}"
        )


def line(row: Row, took_s: float) -> str:
    """One claim as it ends, with the reasons below it where it is not shown."""
    head = f"{row.number:>2}  {row.verdict:<9}  {row.file}: {row.measured} ({took_s:.1f} s)"
    return "\n".join([head, *(f"      {fault}" for fault in row.faults)])


def table(rows: Sequence[Row]) -> str:
    """Claim, measured, verdict: as a text in columns."""
    cells = [
        (
            str(row.number),
            _wrapped(row.claim, _CLAIM_COLUMNS),
            _wrapped(row.measured, _MEASURED_COLUMNS),
            row.verdict,
        )
        for row in rows
    ]
    lines = [_columns(*_HEAD)]
    for number, claim, measured, verdict in cells:
        lines += [
            _columns(*parts)
            for parts in itertools.zip_longest([number], claim, measured, [verdict], fillvalue="")
        ]
    return "\n".join(lines)


def sums(rows: Sequence[Row], took_s: float) -> str:
    """How many claims are shown, and which are not."""
    shown = sum(row.shown for row in rows)
    rest = ", ".join(str(row.number) for row in rows if not row.shown)
    return f"{shown} of {len(rows)} claims shown in {took_s:.0f} s" + (f"; not shown: {rest}" if rest else "")


def markdown(rows: Sequence[Row], conditions: Conditions) -> str:
    """The table as a page that links each claim's file."""
    body = [
        f"| [{row.number}]({row.file}) | {_cell(row.claim)} | {_cell(row.measured)} | {_cell(_verdict(row))} |"
        for row in rows
    ]
    return "\n".join(
        [
            "# What the ZeroMQ guide claims, measured",
            "",
            "Written by `make claims`, which runs each file, judges what it saw and fills in what was measured.",
            "What a run must show stands in the file, under `expect`; what is asked across patterns and runs, in",
            "[claims.yaml](claims.yaml).",
            "",
            "| # | claim | measured | verdict |",
            "| --- | --- | --- | --- |",
            *body,
            "",
            f"With {conditions}.",
            "",
        ]
    )


def _verdict(row: Row) -> str:
    return row.verdict if row.shown else f"{row.verdict}: {'; '.join(row.faults)}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _wrapped(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns) or [""]


def _columns(number: str, claim: str, measured: str, verdict: str) -> str:
    return f"{number:>2}  {claim:<{_CLAIM_COLUMNS}}  {measured:<{_MEASURED_COLUMNS}}  {verdict}".rstrip()
