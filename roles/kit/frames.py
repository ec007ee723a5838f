"""How large messages may be, what is shared out over several, and what else can be wrong with one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

import zmq

from roles.kit.spec import PortSpec
from roles.kit.telling import briefly

_SHOWN_CHARACTERS: Final = 60


class Unsendable(ValueError):  # noqa: N818 - what the item is, not what went wrong
    """An item cannot be sent, and no other is to blame."""


class TooLarge(Unsendable):
    """An item makes a larger message than its endpoint allows. Whoever received it would break off the connection."""


def refuse_larger(spec: PortSpec, size_bytes: int, item: Any) -> None:
    """Raise TooLarge where a message of this size is more than the endpoint allows."""
    if size_bytes > spec.max_message_bytes:
        where = " and ".join(sorted({one.endpoint for one in spec.attachments}))
        raise TooLarge(
            f"cannot send {briefly(item, _SHOWN_CHARACTERS)}: it makes a message of {size_bytes:,} bytes, "
            f"and '{where}' allows {spec.max_message_bytes:,} "
            "(send less at a time, or write a larger max_message at the endpoint)"
        )


def joined(join: Callable[[list[Any]], bytes], items: list[Any]) -> bytes:
    """The items in one payload; raises Unsendable for the first one that cannot be packed."""
    with contextlib.suppress(Exception):  # not `except`: what follows did not happen during this error
        return join(items)
    for item in items:
        try:
            join([item])
        except Exception as error:
            text = f"cannot send {briefly(item, _SHOWN_CHARACTERS)}: {type(error).__name__}: {error}"
            raise Unsendable(text) from error
    return join(items)


def as_many_as_fit(
    count: int, make: Callable[[int], list[bytes]], most_bytes: int
) -> tuple[int, list[bytes]]:
    """How many of `count` items, the first ones, go into one message, and its frames as `make` makes them.

    No frame is larger than `most_bytes`, but where one item alone is: that is for the caller to refuse. Where `make`
    raises Unsendable for several it is asked for fewer, so that it raises for the first one alone.
    """
    while True:
        try:
            frames = make(count)
        except Unsendable:
            if count == 1:
                raise
            count //= 2
            continue
        size_bytes = max(map(len, frames))
        if count == 1 or size_bytes <= most_bytes:
            return count, frames
        count = max(1, min(count // 2, count * most_bytes // size_bytes))


def drain(socket: zmq.Socket[bytes]) -> None:
    """Read the other frames of the message of which one has been read: they are all there."""
    while socket.get(zmq.RCVMORE):
        socket.recv(zmq.NOBLOCK)
