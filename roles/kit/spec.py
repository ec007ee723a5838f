"""What one process is told of itself: a plain value, written by the plan and read by the runtime.

A spec holds nothing of one particular run; what is particular (where the control channel listens, where
sockets live) is a `Place`. Both travel to the process as JSON, never as pickle.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec

PROXY_KINDS: dict[str, tuple[str, str]] = {
    "queue": ("ROUTER", "DEALER"),
    "forwarder": ("XSUB", "XPUB"),
    "streamer": ("PULL", "PUSH"),
}
"""Socket kinds of a proxy's frontend and backend by the proxy's kind (the guide, chapter 2: built-in proxies)."""

READY_TOPIC = b"\0ready/"
"""A subscriber's last subscription is this and its name: a publisher that sees it has seen all its filters."""

END_TOPIC = b"\0end/"
"""A publisher that has finished sends this and its name, until each subscriber has it."""

SOCKETS_TOKEN = "{sockets}"  # noqa: S105 - a placeholder, not a secret
"""Stands in planned ipc addresses for the run's private socket directory."""


LEAST_MESSAGE_BYTES = 1024
"""Where delivery is acknowledged no endpoint may allow less: a header is one frame, and acknowledgements are no larger.
"""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""No message is larger unless its endpoint says so."""

LONGEST_BACKOFF_S = 30.0
"""However often a process has been started again, it is not kept away for longer."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the values below: frozen, keyword-only, encodable as JSON."""


class Attachment(Spec, frozen=True, kw_only=True):
    """One endpoint at one port of one process.

    `address` is where to bind; `{sockets}` in it stands for the run's private directory. It is empty for a
    connector, which hears the addresses on the control channel. `peers` counts the connections awaited at a
    binder. Under CURVE, `curve` names the nodes at the far side: whom a binder lets in, or whose keys a connector asks
    for; None is a plain endpoint. Where `acks` is true it is no socket of the role's that connects, but the one which
    acknowledges.
    """

    endpoint: str
    mode: Literal["bind", "connect"]
    address: str = ""
    peers: int = 0
    acks: bool = False
    curve: tuple[str, ...] | None = None


class PortSpec(Spec, frozen=True, kw_only=True):
    """One port: its socket kind in capitals, its endpoints, and how its messages are encoded.

    `partners` names the processes at the far end: for a PUB the subscribers whose ready names it awaits, for
    a SUB the publishers whose end marks close it, both counted through proxies. `delimited` says that a
    DEALER speaks to REPs and so sends an empty frame first. `copies` is the number of sockets behind the port
    (a client's `sockets`). With `sequence` a PUB numbers its updates by topic, and a SUB looks at the numbers; where
    it `forgives_beginning`, what was sent before it came is no gap.
    With `batch` a PUSH packs up to so many items into a frame, and a PULL unpacks them; `one_by_one` they are worked
    and counted each by itself all the same, so that the slot tells which one is in hand. A message of
    more than `max_message_bytes` is not sent, and whoever sends one all the same is disconnected.

    `delivery` is the port's part where delivery is acknowledged: a source's outlet *gives* tasks, a worker's inlet
    *takes* them, its outlet *passes* results on, and a sink's inlet *keeps* them. No worker has more than `window`
    unacknowledged tasks.
    """

    name: str
    kind: str
    codec: str = "json"
    attachments: tuple[Attachment, ...] = ()
    hwm: int | None = None
    options: dict[str, int | str] = {}
    partners: tuple[str, ...] = ()
    delimited: bool = False
    copies: int = 1
    sequence: bool = False
    forgives_beginning: bool = False
    batch: int = 1
    delivery: Literal["", "give", "take", "pass", "keep"] = ""
    window: int = 0
    one_by_one: bool = False
    max_message_bytes: int = MAX_MESSAGE_BYTES


class Restart(Spec, frozen=True, kw_only=True):
    """Whether a process that ends without being asked to is started again.

    `on-failure` means after a signal or an exit code other than 0, `always` whatever the exit code. The first delay is
    `backoff_s`; more than `most` restarts within `within_s` seconds are a failure of the run.
    """

    policy: Literal["no", "on-failure", "always"] = "no"
    most: int = 5
    within_s: float = 60.0
    backoff_s: float = 0.5


class ProcessSpec(Spec, frozen=True, kw_only=True):
    """One process of a plan; `role` is a built-in name or `module:Class`, empty where there is a `command`.

    `replica` counts from 1 to `replicas`. A `command` gets its addresses as `TOPOLOGY_<ENDPOINT>`; an `external`
    process is never launched. The planner says by `receives` and `sends` whether traffic comes to it, and whether it
    begins any: a role's sockets tell that, and for a command or an external those of its partners, as far as they do.
    With `start_delay_s` it is launched so long after Go, and nobody waits for it. One that neither waits nor counts
    for `task_timeout_s` hangs.
    """

    name: str
    node: str
    role: str = ""
    family: str = ""
    replica: int = 1
    replicas: int = 1
    stage: int = 1
    slot: int = 0
    ports: tuple[PortSpec, ...] = ()
    params: dict[str, Any] = {}
    environment: dict[str, str] = {}
    command: tuple[str, ...] = ()
    external: bool = False
    receives: bool = False
    sends: bool = False
    source: bool = False
    start_delay_s: float | None = None
    ready_within_s: float = 10.0
    stop_grace_s: float = 5.0
    task_timeout_s: float | None = None
    restart: Restart = Restart()

    @property
    def is_role(self) -> bool:
        """True where the process runs one of our roles and so speaks on the control channel."""
        return not self.command and not self.external


class Place(Spec, frozen=True, kw_only=True):
    """What is particular to one run: directories are absolute paths, `control` is a ZeroMQ address.

    `sockets` is short and private (0700); `folder` is the topology's own, from which functions and files
    resolve. `keys` is where the pattern's CURVE keys lie.
    """

    run_id: str
    pattern: str
    folder: str
    control: str
    slots: str
    sockets: str
    logs: str
    seed: int
    hold: bool = True
    keys: str = ""


def encode(value: Spec) -> bytes:
    """JSON bytes of a spec or a place, its fields in their declared order."""
    return msgspec.json.encode(value)


def decode_process(data: bytes) -> ProcessSpec:
    """The `ProcessSpec` in `data`; raises `msgspec.ValidationError` where it is none."""
    return _process_decoder().decode(data)


def decode_place(data: bytes) -> Place:
    """The `Place` in `data`; raises `msgspec.ValidationError` where it is none."""
    return _place_decoder().decode(data)


def make_decoders() -> None:
    """Make the decoders, which takes longer than a process's other first steps together, before the first need."""
    _process_decoder()
    _place_decoder()


@functools.cache
def _process_decoder() -> msgspec.json.Decoder[ProcessSpec]:
    return msgspec.json.Decoder(ProcessSpec)


@functools.cache
def _place_decoder() -> msgspec.json.Decoder[Place]:
    return msgspec.json.Decoder(Place)
