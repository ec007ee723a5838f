"""Making, binding and connecting the sockets of a process, as the specs of its ports say."""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from roles.kit.calls import SetupError
from roles.kit.codec import codec
from roles.kit.control import Control
from roles.kit.ports import BRIEF_MS, Port
from roles.kit.spec import PROXY_KINDS, SOCKETS_TOKEN, Attachment, PortSpec

if TYPE_CHECKING:
    from roles.kit.curve import Doors  # processes without CURVE never load it

BACKLOG = 4096
"""Connections that may wait to be accepted; libzmq's 100 is less than a thousand clients need."""

ZAP_DOMAIN = "topology"
"""Without CURVE nobody authenticates here. But to a socket without a domain, whoever does not begin as ZMTP 3 does is
a peer that speaks ZMTP 1, which has no handshake: measured, a PUSH hands its next task to a stranger's HTTP request."""

_RAW_TYPES = {kind: getattr(zmq, kind) for kinds in PROXY_KINDS.values() for kind in kinds}


class BindError(Exception):
    """An address cannot be bound; `endpoint` names it in the topology."""

    def __init__(self, endpoint: str, text: str) -> None:
        self.endpoint = endpoint
        super().__init__(text)


def open_port(
    declaration: Port,
    spec: PortSpec,
    index: int,
    context: zmq.Context[zmq.Socket[bytes]],
    control: Control,
    *,
    doors: Doors | None = None,
) -> Port:
    """An open port like `declaration`, as `spec` wants it; not yet bound or connected."""
    if spec.delivery:
        declaration = _delivering(spec.delivery)(optional=declaration.optional, name=declaration.name)
    kind = declaration.socket_type or _RAW_TYPES[spec.kind]
    sockets = [make_socket(context, spec, kind, doors) for _ in range(spec.copies)]
    return declaration.opened(spec, index, sockets, codec(spec.codec), control)


def _delivering(part: str) -> type[Port]:
    """The kind of port that takes this part in acknowledged delivery; few processes need to know of them."""
    from roles.kit import giving, keeping, taking  # noqa: PLC0415 - most never need them

    kinds: dict[str, type[Port]] = {
        "give": giving.Give,
        "take": taking.Take,
        "pass": taking.Pass,
        "keep": keeping.Keep,
    }
    return kinds[part]


def make_socket(
    context: zmq.Context[zmq.Socket[bytes]], spec: PortSpec, kind: int, doors: Doors | None
) -> zmq.Socket[bytes]:
    """A socket of this kind with the options of its port; not yet bound or connected."""
    socket = context.socket(kind)
    if spec.hwm is not None:
        socket.set_hwm(spec.hwm)
    socket.set(zmq.MAXMSGSIZE, spec.max_message_bytes)
    socket.set(zmq.RCVTIMEO, BRIEF_MS)
    socket.set(zmq.SNDTIMEO, BRIEF_MS)
    if any(attachment.mode == "bind" for attachment in spec.attachments):
        socket.set_string(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        socket.set(zmq.BACKLOG, BACKLOG)
    if doors is not None and any(attachment.curve is not None for attachment in spec.attachments):
        doors.prepare(socket, spec)
    for name, value in spec.options.items():
        try:
            socket.set(getattr(zmq, name), value.encode() if isinstance(value, str) else value)
        except (zmq.ZMQError, AttributeError) as error:
            why = getattr(error, "strerror", None) or "this libzmq does not know it"
            raise SetupError(
                f"options.{spec.name}.{name}", f"cannot set {name} to {value!r}: {why}"
            ) from None
    if any("[" in attachment.address for attachment in spec.attachments):
        socket.set(zmq.IPV6, 1)
    return socket


def connect(
    socket: zmq.Socket[bytes], addresses: list[str], nodes: Mapping[str, str], doors: Doors | None
) -> None:
    """Connect to all of these addresses; under CURVE, `nodes` tells by address whose keys to expect there."""
    for address in addresses:
        if "[" in address:
            socket.set(zmq.IPV6, 1)
        if doors is not None and address in nodes:
            doors.go_in(socket, nodes[address])
        elif doors is not None:
            doors.stay_plain(socket)
        socket.connect(address)


def bind(
    socket: zmq.Socket[bytes], attachment: Attachment, sockets_dir: str, doors: Doors | None = None
) -> str:
    """Bind what an attachment says; the resolved address. Raises BindError."""
    address = attachment.address.replace(SOCKETS_TOKEN, sockets_dir)
    if address.startswith("ipc://"):
        _refuse_foreign_file(attachment.endpoint, address)
    if doors is not None and attachment.curve is not None:
        doors.let_in(socket, attachment.endpoint)
    elif doors is not None:
        doors.stay_plain(socket)
    elif attachment.curve is not None:
        raise BindError(attachment.endpoint, f"cannot bind {address}: there are no keys for it")
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise BindError(attachment.endpoint, _why(address, error)) from None
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _why(address: str, error: zmq.ZMQError) -> str:
    if error.errno == errno.EADDRINUSE:
        from roles.kit import portowner  # noqa: PLC0415 - for a mistake alone

        owner = portowner.owner(address)
        held = f"{owner} holds it" if owner else "another program holds it"
        return f"cannot bind {address}: {held} (end that program, or change the address)"
    return f"cannot bind {address}: {error.strerror or error} (is it an address of this machine?)"


def _refuse_foreign_file(endpoint: str, address: str) -> None:
    """Libzmq unlinks whatever lies at an ipc path before it binds: a file, or the socket of a living program."""
    path = Path(address.removeprefix("ipc://"))
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise BindError(endpoint, f"cannot bind {address}: {error.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise BindError(
            endpoint, f"cannot bind {address}: a file that is no socket lies there (move it away)"
        )
    import socket as plain  # noqa: PLC0415 - few have a file there already

    with plain.socket(plain.AF_UNIX, plain.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return  # nobody does any more
        except OSError:
            pass  # a listener whose queue is full is one
        raise BindError(
            endpoint,
            f"cannot bind {address}: another program listens there (end that program, or change the address)",
        )
