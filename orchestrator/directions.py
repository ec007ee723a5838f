"""Which way the messages of each kind of socket go."""

from __future__ import annotations

_SENDERS = frozenset({"PUSH", "PUB", "XPUB"})
_RECEIVERS = frozenset({"PULL", "SUB", "XSUB"})


def counts_sent(kind: str) -> bool:
    """True where a socket of this kind sends messages that are counted."""
    return kind.upper() not in _RECEIVERS


def counts_received(kind: str) -> bool:
    """True where a socket of this kind receives messages that are counted."""
    return kind.upper() not in _SENDERS
