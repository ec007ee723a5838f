"""How a process of the local engine begins: forked from a server that has all roles in memory."""

from __future__ import annotations

import os
import signal
import struct
import sys
from multiprocessing import forkserver
from typing import Any, NoReturn

import msgspec

from roles.kit import leash, runtime, spec, streams

_SIZE = struct.Struct("<I")
_SIGINT, _SIGTERM = int(signal.SIGINT), int(signal.SIGTERM)
_DEFAULT, _IGNORE = int(signal.SIG_DFL), int(signal.SIG_IGN)
_signal: Any = sys.modules["_signal"]
"""What `signal` stands on. That would do the same, and make enums of what was there: some hundred calls a process."""

_KNOWN_PYTHONS = ((3, 11), (3, 12), (3, 13))


class Order(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a child of the fork server is told: the arguments of `main`, and the orchestrator's `sys` as it is seen."""

    name: str
    process_json: bytes
    place_json: bytes
    incarnation: int
    log_path: str
    path: list[str]
    arguments: list[str]


def takes_orders() -> bool:
    """Whether the server's children can be told by an order: its insides are known, and it has the kennel's leash."""
    return (
        sys.platform == "linux"
        and sys.version_info[:2] in _KNOWN_PYTHONS
        and hasattr(forkserver, "_serve_one")
    )


def order_message(order: Order) -> bytes:
    """An order as it is sent."""
    data = msgspec.msgpack.encode(order)
    return _SIZE.pack(len(data)) + data


def read_order(fd: int) -> Order:
    """The order that is waiting at a descriptor; raises EOFError where whoever sends it is gone."""
    (size,) = _SIZE.unpack(_read(fd, _SIZE.size))
    return _order_decoder.decode(_read(fd, size))


def _read(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            raise EOFError("cannot read what to be: nobody says so any more")
        data += part
    return data


_order_decoder = msgspec.msgpack.Decoder(Order)


def _get_out_of_reach() -> None:
    """Be a group that can be signalled as one, and that no terminal signals."""
    if os.getsid(0) == os.getppid():
        os.setpgid(0, 0)  # the server leads the session, see `kennel`
    else:
        os.setsid()


def main(process_json: bytes, place_json: bytes, incarnation: int, log_path: str) -> NoReturn:
    """Be the process that `process_json` describes, in the run that `place_json` describes; its log is `log_path`."""
    leash.put_on()
    _get_out_of_reach()
    _signal.signal(_SIGINT, _IGNORE)
    # Until now this process was in the fork server's group: what is pending was meant for the group, and to ignore a
    # signal takes it back.
    _signal.signal(_SIGTERM, _IGNORE)
    _signal.signal(_SIGTERM, _DEFAULT)
    # They have been blocked since the fork server's start.
    _signal.pthread_sigmask(signal.SIG_UNBLOCK, (_SIGINT, _SIGTERM))
    streams.write_to(log_path)
    runtime.be(spec.decode_process(process_json), spec.decode_place(place_json), incarnation)
