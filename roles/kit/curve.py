"""CURVE at the sockets of one process: its own keys, whom each endpoint lets in, and whose key it asks for.

libzmq takes a socket's options at each bind and connect, so that every endpoint of a socket has its own.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import zmq
from zmq.utils import z85

from roles.kit import keys
from roles.kit.calls import HaltError
from roles.kit.guard import OUT_OF_TIME, Guard, Refusals, place_of
from roles.kit.spec import Attachment, PortSpec

HANDSHAKE_IVL_MS, HANDSHAKE_OF_EACH_MS = 2000, 10
"""Who comes to a door and says nothing is shown out after that; libzmq's own 30 s are long for whoever opens many.
Where many are awaited they come at once, and each takes a millisecond or, on a busy machine, several."""

RECONNECT_IVL_MS, RECONNECT_IVL_MAX_MS = 250, 2000
"""libzmq doubles its pause where nobody listens; after a handshake that failed it tries again after the first one."""

QUICK_FAILURES = 5
"""So often may a connection end in the middle of its handshake, as when a process dies, before that is a fault."""

_NOT_ON_THE_LIST = "'{node}' does not let in the key of '{own}' (were keys made anew? Then start both again)"
_NO_CURVE = "who listens there speaks no CURVE (is it another program?)"
_NOT_THE_OWNER = (
    "who listens there does not have the key of '{node}' (is it another program, or has it older keys?)"
)


class AdmissionError(HaltError):
    """A connection that will never be: the other side does not let us in, or is not who it should be."""


class Doors:
    """What a process needs to bind and connect under CURVE; made before its first socket binds.

    `folder` holds the keys. Raises keys.KeyFileError where one cannot be used.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        folder: Path,
        node: str,
        attachments: Iterable[Attachment],
        *,
        plain: str,
    ) -> None:
        self._folder = folder
        self._node = node
        self._plain = plain
        self._own = keys.read_pair(folder, node)
        wanted = [one for one in attachments if one.curve is not None]
        self._keys = {name: keys.read_public(folder, name) for one in wanted for name in one.curve or ()}
        lists = {
            one.endpoint: {z85.decode(self._keys[name]): name for name in one.curve or ()}
            for one in wanted
            if one.mode == "bind"
        }
        self._refusals = Refusals(_tell, functools.partial(stranger, folder))
        self._guard: Guard | None = None
        if lists:
            on_death = functools.partial(_leave, sorted(lists))
            self._guard = Guard(context, lists, plain=plain, refusals=self._refusals, on_death=on_death)
        self._guarded: dict[str, str] = {}
        self._asked: dict[str, tuple[str, str]] = {}
        self._failures: dict[str, int] = {}

    def prepare(self, socket: zmq.Socket[bytes], port: PortSpec) -> None:
        """Set what holds for a socket as a whole; a topology's `options` come later and count more.

        Reconnecting stays as quick as it is elsewhere: who takes longer than `settle` to find a receiver that was
        started again counts as gone, and what it holds as lost.
        """
        if any(one.mode == "bind" for one in port.attachments):
            show_out(socket, peers=sum(one.peers for one in port.attachments))

    def opened(self, endpoints: Mapping[str, str]) -> None:
        """Note what is bound: endpoints by their addresses."""
        self._guarded |= endpoints

    def expect(self, port: PortSpec, addresses: Mapping[str, list[str]], nodes: Mapping[str, str]) -> None:
        """Note who must be at a port's addresses; raises AdmissionError where nobody has said so."""
        for one in port.attachments:
            if one.mode != "connect" or one.curve is None:
                continue
            for address in addresses[one.endpoint]:
                node = nodes.get(address, "")
                if node not in one.curve:
                    raise AdmissionError(
                        f"cannot connect to '{one.endpoint}' at {address}: nobody knows who is there"
                    )
                self._asked[address] = (one.endpoint, node)

    def let_in(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        """What binds next lets in those on the endpoint's list, and nobody where no list can be asked."""
        let_in(socket, self._own.secret, endpoint)

    def go_in(self, socket: zmq.Socket[bytes], node: str) -> None:
        """What connects next does so as this node, and to that one only."""
        go_in(socket, self._own, self._keys[node])

    def stay_plain(self, socket: zmq.Socket[bytes]) -> None:
        """What binds or connects next asks for nobody's key."""
        socket.set(zmq.CURVE_SERVER, 0)
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 0)
        socket.set_string(zmq.ZAP_DOMAIN, self._plain)

    def watch(self, socket: zmq.Socket[bytes], endpoints: Mapping[str, str]) -> None:
        """Tell of those who are refused at a socket; `endpoints` names those it has bound, by address."""
        if self._guard is not None:
            self._guard.watch(socket, endpoints)

    def failed(self, event: int, value: int, address: str) -> None:
        """A handshake failed: that of somebody who is not let in, or one of ours.

        Raises AdmissionError once there is no hope that a connection of ours comes.
        """
        place = place_of(address, {**self._guarded, **self._asked})
        if place in self._guarded:
            self._refusals.failed(event, value, self._guarded[place])
        if place not in self._asked:
            return
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value in OUT_OF_TIME:
            return  # it may be busy, or stopped
        endpoint, node = self._asked[place]
        self._failures[place] = self._failures.get(place, 0) + 1
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            why = _NOT_ON_THE_LIST
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            why = _NO_CURVE
        elif self._failures[place] >= QUICK_FAILURES:
            why = _NOT_THE_OWNER
        else:
            return
        raise AdmissionError(
            f"cannot connect to '{endpoint}' at {place}: {why.format(node=node, own=self._node)}"
        )

    def close(self) -> None:
        """The context is about to end."""
        if self._guard is not None:
            self._guard.close()


