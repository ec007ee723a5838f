"""What became of an attempt on a raw socket, as a word that `expect` can name."""

from __future__ import annotations

from collections.abc import Callable

import zmq

DONE = "done"
PATIENCE_MS = 20_000
"""How long a raw socket waits for what must come; a slow machine is not what is being measured."""


def outcome(attempt: Callable[[], object]) -> str:
    """The name of the error that ZeroMQ raises (`EFSM`), or `done` where it raises none."""
    try:
        attempt()
    except zmq.ZMQError as error:
        return zmq.Errno(error.errno or 0).name
    return DONE


def receive(socket: zmq.Socket[bytes]) -> str:
    """The next message of a raw socket as text; raises TimeoutError where none comes."""
    if not socket.poll(PATIENCE_MS):
        raise TimeoutError(f"cannot go on: nothing came within {PATIENCE_MS / 1000:.0f} s")
    return socket.recv().decode()
