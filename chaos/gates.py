"""All gates, in the order in which the page tells of them. A new one is added here."""

from __future__ import annotations

from chaos import failpoints, feeds, kills, orphans, services, strangers, topologies, wires
from chaos.gate import Gate

GATES: tuple[Gate, ...] = (
    topologies.GATE,
    wires.GATE,
    orphans.GATE,
    kills.GATE,
    services.GATE,
    failpoints.GATE,
    strangers.GATE,
    feeds.GATE,
)

FUZZED = ("topologies", "wires")
"""Those that `make fuzz` goes round: what comes from outside, made by chance."""