def show_out(socket: zmq.Socket[bytes], *, peers: int = 0) -> None:
    """Whoever has not shown a key in time has to leave; so many are awaited."""
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_IVL_MS + peers * HANDSHAKE_OF_EACH_MS)


def take_time(socket: zmq.Socket[bytes]) -> None:
    """Who is not let in at the control channel does not come again too often."""
    socket.set(zmq.RECONNECT_IVL, RECONNECT_IVL_MS)
    socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_IVL_MAX_MS)


def let_in(socket: zmq.Socket[bytes], secret: bytes, domain: str) -> None:
    """What binds next has this key and asks the guard, in this domain, about everybody.

    Each of the three counts: without a domain, or where it is not enforced, libzmq lets in whoever comes while nobody
    answers (curve_server.cpp).
    """
    socket.set(zmq.CURVE_SERVER, 1)
    socket.set(zmq.CURVE_SECRETKEY, secret)
    socket.set_string(zmq.ZAP_DOMAIN, domain)
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)


def go_in(socket: zmq.Socket[bytes], own: keys.KeyPair, server: bytes) -> None:
    """What connects next has these keys, and talks to nobody but the owner of `server`."""
    socket.set(zmq.CURVE_SERVERKEY, server)
    socket.set(zmq.CURVE_PUBLICKEY, own.public)
    socket.set(zmq.CURVE_SECRETKEY, own.secret)


def stranger(folder: Path, key: bytes) -> str:
    """What is to be said of a key that is not on the list."""
    for name in keys.named(folder):
        try:
            known = z85.decode(keys.read_public(folder, name))
        except keys.KeyFileError:
            continue
        if known == key:
            return f"its key is that of '{name}', which the file does not connect to it"
    return "its key is nobody's in this topology"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _leave(endpoints: list[str], death: BaseException) -> None:
    """Without its guard the process must not go on: who is in already would stay."""
    names = ", ".join(f"'{name}'" for name in endpoints)
    _tell(f"cannot go on: the authenticator of {names} has ended ({type(death).__name__}: {death})")
    os._exit(1)
