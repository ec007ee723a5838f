"""The table in docs/reliability.md. Pure: values in, text out.

A row belongs to the gate that its first cell names, so that a run of some gates leaves the others' rows as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaos.gate import Gate, Tally

BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"
_HEAD = "| gate | what was tried | how often | must hold | went wrong | note | seed |"
_RULE = "| --- | --- | --- | --- | --- | --- | --- |"


def row(gate: Gate, tally: Tally, seed: int) -> str:
    """A gate's line of the table."""
    cells = (
        f"`{gate.name}`",
        gate.title,
        f"{tally.tried:,} {gate.unit}",
        gate.must,
        str(tally.lost),
        tally.told,
        str(seed),
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def written_anew(page: str, rows: Mapping[str, str], order: Sequence[str]) -> str:
    """The page with these rows, by gate, in place of its own; raises ValueError where it has no table."""
    head, found, rest = page.partition(BEGIN)
    table, also_found, tail = rest.partition(END)
    if not found or not also_found:
        raise ValueError(f"cannot write the table: the page lacks {BEGIN} or {END}")
    kept = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    all_rows = kept | dict(rows)
    names = sorted(all_rows, key=lambda name: order.index(name) if name in order else len(order))
    lines = [BEGIN, _HEAD, _RULE, *(all_rows[name] for name in names), END]
    return f"{head}{chr(10).join(lines)}{tail}"
