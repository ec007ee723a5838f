"""Acknowledged delivery: from where to where an endpoint's `delivery: at_least_once` reaches. Pure.

It reaches from the outlets that give tasks through the workers that take them to the inlet that keeps their results. A
worker without an outlet keeps its tasks itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.topology.model import Endpoint
from orchestrator.topology.wiring import Wire
from orchestrator.topology.zeromq import RECEIVES

Part = Literal["give", "take", "pass", "keep"]
ACKNOWLEDGED = "at_least_once"
DEFAULT_WINDOW = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The wires of one delivery, by their parts. `results` are the endpoints at which results are passed on."""

    tasks: str
    window: int
    gives: tuple[Wire, ...]
    takes: tuple[Wire, ...]
    passes: tuple[Wire, ...]
    keeps: tuple[Wire, ...]

    @property
    def results(self) -> tuple[str, ...]:
        """The endpoints at which results are passed on."""
        return tuple(dict.fromkeys(wire.endpoint for wire in self.passes))

    @property
    def parts(self) -> dict[Wire, Part]:
        """The part of each wire, as `roles.kit.spec.PortSpec` names it."""
        named: tuple[tuple[Part, tuple[Wire, ...]], ...] = (
            ("give", self.gives),
            ("take", self.takes),
            ("pass", self.passes),
            ("keep", self.keeps),
        )
        return {wire: part for part, wires in named for wire in wires}


def reaches(endpoints: Mapping[str, Endpoint], wires: Iterable[Wire]) -> list[Reach]:
    """The deliveries of a pattern, one for each endpoint of tasks. What does not fit is the lint's to tell."""
    wires = list(wires)
    return [
        _reach(name, endpoint, wires)
        for name, endpoint in endpoints.items()
        if endpoint.delivery == ACKNOWLEDGED and gives_tasks(name, wires)
    ]


def gives_tasks(endpoint: str, wires: Iterable[Wire]) -> bool:
    """Whether somebody who takes nothing in pushes at an endpoint; elsewhere results go, if anything does."""
    wires = list(wires)
    taking = {wire.node for wire in wires if wire.kind in RECEIVES}
    return any(
        wire.endpoint == endpoint and wire.kind == "PUSH" and wire.node not in taking for wire in wires
    )


def _reach(tasks: str, endpoint: Endpoint, wires: list[Wire]) -> Reach:
    takes = tuple(_at(tasks, "PULL", wires))
    workers = {wire.node for wire in takes}
    passes = tuple(wire for wire in wires if wire.kind == "PUSH" and wire.node in workers)
    results = {wire.endpoint for wire in passes}
    return Reach(
        tasks=tasks,
        window=endpoint.window or DEFAULT_WINDOW,
        gives=tuple(_at(tasks, "PUSH", wires)),
        takes=takes,
        passes=passes,
        keeps=tuple(wire for name in sorted(results) for wire in _at(name, "PULL", wires)),
    )


def _at(endpoint: str, kind: str, wires: Iterable[Wire]) -> Iterator[Wire]:
    return (wire for wire in wires if (wire.endpoint, wire.kind) == (endpoint, kind))
