"""Addresses of endpoints: which ones there are, and what is wrong with the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from orchestrator.topology.suggest import did_you_mean

LONGEST_IPC_BYTES = 107
"""Bytes of the longest ipc path: `sun_path` of a Unix socket holds 108 with its closing zero."""

_ELSEWHERE = ("pgm", "epgm", "norm", "udp", "ws", "wss", "vmci", "tipc")
_HOST = re.compile(r"\*|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.%A-Za-z]+\]")
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}|localhost|lo|\[::1\]")


class AddressError(ValueError):
    """No sockets can meet at the address; `code` and `hint` are those of the problem."""

    def __init__(self, text: str, *, hint: str = "", code: str = "address") -> None:
        """Keep what the problem needs."""
        super().__init__(text)
        self.hint = hint
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An endpoint's address. A tcp `port` of None or an ipc `path` of "" is picked anew for every binder."""

    transport: Literal["tcp", "ipc"]
    host: str = ""
    port: int | None = None
    path: str = ""

    @property
    def dynamic(self) -> bool:
        """Whether every binding replica gets an address of its own."""
        return self.port is None if self.transport == "tcp" else not self.path

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.transport == "ipc" or _LOOPBACK.fullmatch(self.host) is not None

    def clashes(self, other: Address) -> bool:
        """Whether the two cannot both be bound on one machine."""
        if self.dynamic or other.dynamic or self.transport != other.transport:
            return False
        if self.transport == "ipc":
            return self.path == other.path
        hosts = {_host_of(self), _host_of(other)}
        return self.port == other.port and (len(hosts) == 1 or "*" in hosts)


_SAME_HOSTS = {"localhost": "127.0.0.1", "lo": "127.0.0.1", "0.0.0.0": "*"}  # noqa: S104 - compared, not bound


def _host_of(address: Address) -> str:
    return _SAME_HOSTS.get(address.host.lower(), address.host.lower())


def parse_address(text: str) -> Address:
    """The address in `ipc`, `ipc:///path`, `tcp://host:port` or `tcp://host:*`; raises AddressError."""
    if text == "ipc":
        return Address(transport="ipc")
    transport, colon, rest = text.partition("://")
    if not colon:
        raise AddressError(
            f"cannot read the address '{text[:60]}'", hint="write ipc, ipc:///path or tcp://127.0.0.1:5555"
        )
    if transport == "tcp":
        return _tcp(text, rest)
    if transport == "ipc":
        return _ipc(rest)
    if transport == "inproc":
        hint = "nodes are processes: write ipc"
        raise AddressError("inproc does not reach from one process to another", hint=hint, code="inproc")
    if transport in _ELSEWHERE:
        raise AddressError(f"cannot use the transport '{transport}' here", hint="write tcp or ipc")
    hint = did_you_mean(transport, ("tcp", "ipc")) or "write tcp or ipc"
    raise AddressError(f"unknown transport '{transport[:40]}'", hint=hint)


def _tcp(text: str, rest: str) -> Address:
    host, colon, port = rest.rpartition(":")
    if not colon or not host or not port or (host.startswith("[") and not host.endswith("]")):
        raise AddressError(
            f"cannot read '{text[:60]}': it has no port",
            hint="write tcp://127.0.0.1:5555, or :* for any free port",
        )
    if not _HOST.fullmatch(host):
        raise AddressError(f"cannot read the host '{host[:60]}'", hint="write a name, a number, or * for all")
    if port == "*":
        return Address(transport="tcp", host=host)
    if not re.fullmatch(r"[0-9]{1,9}", port) or not 1 <= int(port) <= 65535:
        hint = "for any free port write *" if port == "0" else "ports are 1 to 65535, or * for any free one"
        raise AddressError(f"there is no port '{port[:20]}'", hint=hint)
    return Address(transport="tcp", host=host, port=int(port))


def _ipc(path: str) -> Address:
    if path.startswith("@"):
        raise AddressError(
            "an abstract ipc address has no permissions: any user could connect",
            hint="write ipc, or ipc:///path",
            code="abstract-ipc",
        )
    if path == "*":
        raise AddressError("cannot use the address 'ipc://*'", hint="write ipc")
    if not path.startswith("/") or path.endswith("/"):
        raise AddressError("an ipc path must be absolute", hint="write ipc for a private one, or ipc:///path")
    size_bytes = len(path.encode(errors="replace"))
    if size_bytes > LONGEST_IPC_BYTES:
        text = f"the ipc path has {size_bytes} bytes, {LONGEST_IPC_BYTES} is the most a socket takes"
        raise AddressError(text, hint="write ipc for a short private one", code="ipc-length")
    return Address(transport="ipc", path=path)
