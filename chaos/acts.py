"""What each role does on its stage: who comes to its ports, and how somebody of ours sees that it is there."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, ClassVar

import msgspec
import zmq

from chaos.junk import LIMIT_BYTES, junk, number_like
from chaos.stage import DEADLINE_S, Stage, StageError
from roles.kit.batches import packing
from roles.kit.codec import codec
from roles.kit.sequence import Numbering

_DEADLINE_MS = int(DEADLINE_S * 1000)

Socket = zmq.Socket[bytes]


class Act(ABC):
    """One role on its stage. `disturb` sends what is foreign, `serve` sees that somebody of ours is served."""

    peers: ClassVar[dict[str, str]] = {}
    """Ports to which peers come that do not keep to ZMTP, and the kind of socket that they pretend to be.

    One that pretends to be a worker is given tasks, as any worker: where those are counted on, none comes.
    """

    enveloped: ClassVar[bool] = False
    """Whether such a peer puts the empty frame before its messages, whatever is wrong with them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.numbers = itertools.count(1)
        self.stage = self.open()

    @abstractmethod
    def open(self) -> Stage:
        """The stage with the role on it."""

    @abstractmethod
    def begin(self) -> None:
        """Connect everybody."""

    @abstractmethod
    def disturb(self) -> int:
        """Send one foreign message; how many frames it had."""

    @abstractmethod
    def serve(self) -> None:
        """Do once what the role is there for; raises StageError where it is not done."""

    def socket(self, kind: int, port: str, **options: int) -> Socket:
        """A socket connected to a port of the role."""
        made: Socket = self.stage.context.socket(kind)
        made.set(zmq.SNDTIMEO, _DEADLINE_MS)
        made.set(zmq.RCVTIMEO, _DEADLINE_MS)
        for name, value in options.items():
            made.set(getattr(zmq, name), value)
        made.connect(self.stage.addresses[port])
        return made

    def send(self, socket: Socket, frames: list[bytes]) -> int:
        """Send a message; how many frames it has. Raises StageError where nobody takes it."""
        try:
            socket.send_multipart(frames)
        except zmq.Again:
            self.stage.check()
            raise StageError(f"nothing is taken any more: {self.stage.reading()}; {self.stage.log}") from None
        return len(frames)

    def receive(self, socket: Socket) -> list[bytes]:
        """The next message; raises StageError where none comes."""
        try:
            return socket.recv_multipart()
        except zmq.Again:
            self.stage.check()
            raise StageError(f"nothing comes any more: {self.stage.reading()}; {self.stage.log}") from None

    def good(self) -> str:
        """An item that nobody else sends."""
        return f"good-{next(self.numbers)}"


def port(kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a PortSpec
    """What the stage needs to know of a port."""
    return {"kind": kind, "max_message_bytes": LIMIT_BYTES, **fields}


class _Tail:
    """Reads items from the JSON Lines that a collector writes."""

    def __init__(self, stage: Stage) -> None:
        self._path = stage.folder / "out.jsonl.partial"
        self._offset = 0

    def has(self, item: str) -> bool:
        """Whether the item has come since this was last asked."""
        wanted = msgspec.json.encode(item)
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        if wanted not in data.split(b"\n"):
            return False
        self._offset += len(data)
        return True


class Worker(Act):
    """Tasks come from anybody, and their results go to whoever takes them."""

    peers: ClassVar = {"tasks": "PUSH"}

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack", "bytes"))
        self.batch = self.chance.choice((1, 1, 10))
        alike = {"codec": self.codec, "batch": self.batch}
        ports = {"tasks": port("PULL", **alike), "results": port("PUSH", **alike)}
        return Stage("worker", ports, params={"call": "echo:same"})

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.PUSH, "tasks"), self.socket(zmq.PUSH, "tasks")
        self._results = self.socket(zmq.PULL, "results")

    def disturb(self) -> int:
        while True:  # results of what happened to be a task are nobody's
            try:
                self._results.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
        return self.send(self._strangers, junk(self.chance))

    def serve(self) -> None:
        item: Any = self.good()
        frame = frame_of(item, self.codec, self.batch)
        self.send(self._ours, [frame])
        while item.encode() not in self.receive(self._results)[0]:
            pass


