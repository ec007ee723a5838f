"""The orchestrator's end of the control channel: one ROUTER for all processes of a run."""

from __future__ import annotations

import msgspec
import zmq

from roles.kit import messages


class ControlChannel:
    """Hears and tells processes by name and incarnation. `address` is a ZeroMQ address to bind."""

    def __init__(self, address: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.set_hwm(0)
        # Whoever comes under a name that another still holds is the later one: the other has been killed.
        self.socket.set(zmq.ROUTER_HANDOVER, 1)
        self.socket.set(zmq.ROUTER_MANDATORY, 1)
        self.socket.set(zmq.BACKLOG, 4096)
        self.socket.bind(address)

    def hear(self) -> list[tuple[str, int, messages.Up]]:
        """All that has been said since: process, incarnation, message. What is no control message is dropped."""
        heard: list[tuple[str, int, messages.Up]] = []
        while True:
            try:
                identity, frame = self.socket.recv_multipart(zmq.NOBLOCK)
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
        self.context.destroy(linger=0)
