"""An open port on its way into place: bound, connected, and knowing when its peers are there and when they leave."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING

import zmq

from roles.kit import sockets
from roles.kit.calls import SetupError
from roles.kit.peers import Partings, Watcher
from roles.kit.ports import Port, Raw
from roles.kit.pubsub import Pub, Sub
from roles.kit.reqrep import Req
from roles.kit.spec import END_TOPIC, READY_TOPIC, PortSpec

if TYPE_CHECKING:
    from roles.kit.curve import Doors  # processes without CURVE never load it

UNASKED_S = 0.25
"""A subscriber of somebody else's says no name. What it asks for follows its handshake, and is waited for so long: it
may ask for nothing yet."""


class OpenPort:
    """A port of this process with what connecting it takes: its spec, its monitors, and who has been seen."""

    def __init__(self, *, port: Port, process: str, incarnation: int = 0, doors: Doors | None = None) -> None:
        self.port = port
        self.spec: PortSpec = port.spec
        self._process = process
        self._doors = doors
        on_failure = doors.failed if doors is not None else None
        self._watchers = [Watcher(socket, on_failure) for socket in port.all_sockets]
        self._partings: list[Partings] = []
        self._names_missing = set(self.spec.partners) if isinstance(port, Pub) else set()
        self._wanted = sum(attachment.peers for attachment in self.spec.attachments)
        self._nameless = max(0, self._wanted - len(self._names_missing)) if isinstance(port, Pub) else 0
        self._met_at_s = 0.0
        self._asked = False
        self._addresses: list[str] = []
        self._nodes: Mapping[str, str] = {}
        self._guarded: dict[str, str] = {}
        self._more_sockets = 0
        if isinstance(port, Pub):
            port.published_by(process, incarnation)
        if self._nameless:
            port.socket.set(zmq.XPUB_VERBOSE, 1)  # or the second to ask for a topic would not be heard
        if isinstance(port, Sub) and (incarnation or port.spec.forgives_beginning):
            port.begin_again()
        if isinstance(port, Req):
            port.another_socket = self._another_socket

    @property
    def pollees(self) -> list[zmq.Socket[bytes]]:
        """The sockets whose news may change readiness."""
        awaits_topics = self._names_missing or self._nameless
        return [*self.monitors, self.port.socket] if awaits_topics else self.monitors

    @property
    def patience_ms(self) -> int:
        """So long at the most until this port should be asked again whether it is in place; -1 for ever."""
        if not self._met_at_s:
            return -1
        return max(0, int((self._met_at_s + UNASKED_S - monotonic()) * 1000) + 1)

    @property
    def monitors(self) -> list[zmq.Socket[bytes]]:
        """The sockets that tell of connections."""
        return [watcher.monitor for watcher in self._watchers]

    def bind(self, sockets_dir: str) -> dict[str, str]:
        """Bind what this port binds; the resolved addresses by endpoint. Raises BindError or SetupError."""
        if len(self.port.sockets) > 1 and any(one.mode == "bind" for one in self.spec.attachments):
            text = f"cannot bind {self.spec.name} with several sockets (connect it, or leave out 'sockets')"
            raise SetupError("params.sockets", text)
        bound: dict[str, str] = {}
        for attachment in self.spec.attachments:
            if attachment.mode == "bind":
                bound[attachment.endpoint] = sockets.bind(
                    self.port.socket, attachment, sockets_dir, self._doors
                )
                if attachment.curve is not None:
                    self._guarded[bound[attachment.endpoint]] = attachment.endpoint
        if self._doors is not None:
            self._doors.opened(self._guarded)
        return bound

    def connect(
        self,
        addresses: dict[str, list[str]],
        late: Collection[str] = (),
        nodes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Connect every socket of this port to all addresses of the endpoints that it connects to.

        At those in `late` nobody listens yet, so that nobody is awaited there. Under CURVE, `nodes` tells by address
        who listens.
        """
        self._nodes = nodes
        if self._doors is not None:
            self._doors.expect(self.spec, addresses, nodes)
        connects = [one.endpoint for one in self.spec.attachments if one.mode == "connect" and not one.acks]
        self._addresses = [address for endpoint in connects for address in addresses[endpoint]]
        awaited = [address for address in self._addresses if address not in late]
        self._wanted += len(awaited) * len(self.port.sockets)
        for socket in self.port.sockets:
            sockets.connect(socket, self._addresses, self._nodes, self._doors)
        if self.port.acks is not None:
            acknowledged = [a for one in self.spec.attachments if one.acks for a in addresses[one.endpoint]]
            self._wanted += sum(address not in late for address in acknowledged)
            sockets.connect(self.port.acks, acknowledged, self._nodes, self._doors)
        if isinstance(self.port, Req):
            places = [f"{endpoint} ({', '.join(addresses[endpoint])})" for endpoint in connects]
            self.port.servers = " or ".join(places)

    def _another_socket(self) -> zmq.Socket[bytes]:
        """A socket like this port's first, connected as that one is.

        A REQ's first request goes to the first address. Each socket begins with another one, so that who asks again
        does not ask the same server for ever.
        """
        socket = sockets.make_socket(self.port.socket.context, self.spec, self.port.socket_type, self._doors)
        self._more_sockets += 1
        first = self._more_sockets % len(self._addresses)
        sockets.connect(socket, self._addresses[first:] + self._addresses[:first], self._nodes, self._doors)
        return socket

    def count_peers(self) -> int:
        """How many peers there are; taking in the monitors' news keeps libzmq's thread free to go on."""
        count = sum(watcher.count() for watcher in self._watchers)
        self.port.note_peers(count)
        return count

    def in_place(self) -> bool:
        """Whether all peers of this port are there: handshakes, and for a publisher its subscribers' names."""
        count = self.count_peers()
        if isinstance(self.port, Pub) and (self._names_missing or self._nameless):
            self._hear_subscribers(self.port)
        if count < self._wanted or self._names_missing:
            self._met_at_s = 0.0
            return False
        if self._nameless:
            self._met_at_s = self._met_at_s or monotonic()
            if self.patience_ms > 0:
                return False
        if isinstance(self.port, Sub) and not self._asked:
            # Last, and only now: subscriptions made before a connection go out in the order of their bytes,
            # so this one would come first; on an open connection they keep their order. A connection that came
            # to a bound socket is open to it once it has looked at its events.
            self.port.socket.get(zmq.EVENTS)
            self._ask_for_marks(self.port)
        self._stop_watching()
        return True

    def _hear_subscribers(self, port: Pub) -> None:
        prefix = len(READY_TOPIC)
        for topic in port.subscriptions():
            if topic.startswith(READY_TOPIC):
                self._names_missing.discard(topic[prefix:].decode(errors="replace"))
            elif not self._names_missing and self._nameless and not topic.startswith(END_TOPIC):
                self._nameless -= 1  # before that it may be of one who says his name last

    def _ask_for_marks(self, port: Sub) -> None:
        self._asked = True
        port.socket.subscribe(END_TOPIC)
        port.socket.subscribe(READY_TOPIC + self._process.encode())

    def _stop_watching(self) -> None:
        """Nobody reads the monitors from now on; full of strangers' news, one would bring libzmq's thread to a halt."""
        for watcher in self._watchers:
            watcher.close()
        if self._watchers:
            self._watch_refusals()
        self._watchers = []

    def _watch_refusals(self) -> None:
        """From now on the guard listens to the monitor, for those who are not let in."""
        if self._doors is not None and self._guarded and not self.port.socket.closed:
            self._doors.watch(self.port.socket, self._guarded)

    def go(self) -> None:
        """Stop watching, and let the socket take in the connections that its monitor has told of."""
        self._stop_watching()
        if isinstance(self.port, Sub) and not self._asked:
            self._ask_for_marks(self.port)  # there was no barrier to wait for
        self.take_in()

    def hold(self) -> int:
        """Begin to watch who leaves, while nothing is sent; how many have left since."""
        if not self._partings:
            self._stop_watching()  # a socket has one monitor at a time
            self._partings = [Partings(socket) for socket in self.port.sockets if not socket.closed]
        return sum(parting.count() for parting in self._partings)

    def release(self) -> None:
        """Watch no more who leaves, and let the socket know who has come and gone."""
        for parting in self._partings:
            parting.close()
        if self._partings:
            self._watch_refusals()
        self._partings = []
        self.take_in()

    def take_in(self) -> None:
        """Let the sockets take in new connections.

        A busy sender looks for new pipes now and then only; asked for its events it does so at once.
        """
        if isinstance(self.port, Raw):
            return  # its socket belongs to the proxy's thread by now
        for socket in self.port.all_sockets:
            if not socket.closed:
                socket.get(zmq.EVENTS)