def frame_of(item: Any, name: str, batch: int = 1) -> bytes:  # noqa: ANN401 - items are anything
    """An item as it goes over the wire."""
    if batch == 1:
        return codec(name).encode(item)
    pack = packing(name)
    return pack.join([item if type(item) in pack.plain else pack.admit(item)])


class Sink(Act):
    """Results come from anybody."""

    peers: ClassVar = {"results": "PUSH"}

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack"))
        self.batch = self.chance.choice((1, 1, 10))
        ports = {"results": port("PULL", codec=self.codec, batch=self.batch)}
        return Stage("sink", ports, params={"call": "echo:shown", "into": "{folder}/out.jsonl"})

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.PUSH, "results"), self.socket(zmq.PUSH, "results")
        self._tail = _Tail(self.stage)

    def disturb(self) -> int:
        return self.send(self._strangers, junk(self.chance))

    def serve(self) -> None:
        item = self.good()
        self.send(self._ours, [frame_of(item, self.codec, self.batch)])
        self.stage.wait(lambda: self._tail.has(item), f"'{item}' at the sink")


class Subscriber(Act):
    """Updates come from anybody; with `sequence` they bear numbers."""

    peers: ClassVar = {"updates": "PUB"}

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack"))
        self.sequence = self.chance.random() < 0.5
        fields = {"codec": self.codec, "sequence": self.sequence, "partners": ("publisher-1",)}
        params = {"call": "echo:shown", "into": "{folder}/out.jsonl"}
        return Stage("subscriber", {"updates": port("SUB", **fields)}, params=params)

    def begin(self) -> None:
        self._ours = self.socket(zmq.XPUB, "updates", XPUB_NODROP=1)
        self._strangers = self.socket(zmq.XPUB, "updates", XPUB_NODROP=1)
        self.stage.go()  # until then it does not look at who has come to its socket
        for socket in (self._ours, self._strangers):
            self.receive(socket)  # its subscription
        self._tail = _Tail(self.stage)
        self._numbering = Numbering("publisher-1")

    def disturb(self) -> int:
        frames = junk(self.chance)
        if self.sequence and self.chance.random() < 0.5:
            frames = [*frames[: 1 if codec(self.codec).prefixed else 2], number_like(self.chance)]
        return self.send(self._strangers, frames)

    def serve(self) -> None:
        item = self.good()
        payload = frame_of(item, self.codec)
        frames = [payload] if codec(self.codec).prefixed else [b"", payload]
        if self.sequence:
            stamp = self._numbering.stamp(frames[0], 0)
            self._numbering.passed(frames[0], 0)
            frames.append(stamp)
        self.send(self._ours, frames)
        self.stage.wait(lambda: self._tail.has(item), f"'{item}' at the subscriber")


class Server(Act):
    """Requests come from anybody, in envelopes or without.

    Who sends one without its envelope stays: libzmq 4.3.5 takes the next reply to anybody away with one who has gone.
    """

    peers: ClassVar = {"clients": "DEALER"}
    enveloped = True

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack"))
        return Stage("server", {"clients": port("REP", codec=self.codec)}, params={"call": "echo:same"})

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.REQ, "clients"), self.socket(zmq.DEALER, "clients")

    def disturb(self) -> int:
        with suppress(zmq.Again):
            while True:
                self._strangers.recv_multipart(zmq.NOBLOCK)
        envelope = self.chance.choice(([], [b""], [b""], [b""], [b"x", b""], [b"", b""]))
        return self.send(self._strangers, [*envelope, *junk(self.chance)])

    def serve(self) -> None:
        frame = frame_of(self.good(), self.codec)
        self.send(self._ours, [frame])
        if self.receive(self._ours) != [frame]:
            raise StageError("the server has answered something else")


