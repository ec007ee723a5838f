"""Doors under CURVE that are seen from both sides: a socket of each kind that binds, and the control channel."""

from __future__ import annotations

import functools
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import zmq

from chaos.curves import (
    DEADLINE_MS,
    FAILED,
    INTRUDERS,
    LOOPBACK,
    PARTNERS,
    as_node,
    is_shown_out,
    make_keys,
    port_of,
    recorded_handshake,
    replay,
    visiting,
)
from chaos.harness import wait_until
from orchestrator.run.control import ControlChannel, UnguardedError
from roles.kit import messages
from roles.kit.curve import Doors
from roles.kit.keys import CONTROL
from roles.kit.spec import Attachment, PortSpec

WRONG_ORDER = b"an order that it cannot carry out"
"""What makes an end of an authenticator."""

REPLAYED = "replayed handshake"


class Door(ABC):
    """A socket that is bound under CURVE, as `server`, for `node`; there is a key of `other` too."""

    server = "server"

    def __init__(self, folder: Path) -> None:
        self.keys = make_keys(folder / "keys", self.server, "node", "other")

    @property
    @abstractmethod
    def socket(self) -> zmq.Socket[bytes]:
        """The socket."""

    @property
    @abstractmethod
    def partner(self) -> str:
        """The kind of socket that comes."""

    @property
    def port(self) -> int:
        """Where it is bound."""
        return port_of(self.socket)

    @property
    def address(self) -> str:
        """Where to come."""
        return f"tcp://127.0.0.1:{self.port}"

    @abstractmethod
    def serves_the_good(self) -> None:
        """Whoever should be there is served, and of others nothing has come; AssertionError otherwise."""

    @abstractmethod
    def end_authenticator(self) -> None:
        """Make an end of the authenticator, and wait for it."""

    @abstractmethod
    def lets_nothing_in(self) -> None:
        """Nothing is there of anybody; AssertionError otherwise."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""

    def visit(self, who: str) -> None:
        """One of `TOLD` comes and is shown out; AssertionError otherwise."""
        if who == REPLAYED:
            replay(self.port, recorded_handshake(self.keys, "node", self.server))
        else:
            prepare = INTRUDERS[who](self.keys, self.server, "node", "other")
            is_shown_out(self.address, self.partner, prepare)


class Bound(Door):
    """A port's socket, of any kind."""

    def __init__(self, folder: Path, kind: str, address: str = LOOPBACK) -> None:
        super().__init__(folder)
        self.kind = kind
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        attachment = Attachment(endpoint="tasks", mode="bind", address=LOOPBACK, curve=("node",))
        self.doors = Doors(self.context, self.keys, "server", [attachment], plain="topology")
        self._socket = self.context.socket(getattr(zmq, kind))
        spec = PortSpec(name="tasks", kind=kind, attachments=(attachment,))
        self.doors.prepare(self._socket, spec)
        self.doors.let_in(self._socket, "tasks")
        self._socket.bind(address)
        self.doors.watch(self._socket, {self._socket.getsockopt_string(zmq.LAST_ENDPOINT): "tasks"})

    @property
    def socket(self) -> zmq.Socket[bytes]:
        return self._socket

    @property
    def partner(self) -> str:
        return PARTNERS[self.kind]

    def serves_the_good(self) -> None:
        with visiting(self.address, self.partner, as_node(self.keys, "node", "server")) as (good, monitor):
            assert monitor.poll(DEADLINE_MS), "nothing became of its handshake"
            event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
            assert not event & FAILED, f"it is not let in: {event}"
            if self.kind in ("PULL", "REP"):
                assert self.socket.poll(DEADLINE_MS), "its message does not come"
                frame = self.socket.recv(copy=False)
                assert (frame.bytes, frame.get("User-Id")) == (b"let me in", "node")
                self.has_nothing()
            if self.kind == "REP":
                self.socket.send(b"welcome")
            if self.kind == "PUSH":
                self.socket.send(b"welcome")
            if self.kind == "PUB":
                wait_until(lambda: self.socket.send(b"welcome") or good.poll(10), "the update")
            if self.kind != "PULL":
                assert good.poll(DEADLINE_MS), "nothing comes to it"
                assert good.recv() == b"welcome"

    def has_nothing(self) -> None:
        """Of nobody a message waits; AssertionError otherwise."""
        assert self.kind in ("PUSH", "PUB") or not self.socket.poll(0), "somebody else's message"

    def end_authenticator(self) -> None:
        """The process that it guards would end with it; this one goes on."""
        left = threading.Event()
        guard: Any = self.doors._guard
        with mock.patch.object(os, "_exit", lambda code: left.set() if code == 1 else None):
            guard._ordering.send(WRONG_ORDER)
            assert left.wait(DEADLINE_MS / 1000), "its process would go on"

    def lets_nothing_in(self) -> None:
        self.has_nothing()

    def close(self) -> None:
        self.doors.close()
        self.context.destroy(linger=0)


class Control(Door):
    """A control channel that others can reach."""

    server = CONTROL

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.channel = ControlChannel(LOOPBACK, keys=self.keys)
        self.channel.admit("node")

    @property
    def socket(self) -> zmq.Socket[bytes]:
        return self.channel.socket

    @property
    def partner(self) -> str:
        return "DEALER"

    def serves_the_good(self) -> None:
        """Its first words, which are no message, and its Hello; nothing of anybody else."""

        def prepare(one: zmq.Socket[bytes]) -> None:
            as_node(self.keys, "node", CONTROL)(one)
            one.set(zmq.ROUTING_ID, b"node-1/0")

        with visiting(self.address, self.partner, prepare) as (good, _):
            good.send(messages.encode(messages.Hello(pid=1)))
            found: list[tuple[str, int, messages.Up]] = []

            def hears() -> bool:
                found.extend(self.channel.hear())
                return len(found) >= 2

            wait_until(hears, "two messages")
            assert [one[:2] for one in found] == [("node-1", 0)] * 2, f"somebody else is heard: {found}"
            assert isinstance(found[0][2], messages.Failed), found
            assert found[1][2] == messages.Hello(pid=1), found
            assert self.channel.tell("node-1", 0, messages.Go()), "it cannot hear"
            assert good.poll(DEADLINE_MS), "it hears nothing"

    def end_authenticator(self) -> None:
        gate: Any = self.channel._gate
        gate._guard._ordering.send(WRONG_ORDER)
        wait_until(lambda: gate.death, "the end of the authenticator")

    def lets_nothing_in(self) -> None:
        assert not self.socket.poll(0), "somebody's message"
        try:
            self.channel.hear()
        except UnguardedError:
            return
        raise AssertionError("it goes on without an authenticator")

    def close(self) -> None:
        self.channel.close()


DOORS: dict[str, Callable[[Path], Door]] = {
    **{kind: functools.partial(Bound, kind=kind) for kind in PARTNERS if kind != "ROUTER"},
    "control": Control,
}
"""By name, how one is made in a folder."""
