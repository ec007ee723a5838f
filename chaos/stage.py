"""A stage for one role: it runs as a process, and whoever holds the stage is its coordinator."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from roles.kit import messages, spec
from roles.kit.slot import Count, Reading, SlotFile

DEADLINE_S = 60.0
_ROOT = Path(__file__).resolve().parents[1]
_LOOK_EVERY_S = 0.002
_FAREWELL_MS = 200


class StageError(Exception):
    """The role did not do what it must."""


class Stage:
    """One role process in a run of its own. Its ports bind tcp addresses, or connect to those in `connect`.

    `{folder}` in a param is the stage's own folder. What `connect` says may be set until it is entered.

    `ports` maps each port to its socket kind and what else its spec says. Use it as a context manager: when it is left
    the process is gone.
    """

    def __init__(
        self,
        role: str,
        ports: Mapping[str, Mapping[str, Any]],
        *,
        params: Mapping[str, Any] | None = None,
        connect: Mapping[str, str] | None = None,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="stage-")
        self.folder = Path(self._temporary.name)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.connect = dict(connect or {})
        self._slots = SlotFile(self.folder / "slots", slots=1)
        self._socket = self.context.socket(zmq.ROUTER)
        self._socket.bind(f"ipc://{self.folder}/control")
        self._identity = b""
        self._bound: messages.Bound | None = None
        specs = tuple(self._port(name, dict(fields)) for name, fields in ports.items())
        # A role that may be started again writes each line at once, so that it can be looked at.
        restart = spec.Restart(policy="on-failure")
        self._spec = spec.ProcessSpec(
            name=f"{role.rpartition(':')[2].lower()}-1",
            node=role.rpartition(":")[2].lower(),
            role=role,
            ports=specs,
            params={
                key: value.replace("{folder}", str(self.folder)) if isinstance(value, str) else value
                for key, value in (params or {}).items()
            },
            restart=restart,
        )
        place = spec.Place(
            run_id="stage",
            pattern="stage",
            folder=str(_ROOT / "chaos"),
            control=f"ipc://{self.folder}/control",
            slots=str(self.folder / "slots"),
            sockets=str(self.folder),
            logs=str(self.folder),
            seed=1,
        )
        (self.folder / "process.json").write_bytes(spec.encode(self._spec))
        (self.folder / "place.json").write_bytes(spec.encode(place))
        command = [sys.executable, "-m", "chaos.actor", str(self.folder)]
        self.process = subprocess.Popen(command, cwd=_ROOT)
        self.addresses: dict[str, str] = {}

    def _port(self, name: str, fields: dict[str, Any]) -> spec.PortSpec:
        one = (
            spec.Attachment(endpoint=name, mode="connect")
            if name in self.connect
            else spec.Attachment(endpoint=name, mode="bind", address="tcp://127.0.0.1:*")
        )
        return spec.PortSpec(name=name, attachments=(one,), **fields)

    def __enter__(self) -> Self:
        self.addresses = self._hear_bound().addresses
        self.tell(messages.Connect(addresses={name: [at] for name, at in self.connect.items()}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        # Not at once: libzmq aborts where a connection breaks while its socket forgets the rest of a message.
        self.context.destroy(linger=_FAREWELL_MS)
        self._temporary.cleanup()

    def go(self) -> None:
        """Start the role's work, whoever is connected."""
        self.tell(messages.Go())

    def tell(self, message: messages.Down) -> None:
        """Say something on the control channel."""
        self._socket.send_multipart([self._identity, messages.encode(message)])
        self._slots.ring(0)

    def _hear_bound(self) -> messages.Bound:
        until_s = time.monotonic() + DEADLINE_S
        while self._bound is None:
            if time.monotonic() > until_s:
                raise StageError(f"nothing is bound: {self.log}")
            self._socket.poll(100)
            self.check()
        return self._bound

    def check(self) -> None:
        """Raise StageError, with what it printed, where the role has ended or failed."""
        if self.process.poll() is not None:
            raise StageError(f"the role has ended with {self.process.returncode}: {self.log}")
        while self._socket.poll(0):
            self._identity, frame = self._socket.recv_multipart()
            message = messages.decode_up(frame)
            if isinstance(message, messages.Failed):
                raise StageError(f"the role has failed: {message.text}\n{message.traceback}{self.log}")
            if isinstance(message, messages.Bound):
                self._bound = message

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something; raises StageError where the role ends before, or nothing comes of it."""
        until_s = time.monotonic() + DEADLINE_S
        while not condition():
            self.check()
            if time.monotonic() > until_s:
                raise StageError(f"{what}: not within {DEADLINE_S:g} s; {self.reading()}; {self.log}")
            time.sleep(_LOOK_EVERY_S)

    def reading(self) -> Reading:
        """What the role's slot says."""
        return self._slots.read(0, [port.name for port in self._spec.ports])

    def count(self, port: str) -> Count:
        """What the role has counted at a port."""
        return self.reading().ports[port]

    @property
    def rss_bytes(self) -> int:
        """Memory of the role that is in use now, but for what it shares with files."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise StageError("the role is gone")

    @property
    def log(self) -> str:
        """The end of what the role printed."""
        try:
            return (self.folder / "log").read_text(errors="replace")[-2000:]
        except OSError:
            return ""
