"""The launch order as lines to read. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.cells import pad, times, width
from orchestrator.run.outlines import StageOutline


def stage_lines(stages: Iterable[StageOutline]) -> list[str]:
    """One line a node in launch order: its stage, name and replicas, what it does, and why it comes here."""
    shown = list(stages)
    names = [times(name, replicas) for stage in shown for name, replicas, _ in stage.nodes]
    column = max(map(width, names), default=0)
    lines = []
    for number, stage in enumerate(shown, start=1):
        for index, (name, replicas, does) in enumerate(stage.nodes):
            why = stage.why if index == len(stage.nodes) - 1 else ""
            told = "; ".join(part for part in (does, why) if part)
            lead = f"{number}" if index == 0 else ""
            lines.append(
                f"  {lead:<{len(str(len(shown)))}} {pad(times(name, replicas), column)}  {told}".rstrip()
            )
    return lines
