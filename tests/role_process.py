"""A role process in a thread, whose coordinator the test is; and waiting for the sockets of open ports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from harness import wait_until

from roles.kit import messages
from roles.kit.presence import OpenPort
from roles.kit.runtime import Runtime
from roles.kit.slot import Reading, SlotFile
from roles.kit.spec import Place, ProcessSpec

DEADLINE_MS = 20_000


class Process:
    """One role process, told and heard over its control channel."""

    def __init__(self, folder: Path, context: zmq.Context[zmq.Socket[bytes]], spec: ProcessSpec) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.bind(f"ipc://{folder}/control")
        self.slots = SlotFile(folder / "slots", slots=1)
        self.spec = spec
        place = Place(
            run_id="r",
            pattern="p",
            folder=str(folder),
            control=f"ipc://{folder}/control",
            slots=str(folder / "slots"),
            sockets=str(folder),
            logs=str(folder),
            seed=1,
        )
        self.exit_code: int | None = None
        self._heard: dict[type, Any] = {}
        self._thread = threading.Thread(target=self._run, args=(place,))
        self._thread.start()

    def _run(self, place: Place) -> None:
        self.exit_code = Runtime(self.spec, place, 0).run()

    def says(self, kind: type[Any]) -> Any:
        """The message of this kind, once it comes."""
        while kind not in self._heard:
            assert self.socket.poll(DEADLINE_MS), f"no {kind.__name__}; it said {list(self._heard)}"
            message = messages.decode_up(self.socket.recv_multipart()[1])
            self._heard[type(message)] = message
        return self._heard[kind]

    def tell(self, *told: messages.Down) -> None:
        for message in told:
            self.socket.send_multipart([f"{self.spec.name}/0".encode(), messages.encode(message)])
            self.slots.ring(0)

    def reading(self) -> Reading:
        return self.slots.read(0, [port.name for port in self.spec.ports])

    def reaches(self, condition: Callable[[Reading], bool]) -> None:
        wait_until(lambda: condition(self.reading()), self.spec.name, DEADLINE_MS / 1000)

    def end(self) -> int | None:
        self.tell(messages.Stop(hurried=True))
        self._thread.join(DEADLINE_MS / 1000)
        assert not self._thread.is_alive()
        return self.exit_code


def await_all(*ports: OpenPort) -> None:
    waiting = list(ports)
    while waiting:
        waiting = [one for one in waiting if not one.in_place()]
        sockets = [(socket, zmq.POLLIN) for one in waiting for socket in one.pollees]
        assert not waiting or zmq.zmq_poll(sockets, DEADLINE_MS), "nothing happens"


def await_peers(port: OpenPort, count: int, meanwhile: Callable[[], None] = lambda: None) -> None:
    while port.count_peers() < count:
        assert zmq.zmq_poll([(one, zmq.POLLIN) for one in port.monitors], DEADLINE_MS), "nothing happens"
        meanwhile()
