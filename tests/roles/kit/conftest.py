"""Ports as a role has them: open, with a slot, and a control channel whose other end the test holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zmq
from role_process import Process

from roles.kit import messages
from roles.kit.control import Control
from roles.kit.ports import Port
from roles.kit.presence import OpenPort
from roles.kit.slot import Count, SlotFile, State
from roles.kit.sockets import open_port
from roles.kit.spec import Attachment, PortSpec, ProcessSpec


@dataclass
class Desk:
    """The coordinator's side of one process: what it is told, and what its slot says."""

    context: zmq.Context[zmq.Socket[bytes]]
    slots: SlotFile
    slot: int
    socket: zmq.Socket[bytes]
    control: Control
    ports: list[OpenPort] = field(default_factory=list)

    def tell(self, message: messages.Down) -> None:
        """Say something, and ring."""
        self.socket.send(messages.encode(message))
        self.slots.ring(self.slot)

    def open(
        self,
        port: Port,
        *addresses: str,
        mode: str = "connect",
        peers: int = 0,
        late: Sequence[str] = (),
        **spec: object,
    ) -> OpenPort:
        """The port opened, and bound or connected at these addresses."""
        index = len(self.ports)
        attachment = Attachment(
            endpoint="here", mode=mode, address=addresses[0] if mode == "bind" else "", peers=peers
        )
        made = PortSpec(name=f"port{index}", attachments=(attachment,), **{"kind": port.kind} | spec)
        opened = OpenPort(
            port=open_port(port, made, index, self.context, self.control),
            process=f"process-{self.slot}",
        )
        self.ports.append(opened)
        opened.bind("")
        if mode == "connect":
            opened.connect({"here": list(addresses)}, late)
        return opened

    def count(self, opened: OpenPort) -> Count:
        """What the slot says of a port."""
        return self.slots.read(self.slot, [one.spec.name for one in self.ports]).ports[opened.spec.name]

    @property
    def state(self) -> State:
        """What the slot says that the process does."""
        return self.slots.read(self.slot, ()).state


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """A context whose sockets wait no longer than the deadline, and are gone after the test."""
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def desk(tmp_path: Path, context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Callable[[], Desk]]:
    """Makes the coordinator's side of a process; several share a context."""
    slots = SlotFile(tmp_path / "slots", slots=8)
    desks: list[Desk] = []

    def make() -> Desk:
        slot = len(desks)
        ours, theirs = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
        ours.bind(f"inproc://control-{slot}")
        theirs.connect(f"inproc://control-{slot}")
        desks.append(Desk(context, slots, slot, ours, Control(theirs, slots.words(slot))))
        return desks[-1]

    yield make
    context.destroy(linger=0)  # while the desks still hold their sockets


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Where to bind and connect."""
    return f"ipc://{tmp_path}/here"


@pytest.fixture
def start(tmp_path: Path, context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Callable[..., Process]]:
    """Starts a built-in role that connects to endpoint `here`."""
    made: list[Process] = []

    def begin(role: str, ports: dict[str, str], **fields: Any) -> Process:
        attachment = Attachment(endpoint="here", mode="connect")
        specs = [
            PortSpec(name=name, kind=kind, codec="text", attachments=(attachment,))
            for name, kind in ports.items()
        ]
        spec = ProcessSpec(name=f"{role}-1", node=role, role=role, ports=tuple(specs), **fields)
        made.append(Process(tmp_path, context, spec))
        return made[-1]

    yield begin
    for process in made:
        if process.exit_code is None:
            process.end()
        process.socket.close(linger=0)
