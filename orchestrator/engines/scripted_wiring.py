"""What is joined to what in a scripted world, by node; worked out once for each plan, since every step asks for it.

In the order of the plan throughout, so that a seed means the same run in every interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestrator.run.plan import BookPlan, Plan

NodePort = tuple[str, str]
"""A node and a port of it: a process that joins has the ends of the others of its node."""


@dataclass(frozen=True, slots=True)
class Joint:
    """One book of the plan: the ports at both sides of it by node, and its processes, each once."""

    senders: tuple[NodePort, ...]
    receivers: tuple[NodePort, ...]
    sending: tuple[str, ...]
    receiving: tuple[str, ...]
    replies: bool


class Wiring:
    """The joints of a plan, and who of its nodes is at them; `node_of` knows each process of it."""

    def __init__(self, plan: Plan, node_of: Callable[[str], str]) -> None:
        self.joints = [_joint(book, node_of) for book in plan.books]
        self._outlets: dict[str, list[Joint]] = {}
        self._inlets: dict[str, set[str]] = {}
        for joint in self.joints:
            for node in {node for node, _ in joint.senders}:
                self._outlets.setdefault(node, []).append(joint)
            for node, port in joint.receivers:
                self._inlets.setdefault(node, set()).add(port)

    def outlets(self, node: str) -> list[Joint]:
        """What it sends into."""
        return self._outlets.get(node, [])

    def inlets(self, node: str) -> set[str]:
        """The ports at which it receives."""
        return self._inlets.get(node, set())


def _joint(book: BookPlan, node_of: Callable[[str], str]) -> Joint:
    def ends(sides: Iterable[tuple[str, str]]) -> tuple[NodePort, ...]:
        return tuple(dict.fromkeys((node_of(name), port) for name, port in sides))

    return Joint(
        senders=ends(book.senders),
        receivers=ends(book.receivers),
        sending=tuple(dict.fromkeys(name for name, _ in book.senders)),
        receiving=tuple(dict.fromkeys(name for name, _ in book.receivers)),
        replies=book.replies,
    )
