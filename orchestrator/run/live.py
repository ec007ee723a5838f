"""The record of a run that goes on, by which other terminals find it: `live.json` in its private and its run directory.

Both are removed when the run is over. One that was left by a run that was killed is known by nobody listening there.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

LIVE = "live.json"
PREFIX = "zmq-topology-"
SUPERVISOR_SOCKET = "supervisor.sock"
"""In a private directory; `engines.supervisord.config` has the same name."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """One run that goes on. `file` is the topology's absolute path; `pid` is the orchestrator's, or supervisord's.

    A `service` was brought up to stay.
    """

    run_id: str
    file: str
    pattern: str
    engine: str
    pid: int
    sockets: str
    run_dir: str
    service: bool = False


def base() -> Path:
    """The system's place for temporary files, unless it is so deep that sockets would not fit."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= 30 or not Path("/tmp").is_dir() else Path("/tmp")  # noqa: S108


def private_directories() -> list[Path]:
    """The private directories of this user's runs, dead ones included."""
    return sorted(path for path in base().glob(f"{PREFIX}{os.getuid()}-*") if _is_ours(path))


def _is_ours(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.getuid()
    except FileNotFoundError:
        return False  # its run has just ended


def announce(live: Live) -> None:
    """Write the record of a run; raises OSError where that cannot be done."""
    for folder in (live.sockets, live.run_dir):
        path = Path(folder) / LIVE
        fresh = path.with_suffix(".fresh")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(live), indent=2) + b"\n")
        fresh.replace(path)


def withdraw(live: Live) -> None:
    """Remove the record of a run that is over."""
    for folder in (live.sockets, live.run_dir):
        (Path(folder) / LIVE).unlink(missing_ok=True)


def read_live(path: Path) -> Live | None:
    """The record in a file; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Live)
    except (OSError, msgspec.MsgspecError):
        return None


def live_runs() -> Iterator[Live]:
    """This user's runs that go on, found by their private directories."""
    for folder in private_directories():
        live = read_live(folder / LIVE)
        if live is not None and is_alive(live):
            yield live


def is_alive(live: Live) -> bool:
    """Whether a run goes on: under supervisord that answers, else with an orchestrator that listens."""
    name = SUPERVISOR_SOCKET if live.service else "requests"
    return listens(Path(live.sockets) / name)


def listens(path: Path) -> bool:
    """Whether somebody listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except (BlockingIOError, TimeoutError):
            return True  # its queue is full
        except OSError:
            return False
        return True
