"""The orchestrator's end of the control channel: one ROUTER for all processes of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import zmq

from roles.kit import messages

if TYPE_CHECKING:
    from orchestrator.run.gate import Gate


class UnguardedError(Exception):
    """Nobody watches any more who comes in at the control channel; the run must not go on."""


def is_private(address: str) -> bool:
    """Whether nobody but this user reaches a control channel there: its socket lies in a directory of mode 0700."""
    return address.startswith("ipc://")


class ControlChannel:
    """Hears and tells processes by name and incarnation. `address` is a ZeroMQ address to bind.

    One that others than this user can reach, which is any but ipc in a private directory, is under CURVE: the key
    `run-coordinator` and those of the nodes lie in `keys`, nodes come in once they are admitted, and each speaks for
    its own processes alone. Raises KeyFileError where there are no such keys.
    """

    def __init__(self, address: str, *, keys: Path | None = None) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self._gate: Gate | None = None
        if not is_private(address):
            from orchestrator.run.gate import Gate  # noqa: PLC0415 - runs on one machine have none

            try:
                self._gate = Gate(self.context, self.socket, keys)
            except BaseException:
                self.context.destroy(linger=0)
                raise
        self.socket.set_hwm(0)
        # Whoever comes under a name that another still holds is the later one: the other has been killed.
        self.socket.set(zmq.ROUTER_HANDOVER, 1)
        self.socket.set(zmq.ROUTER_MANDATORY, 1)
        self.socket.set(zmq.BACKLOG, 4096)
        self.socket.bind(address)
        if self._gate is not None:
            self._gate.bound()

    @property
    def is_guarded(self) -> bool:
        """Whether every process needs a key to come in."""
        return self._gate is not None

    def admit(self, node: str) -> None:
        """Let a node's processes in; raises KeyFileError where it has no key."""
        if self._gate is not None:
            self._gate.admit(node)

    def hear(self) -> list[tuple[str, int, messages.Up]]:
        """All that has been said since: process, incarnation, message. What is no control message is dropped.

        Raises UnguardedError where the authenticator has ended.
        """
        if self._gate is not None and self._gate.death:
            raise UnguardedError(
                f"cannot go on: the control channel's authenticator has ended ({self._gate.death})"
            )
        heard: list[tuple[str, int, messages.Up]] = []
        while True:
            try:
                identity, frame = self._receive()
            except zmq.Again:
                return heard
            except ValueError:
                continue
            name, _, incarnation = identity.decode(errors="replace").rpartition("/")
            if not incarnation.isdecimal():
                continue
            message: messages.Up
            try:
                message = messages.decode_up(frame)
            except (ValueError, msgspec.MsgspecError) as error:
                message = messages.Failed(kind="raised", text=f"cannot be understood: {error}")
            heard.append((name, int(incarnation), message))

    def _receive(self) -> list[bytes]:
        """The frames of the next message; none where its sender speaks in another node's name."""
        if self._gate is None:
            return self.socket.recv_multipart(zmq.NOBLOCK)
        frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        identity = frames[0].bytes.decode(errors="replace")
        known = self._gate.speaks_for_itself(frames[-1], identity.rpartition("/")[0])
        return [frame.bytes for frame in frames] if known else []

    def tell(self, process: str, incarnation: int, message: messages.Down) -> bool:
        """Say something to a process; False where it cannot hear: it is no more, or not there yet."""
        try:
            self.socket.send_multipart([f"{process}/{incarnation}".encode(), messages.encode(message)])
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def close(self) -> None:
        """Forget what has not been heard, and close."""
        if self._gate is not None:
            self._gate.close()
        self.context.destroy(linger=0)
