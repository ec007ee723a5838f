"""The table of `ps`: one row a process, as it is at the moment. Values in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.cells import NONE, Cell, Style, count, plain, rate, table, uptime
from orchestrator.run.live import Live
from orchestrator.run.requests import Answer, ProcessState

_HEADER = ("PROCESS", "STATE", "PID", "UP", "RESTARTS", "RECEIVED", "SENT", "RATE/s")
_KINDS = {
    "running": "good",
    "finished": "good",
    "paused": "warn",
    "stopped": "bad",
    "leaving": "warn",
    "restarting": "warn",
    "failed": "bad",
    "killed": "bad",
}
_OUT = ("gone", "called off")
"""Who is in these states has left the run, or never came, and will not come."""


def state_lines(
    states: Iterable[ProcessState], rates: Mapping[str, float | None], *, style: Style = plain
) -> list[str]:
    """A row a process, those of a node together; who has left the run stands last."""
    rows = [_row(state, rates.get(state.name)) for state in _in_order(list(states))]
    return table(_HEADER, rows, style=style)


def heading(live: Live, phase: str, *, style: Style = plain) -> str:
    """Which run it is, and how."""
    kind = "service" if live.service else "run"
    return f"{style('bold', live.pattern)}: {kind}, {live.engine}, {phase}"


def rates(before: Answer, now: Answer) -> dict[str, float | None]:
    """Messages a second of each process, between two looks: received, or sent where it only sends.

    None where nobody counts, or who is not running has counted nothing.
    """
    span_s = now.at_s - before.at_s
    earlier = {state.name: _counted(state) for state in before.processes}
    return {state.name: _rate(earlier.get(state.name), state, span_s) for state in now.processes}


def _rate(earlier: int | None, state: ProcessState, span_s: float) -> float | None:
    later = _counted(state)
    if earlier is None or later is None or span_s <= 0:
        return None
    return None if state.pid is None and later == earlier else max(0, later - earlier) / span_s


def _counted(state: ProcessState) -> int | None:
    return state.sent if state.received is None else state.received


def _in_order(states: Sequence[ProcessState]) -> list[ProcessState]:
    nodes = {node: place for place, node in enumerate(dict.fromkeys(state.node for state in states))}
    return sorted(states, key=lambda state: (state.state in _OUT, nodes[state.node]))


def _row(state: ProcessState, rate_per_s: float | None) -> list[Cell]:
    texts = (
        NONE if state.pid is None else str(state.pid),
        uptime(state.since_s),
        count(state.restarts),
        count(state.received),
        count(state.sent),
        _rate_text(rate_per_s),
    )
    if state.state in _OUT:
        return [Cell(text, "dim") for text in (state.name, state.state, *texts)]
    return [Cell(state.name, "bold"), Cell(state.state, _KINDS.get(state.state, "")), *map(Cell, texts)]


def _rate_text(per_s: float | None) -> str:
    """As elsewhere, but the header has the unit, and nothing is nothing."""
    return rate(per_s).removesuffix("/s") if per_s != 0 else "0"
