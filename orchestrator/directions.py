"""Which way the messages of each kind of socket go."""

from __future__ import annotations

from orchestrator.topology.zeromq import RECEIVES, SENDS


def counts_sent(kind: str) -> bool:
    """True where a socket of this kind sends messages that are counted."""
    return kind.upper() not in RECEIVES


def counts_received(kind: str) -> bool:
    """True where a socket of this kind receives messages that are counted."""
    return kind.upper() not in SENDS
