"""What can be wrong with a message: too large to send, or more frames than are meant."""

from __future__ import annotations

from typing import Any, Final

import zmq

from roles.kit.spec import PortSpec

_SHOWN_CHARACTERS: Final = 60


class TooLarge(ValueError):  # noqa: N818 - what the item is, not what went wrong
    """An item makes a larger message than its endpoint allows. Whoever received it would break off the connection."""


def refuse_larger(spec: PortSpec, size_bytes: int, item: Any) -> None:
    """Raise TooLarge where a message of this size is more than the endpoint allows."""
    if size_bytes > spec.max_message_bytes:
        where = " and ".join(sorted({one.endpoint for one in spec.attachments}))
        raise TooLarge(
            f"cannot send {_briefly(item)}: it makes a message of {size_bytes:,} bytes, and '{where}' allows "
            f"{spec.max_message_bytes:,} (send less at a time, or write a larger max_message at the endpoint)"
        )


def drain(socket: zmq.Socket[bytes]) -> None:
    """Read the other frames of the message of which one has been read: they are all there."""
    while socket.get(zmq.RCVMORE):
        socket.recv(zmq.NOBLOCK)


def _briefly(item: Any) -> str:
    """The beginning of an item, for an error; its text may be as large as it."""
    text = repr(item[:_SHOWN_CHARACTERS] if isinstance(item, str | bytes) else item)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