class Client(Act):
    """Whoever it asks answers as it pleases: this act is its server."""

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack"))
        params: dict[str, Any] = {"requests": 10_000_000, "sockets": self.chance.choice((1, 3))}
        self.retries = self.chance.random() < 0.5
        if self.retries:
            params["retry"] = {"timeout_s": 0.2, "attempts": 1000}
        ports = {"server": port("REQ", codec=self.codec, copies=params["sockets"])}
        stage = Stage("client", ports, params=params, connect={"server": ""})
        self._server = stage.context.socket(zmq.ROUTER)
        self._server.set(zmq.RCVTIMEO, _DEADLINE_MS)
        stage.connect["server"] = f"tcp://127.0.0.1:{self._server.bind_to_random_port('tcp://127.0.0.1')}"
        return stage

    def begin(self) -> None:
        """It comes by itself."""

    def _asked(self) -> list[bytes]:
        return self.receive(self._server)[:-1]

    def disturb(self) -> int:
        envelope = self._asked()
        frames = junk(self.chance)
        if self.retries and self.chance.random() < 0.002:
            # Without the empty frame it is no reply to a REQ, which breaks the connection off and has to ask again.
            self._server.send_multipart([envelope[0], b"x", *frames])
            return len(frames)
        if self.chance.random() < 0.3:
            self._server.send_multipart([*envelope, *frames])
        self._server.send_multipart([*envelope, *frames])
        return len(frames)

    def serve(self) -> None:
        before = self.stage.count("server").received
        self.stage.wait(
            lambda: self._answer() or self.stage.count("server").received > before, "a reply taken"
        )

    def _answer(self) -> bool:
        """Answer who has asked, so that more ask: an earlier reply that came twice may be taken for the last."""
        if self._server.poll(0):
            self._server.send_multipart([*self._asked(), frame_of(self.good(), self.codec)])
        return False


class Publisher(Act):
    """Subscriptions come from anybody, and whatever else may come to a publisher."""

    peers: ClassVar = {"updates": "SUB"}

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text"))
        params = {"range": [1, 10**9], "rate": 2000.0}
        return Stage("publisher", {"updates": port("PUB", codec=self.codec)}, params=params)

    def begin(self) -> None:
        self._ours = self.socket(zmq.SUB, "updates", RCVHWM=0)
        self._ours.subscribe(b"")
        self._strangers = self.socket(zmq.XSUB, "updates")

    def disturb(self) -> int:
        # Subscriptions stay as long as their subscriber, so they are taken back.
        topic = b"".join(junk(self.chance))[:200]
        for frame in (b"\x01" + topic, b"\x00" + topic):
            self.send(self._strangers, [frame])
        with suppress(zmq.Again):
            while True:
                self._strangers.recv_multipart(zmq.NOBLOCK)
        if self.chance.random() < 0.2:
            return 2 + self.send(self._strangers, [b"\x07" + topic, *junk(self.chance)])
        return 2

    def serve(self) -> None:
        first, second = (int(self.receive(self._ours)[-1]) for _ in range(2))
        if second != first + 1:
            raise StageError(f"update {second} came after {first}")


class Ventilator(Act):
    """Nobody has anything to say to a ventilator; what is said all the same comes by hand (see `zmtp`)."""

    peers: ClassVar = {"tasks": "PULL"}

    def open(self) -> Stage:
        params = {"range": [1, 10**9]}
        return Stage("ventilator", {"tasks": port("PUSH", codec="json")}, params=params)

    def begin(self) -> None:
        self._ours = self.socket(zmq.PULL, "tasks")
        self._last = 0

    def disturb(self) -> int:
        return 0

    def serve(self) -> None:
        number = int(self.receive(self._ours)[0])
        if number <= self._last:
            raise StageError(f"task {number} came after {self._last}")
        self._last = number


class Responder(Act):
    """A role of one's own with a ROUTER: it answers with the envelope that it was given."""

    peers: ClassVar = {"peers": "DEALER"}

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack"))
        return Stage("echo:Responder", {"peers": port("ROUTER", codec=self.codec)})

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.DEALER, "peers"), self.socket(zmq.DEALER, "peers")

    def disturb(self) -> int:
        with suppress(zmq.Again):
            while True:
                self._strangers.recv_multipart(zmq.NOBLOCK)
        return self.send(self._strangers, junk(self.chance))

    def serve(self) -> None:
        frames = [b"", frame_of(self.good(), self.codec)]
        self.send(self._ours, frames)
        if self.receive(self._ours) != frames:
            raise StageError("the role has answered something else")


