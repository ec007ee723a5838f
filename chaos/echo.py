"""Roles and work for the gates: what comes goes back."""

from __future__ import annotations

from typing import Any

import msgspec

from roles.kit import Dealer, Push, Role, Router


def same(item: Any) -> Any:  # noqa: ANN401 - items are anything
    """The item itself."""
    return item


def shown(item: Any) -> Any:  # noqa: ANN401 - items are anything
    """The item itself where it can be shown as JSON, else what it looks like."""
    try:
        msgspec.json.encode(item)
    except (TypeError, ValueError):
        return repr(item)
    return item


class Responder(Role):
    """Sends each item back to where it came from."""

    peers = Router()

    def run(self) -> None:
        """Take and send back until there is no more."""
        for envelope, item in self.peers:
            self.peers.send(item, to=envelope)


class Listener(Role):
    """Passes on what comes to a DEALER."""

    peers = Dealer()
    heard = Push()

    def run(self) -> None:
        """Take and pass on until there is no more."""
        for item in self.peers:
            self.heard.send(item)
