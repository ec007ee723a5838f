"""The gate of a control channel that others can reach: only nodes of the run come in, each under its own name."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import zmq
from zmq.utils import z85

from roles.kit import curve
from roles.kit.guard import Guard, Refusals
from roles.kit.keys import CONTROL, KeyFileError, read_pair, read_public

_DOMAIN = "control channel"


class Gate:
    """Guards one ROUTER that is about to bind. `keys` is the folder of the pattern's keys.

    Raises KeyFileError where the orchestrator's own key is not there.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], keys: Path | None
    ) -> None:
        if keys is None:
            raise KeyFileError("cannot open a control channel that others can reach without keys (use ipc)")
        self.death = ""
        self._keys = keys
        self._list: dict[bytes, str] = {}
        own = read_pair(keys, CONTROL)
        refusals = Refusals(_tell, functools.partial(curve.stranger, keys))
        self._guard = Guard(
            context, {_DOMAIN: self._list}, plain="", refusals=refusals, on_death=self._note_death
        )
        curve.show_out(socket)
        curve.let_in(socket, own.secret, _DOMAIN)
        self._socket = socket

    def bound(self) -> None:
        """Tell from now on of those who are refused."""
        self._guard.watch(self._socket, {self._socket.getsockopt_string(zmq.LAST_ENDPOINT): _DOMAIN})

    def admit(self, node: str) -> None:
        """Let a node's processes in; raises KeyFileError where it has no key."""
        self._list[z85.decode(read_public(self._keys, node))] = node

    def speaks_for_itself(self, frame: zmq.Frame, process: str) -> bool:
        """Whether what came under a process's name has come from its node."""
        return bool(frame.get("User-Id") == process.rpartition("-")[0])

    def close(self) -> None:
        """The context is about to end."""
        self._guard.close()

    def _note_death(self, death: BaseException) -> None:
        self.death = f"{type(death).__name__}: {death}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - whoever runs this has to know