class Listener(Act):
    """A role of one's own with a DEALER."""

    peers: ClassVar = {"peers": "DEALER"}

    def open(self) -> Stage:
        self.codec = self.chance.choice(("json", "text", "msgpack"))
        ports = {"peers": port("DEALER", codec=self.codec), "heard": port("PUSH", codec="json")}
        return Stage("echo:Listener", ports)

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.DEALER, "peers"), self.socket(zmq.DEALER, "peers")
        self._heard = self.socket(zmq.PULL, "heard", RCVHWM=0)

    def disturb(self) -> int:
        with suppress(zmq.Again):
            while True:
                self._heard.recv(zmq.NOBLOCK)
        return self.send(self._strangers, junk(self.chance))

    def serve(self) -> None:
        item = self.good()
        self.send(self._ours, [frame_of(item, self.codec)])
        while item.encode() not in self.receive(self._heard)[0]:
            pass


class Queue(Act):
    """A proxy between clients and servers; this act is the server."""

    peers: ClassVar = {"frontend": "DEALER"}

    def open(self) -> Stage:
        ports = {"frontend": port("ROUTER"), "backend": port("DEALER")}
        return Stage("proxy", ports, params={"kind": "queue"})

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.REQ, "frontend"), self.socket(zmq.DEALER, "frontend")
        self._server = self.socket(zmq.DEALER, "backend")

    def disturb(self) -> int:
        frames = junk(self.chance)
        self.send(self._strangers, frames)
        self.receive(self._server)
        if self.chance.random() < 0.5:
            self.send(self._server, junk(self.chance))  # a reply to nobody
        return len(frames)

    def serve(self) -> None:
        item = self.good().encode()
        self.send(self._ours, [item])
        asked = self.receive(self._server)
        while asked[-1] != item:  # from others who have come
            asked = self.receive(self._server)
        self.send(self._server, [*asked[:-1], b"re-" + asked[-1]])
        if self.receive(self._ours) != [b"re-" + item]:
            raise StageError("the proxy has brought another reply")


class Forwarder(Act):
    """A proxy between publishers and subscribers.

    Nobody comes to its subscribers' side by hand: one who takes back a subscription that he never had takes it from all
    others, in libzmq 4.3.5.
    """

    peers: ClassVar = {"frontend": "PUB"}

    def open(self) -> Stage:
        ports = {"frontend": port("XSUB"), "backend": port("XPUB")}
        return Stage("proxy", ports, params={"kind": "forwarder"})

    def begin(self) -> None:
        self._feed = self.socket(zmq.SUB, "backend", RCVHWM=0)
        self._feed.subscribe(b"")
        self._ours = self.socket(zmq.XPUB, "frontend", XPUB_NODROP=1)
        self._strangers = self.socket(zmq.XPUB, "frontend", XPUB_NODROP=1)
        for socket in (self._ours, self._strangers):
            self.receive(socket)

    def disturb(self) -> int:
        frames = junk(self.chance)
        self.send(self._strangers, frames)
        with suppress(zmq.Again):
            while True:
                self._feed.recv_multipart(zmq.NOBLOCK)
        return len(frames)

    def serve(self) -> None:
        item = self.good().encode()
        self.send(self._ours, [item])
        while self.receive(self._feed) != [item]:
            pass


class Streamer(Act):
    """A proxy between ventilators and workers."""

    peers: ClassVar = {"frontend": "PUSH"}

    def open(self) -> Stage:
        ports = {"frontend": port("PULL"), "backend": port("PUSH")}
        return Stage("proxy", ports, params={"kind": "streamer"})

    def begin(self) -> None:
        self._ours, self._strangers = self.socket(zmq.PUSH, "frontend"), self.socket(zmq.PUSH, "frontend")
        self._taker = self.socket(zmq.PULL, "backend")

    def disturb(self) -> int:
        frames = junk(self.chance)
        self.send(self._strangers, frames)
        while self.receive(self._taker) != frames:
            pass
        return len(frames)

    def serve(self) -> None:
        item = self.good().encode()
        self.send(self._ours, [item])
        while self.receive(self._taker) != [item]:
            pass


ACTS: tuple[type[Act], ...] = (
    *(Worker, Sink, Subscriber, Server, Client, Publisher, Ventilator),
    *(Responder, Listener, Queue, Forwarder, Streamer),
)
