"""How many files a process needs: told before anything starts; libzmq's own complaint comes late and names nobody."""

from __future__ import annotations

import resource
from collections.abc import Sequence

from orchestrator.engines.base import EngineError
from roles.kit.spec import PortSpec, ProcessSpec

_OWN_FILES = 24
"""Streams, slots, the control channel, and what the interpreter and libzmq's threads hold."""

_PER_SOCKET = 3
"""A socket's mailbox, and two more while its monitor is watched. Measured: 500 connecting sockets held 1,998 files in
all, one more each for its connection."""


def refuse_hungry(specs: Sequence[ProcessSpec]) -> int:
    """The most files that one process needs; raises EngineError, naming it, where that is more than is allowed."""
    if not specs:
        return 0
    hungriest = max(specs, key=files_of)
    need = files_of(hungriest)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit not in (resource.RLIM_INFINITY, -1) and need > limit:
        copies = sum(port.copies for port in hungriest.ports)
        peers = sum(one.peers for port in hungriest.ports for one in port.attachments)
        raise EngineError(
            f"cannot start {hungriest.name}: with {copies:,} sockets and {peers:,} peers it needs {need:,} open files, "
            f"and the limit is {limit:,} (raise it: ulimit -n {need}, or share them out over more replicas)"
        )
    return need


def files_of(process: ProcessSpec) -> int:
    """How many files a process holds at the most, as far as its ports tell; of a command nothing is known."""
    return _OWN_FILES + sum(map(_files_of_port, process.ports)) if process.is_role else 0


def _files_of_port(port: PortSpec) -> int:
    connects = sum(one.mode == "connect" for one in port.attachments)
    listens = sum(one.mode == "bind" for one in port.attachments)
    peers = sum(one.peers for one in port.attachments)
    return port.copies * (_PER_SOCKET + connects) + listens + peers
