"""How large messages may be, what is shared out over several, and what else can be wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
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


def as_many_as_fit(
    count: int, make: Callable[[int], list[bytes]], most_bytes: int
) -> tuple[int, list[bytes]]:
    """How many of `count` items, the first ones, go into one message, and its frames as `make` makes them.

    No frame is larger than `most_bytes`, but where one item alone is: that is for the caller to refuse.
    """
    frames = make(count)
    while count > 1 and (size_bytes := max(map(len, frames))) > most_bytes:
        count = max(1, min(count // 2, count * most_bytes // size_bytes))
        frames = make(count)
    return count, frames


def drain(socket: zmq.Socket[bytes]) -> None:
    """Read the other frames of the message of which one has been read: they are all there."""
    while socket.get(zmq.RCVMORE):
        socket.recv(zmq.NOBLOCK)


def _briefly(item: Any) -> str:
    """The beginning of an item, for an error; its text may be as large as it."""
    if isinstance(item, msgspec.Raw):
        item = bytes(memoryview(item)[:_SHOWN_CHARACTERS])
    text = repr(item[:_SHOWN_CHARACTERS] if isinstance(item, str | bytes) else item)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
