"""The plan as a run directory keeps it: what is to run, and after a change what then is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.run.plan import Plan

PLAN = "plan.json"


class _PlanLines(msgspec.Struct):
    """Of a plan's record, where its pattern stands in the file."""

    lines: dict[str, int] = {}


def keep_plan(run_dir: Path, plan: Plan) -> None:
    """Write the plan in one step; raises OSError where that cannot be done."""
    fresh = run_dir / f".{PLAN}"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(plan, enc_hook=str), indent=2) + b"\n")
    fresh.replace(run_dir / PLAN)


def kept_plan(run_dir: Path) -> Plan:
    """The plan that is kept there; raises OSError or ValueError where none can be read."""
    return msgspec.json.decode((run_dir / PLAN).read_bytes(), type=Plan)


def first_line(run_dir: Path) -> int:
    """Where the run's pattern stands in the file, as its plan tells; 0 where it does not."""
    try:
        plan = msgspec.json.decode((run_dir / PLAN).read_bytes(), type=_PlanLines)
    except (OSError, msgspec.MsgspecError):
        return 0
    return min(plan.lines.values(), default=0)
