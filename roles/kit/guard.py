"""Who may come in: the authenticator of one ZeroMQ context (ZAP, rfc.zeromq.org/spec/27), in a thread of its own.

libzmq asks it about each handshake over `inproc://zeromq.zap.01`. CURVE alone lets everybody in who knows the server's
public key: without a ZAP domain, or without somebody who answers, nobody is asked. So each endpoint has a domain of its
own, with the list of those whom the topology connects to it, the sockets enforce it, and where this thread ends they
let nobody in. It hears from the sockets' monitors too, so that what never came as far as a question is told as well.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import zmq

ZAP_ADDRESS = "inproc://zeromq.zap.01"
MOST_TOLD = 20
"""So many different refusals are told; more is somebody who would fill the log."""

OUT_OF_TIME = (errno.EAGAIN, errno.ETIMEDOUT)
"""What a monitor gives for a handshake that this side has ended since it took too long."""

_VERSION = b"1.0"
_KEY_BYTES = 32
_SAID_NOTHING = "it said too little in too long"
_LEFT = "it left at once, as who comes without CURVE may do"
_WRONG = {
    0x11000002: "it came without CURVE",
    0x11000001: "its handshake does not fit the key of this server, or is no fresh one",
}
"""By libzmq's ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH and ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC."""

_FAILURES = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_EVENT = struct.Struct("=Hi")
_numbers = itertools.count(1)

Lists = Mapping[str, Mapping[bytes, str]]
"""By ZAP domain the public keys (32 bytes) that may come in, and whose they are."""


def place_of(address: str, known: Iterable[str]) -> str | None:
    """Which of the known addresses a monitor means; None where that cannot be told.

    Of a socket that is bound to all interfaces it names the one at which somebody came, and a host by its number.
    """
    known = tuple(known)
    if address in known:
        return address
    port = address.rpartition(":")[2]
    alike = [one for one in known if address.startswith("tcp://") and one.rpartition(":")[2] == port]
    return alike[0] if len(alike) == 1 else None


class Question:
    """A request as libzmq sends it; `key` is the peer's public key, empty without CURVE."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        """Raises ValueError where it is none."""
        if len(frames) < 6 or frames[0] != _VERSION:
            raise ValueError("cannot answer: this is no question of ZAP 1.0")
        self.number = frames[1]
        self.domain, self.address = (frame.decode(errors="replace") for frame in frames[2:4])
        self.mechanism = frames[5]
        self.key = frames[6] if self.mechanism == b"CURVE" and len(frames) == 7 else b""


def whose(question: Question, lists: Lists, *, plain: str) -> str | None:
    """The node that may come in, "" for anybody at a `plain` domain, None for nobody.

    libzmq asks about peers without CURVE as well, wherever a domain is set.
    """
    if question.mechanism == b"NULL" and question.domain == plain:
        return ""
    if question.mechanism != b"CURVE" or len(question.key) != _KEY_BYTES:
        return None
    return lists.get(question.domain, {}).get(question.key)


def reply(question: Question, node: str | None) -> list[bytes]:
    """The answer; the node's name becomes the User-Id of all its messages."""
    code, text = (b"200", b"OK") if node is not None else (b"400", b"not on the list of this endpoint")
    return [_VERSION, question.number, code, text, (node or "").encode(), b""]


class Refusals:
    """Tells of each kind of peer that was refused, once."""

    def __init__(self, tell: Callable[[str], None], stranger: Callable[[bytes], str]) -> None:
        self._tell = tell
        self._stranger = stranger
        self._told: set[str] = set()

    def unlisted(self, question: Question) -> None:
        """A key that is not on the list; `stranger` says of a key whose it is."""
        if len(self._told) <= MOST_TOLD:
            of = f" of {question.address}" if question.address else ""
            self._once(f"refused a peer{of} at '{question.domain}': {self._stranger(question.key)}")

    def failed(self, event: int, value: int, endpoint: str) -> None:
        """A handshake that failed before anybody was asked; of the others `unlisted` tells."""
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            why = _SAID_NOTHING if value in OUT_OF_TIME else _LEFT
        else:
            why = _WRONG.get(value, f"its handshake breaks the protocol ({value:#x})")
        self._once(f"refused a peer at '{endpoint}': {why}")

    def _once(self, text: str) -> None:
        if text in self._told or len(self._told) > MOST_TOLD:
            return
        self._told.add(text)
        self._tell(text if len(self._told) <= MOST_TOLD else "more peers are refused, and no longer told of")


