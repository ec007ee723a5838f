"""Whom a request means: a process by its own name, or all of a node by the node's."""

from __future__ import annotations

from orchestrator.run.plan import Plan
from orchestrator.topology.suggest import did_you_mean_or_list


def to_restart(plan: Plan, target: str) -> tuple[str, ...]:
    """The processes that are to start again.

    Raises ValueError, in words for the user, where there are none, or they cannot.
    """
    found = [spec for spec in plan.processes if target in (spec.name, spec.node)]
    if not found:
        nodes = dict.fromkeys(spec.node for spec in plan.processes)
        hint = did_you_mean_or_list(target, nodes, "nodes")
        raise ValueError(f"cannot restart '{target}': there is no such node or process ({hint})")
    if any(spec.external for spec in found):
        raise ValueError(f"cannot restart '{target}': it is started by somebody else")
    return tuple(spec.name for spec in found)
