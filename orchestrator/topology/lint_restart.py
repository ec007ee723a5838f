"""Lint of restarts: sources that begin again, by a policy or a fault, and limits that nothing can reach."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.delivery import reaches
from orchestrator.topology.model import Restart
from orchestrator.topology.tree import Finding, Path
from orchestrator.topology.view import View
from orchestrator.topology.zeromq import SENDS
from roles.kit.spec import LONGEST_BACKOFF_S


def restarted_sources(view: View) -> Iterator[Finding]:
    """Sources with a restart policy."""
    for name, node in view.nodes():
        if node.restart.policy != "no" and view.is_source(name) and not goes_on(view, name):
            yield starts_over(name, view.node_path(name, "restart", "policy"))


def goes_on(view: View, name: str) -> bool:
    """Whether a source that is restarted knows what was done for good: all that it sends is acknowledged."""
    acknowledged = {
        wire
        for reach in reaches(view.pattern.endpoints, view.wires)
        for wire in reach.gives
        if wire.node == name
    }
    return bool(acknowledged) and all(
        wire in acknowledged for wire in view.wires if wire.node == name and wire.kind in SENDS
    )


def starts_over(name: str, path: Path) -> Finding:
    """The warning that a restarted source, a node or one of its processes, sends all of its items again."""
    return Finding(
        code="starts-over",
        text=f"'{name}' starts over: a source that is restarted begins with its first item",
        path=path,
        hint="if that is meant, allow: [starts-over]",
        severity="warning",
    )


def endless_restarts(view: View) -> Iterator[Finding]:
    """Policies whose delays are so long that no process is ever restarted too often."""
    for name, node in view.nodes():
        if node.restart.policy == "no" or not _is_endless(node.restart):
            continue
        text = f"'{name}' may never end: the delays of 'max' restarts do not fit into 'within', so it is never given up"
        hint = "write a smaller max, a longer within or a shorter backoff"
        path = view.node_path(name, "restart")
        yield Finding(code="never-ends", text=text, path=path, hint=hint, severity="warning", on="key")


def _is_endless(restart: Restart) -> bool:
    """Whether the limit is out of reach even of a process that ends as soon as it is started."""
    delay_s, waited_s, left = restart.backoff_s, 0.0, restart.most
    while left and 0 < delay_s < LONGEST_BACKOFF_S:
        waited_s += delay_s
        delay_s = min(2 * delay_s, LONGEST_BACKOFF_S)
        left -= 1
    return waited_s + left * delay_s >= restart.within_s


RULES = (restarted_sources, endless_restarts)