class Guard:
    """Answers for all sockets of a context, from before the first of them binds until the context ends.

    Where its thread ends before `close`, whoever wants to come in is refused from then on, and `on_death` is called in
    that thread. `plain` is the domain of sockets that ask for no key.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        lists: Lists,
        *,
        plain: str,
        refusals: Refusals,
        on_death: Callable[[BaseException], None],
    ) -> None:
        self._lists = lists
        self._plain = plain
        self._refusals = refusals
        self._on_death = on_death
        self._closing = False
        # Another object for the same context: to destroy the first one must not close sockets of this thread.
        own: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(context.underlying)
        self._questions = own.socket(zmq.ROUTER)
        self._questions.set(zmq.LINGER, 0)
        self._questions.bind(ZAP_ADDRESS)
        address = f"inproc://authenticator-{next(_numbers)}"
        self._orders = own.socket(zmq.PULL)
        self._orders.bind(address)
        self._ordering = context.socket(zmq.PUSH)
        self._ordering.connect(address)
        self._handed: deque[tuple[zmq.Socket[bytes], dict[str, str]]] = deque()
        self._monitors: dict[zmq.Socket[bytes], dict[str, str]] = {}
        self._own = own
        self.thread = threading.Thread(target=self._run, name="authenticator", daemon=True)
        self.thread.start()

    def watch(self, socket: zmq.Socket[bytes], endpoints: Mapping[str, str]) -> None:
        """Tell from now on of handshakes that fail at a socket, until its monitor is used otherwise.

        `endpoints` names them by address. To be called by the thread that has made the guard.
        """
        address = f"inproc://refused-{next(_numbers)}"
        monitor = self._own.socket(zmq.PAIR)
        # Where nobody takes the news, or its queue is full, libzmq's thread waits; and Python may keep ours waiting.
        monitor.set(zmq.RCVHWM, 0)
        socket.monitor(address, _FAILURES | zmq.EVENT_MONITOR_STOPPED)
        monitor.connect(address)
        self._handed.append((monitor, dict(endpoints)))
        self._ordering.send(b"")

    def close(self) -> None:
        """That the context ends is no death from now on."""
        self._closing = True

    def _run(self) -> None:
        try:
            self._serve()
        except zmq.ContextTerminated:
            pass
        except BaseException as death:  # noqa: BLE001 - whatever it is, nobody guards the door any more
            self._questions.close(linger=0)
            if not self._closing:
                self._on_death(death)
            with contextlib.suppress(zmq.ZMQError):  # the monitors must stay open until the context ends
                while True:
                    self._orders.recv()
        finally:
            handed = [monitor for monitor, _ in self._handed]
            for socket in (self._questions, self._orders, *handed, *self._monitors):
                socket.close(linger=0)

    def _serve(self) -> None:
        while True:
            sockets = [self._questions, self._orders, *self._monitors]
            ready = dict(zmq.zmq_poll([(one, zmq.POLLIN) for one in sockets], -1))
            for socket in filter(ready.__contains__, sockets):
                if socket is self._questions:
                    self._answer()
                elif socket is self._orders:
                    self._begin_to_watch()
                else:
                    self._hear_of_failures(socket)

    def _answer(self) -> None:
        frames = self._questions.recv_multipart()
        try:
            question = Question(frames[2:])
        except ValueError:
            return
        node = whose(question, self._lists, plain=self._plain)
        self._questions.send_multipart([*frames[:2], *reply(question, node)])
        if node is None:
            self._refusals.unlisted(question)

    def _begin_to_watch(self) -> None:
        self._orders.recv()
        monitor, endpoints = self._handed.popleft()
        self._monitors[monitor] = endpoints

    def _hear_of_failures(self, monitor: zmq.Socket[bytes]) -> None:
        head, address = monitor.recv_multipart()
        event, value = _EVENT.unpack(head)
        if event == zmq.EVENT_MONITOR_STOPPED:
            del self._monitors[monitor]
            monitor.close(linger=0)
            return
        endpoints = self._monitors[monitor]
        place = place_of(address.decode(errors="replace"), endpoints)
        self._refusals.failed(event, value, endpoints[place] if place else ", ".join(endpoints.values()))
