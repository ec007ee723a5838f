"""The files that supervisord and the processes under it find in the run's private directory."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from orchestrator.engines.base import EngineError
from orchestrator.engines.supervisord.config import (
    CONFIG,
    LAUNCHER,
    LOGS,
    SOCKET,
    Configuration,
    Extra,
    grouped,
    launcher,
    text,
)
from roles.kit import errand
from roles.kit.spec import Place, ProcessSpec, encode

_CONFIGURATION = "supervisord.json"
_LONGEST_SOCKET_BYTES = 107
_LONGEST_PID = "4194304"


def write_files(
    place: Place, specs: Sequence[ProcessSpec], *, files: int, extra: Extra | None = None
) -> Configuration:
    """Write all that supervisord needs to start these; `files` is how many open files it makes sure of.

    Raises EngineError where that cannot be.
    """
    directory = Path(place.sockets)
    # It binds a name of its own first, and links the one that is known to it.
    size_bytes = len(os.fsencode(f"{directory / SOCKET}.{_LONGEST_PID}"))
    if size_bytes > _LONGEST_SOCKET_BYTES:
        raise EngineError(
            f"cannot use the engine 'supervisor' in {directory}: the path of its socket has {size_bytes} bytes, "
            f"{_LONGEST_SOCKET_BYTES} is the most (set TMPDIR to a shorter path)"
        )
    configuration = Configuration(groups=grouped(specs), files=files, user=_user(), extra=extra)
    with _writing(directory):
        (directory / errand.FOLDER).mkdir(mode=0o700, exist_ok=True)
        (directory / LOGS).unlink(missing_ok=True)
        (directory / LOGS).symlink_to(place.logs)
        root = Path(errand.__file__).absolute().parents[2]
        script = os.fsencode(launcher(python=sys.executable, root=str(root)))
        _write(directory / LAUNCHER, script, mode=0o700)
    write_configuration(directory, configuration)
    return configuration


def write_configuration(directory: Path, configuration: Configuration) -> None:
    """Write what supervisord is told, for it and for an orchestrator that comes later."""
    with _writing(directory):
        _write(directory / _CONFIGURATION, encode(configuration))
        _write(directory / CONFIG, text(configuration).encode("ascii"))


def read_configuration(directory: Path) -> Configuration:
    """What supervisord was told last; raises EngineError where there is none that was told anything."""
    path = directory / _CONFIGURATION
    try:
        return msgspec.json.decode(path.read_bytes(), type=Configuration)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise EngineError(f"cannot read {path}: {why} (is there a run under supervisord?)") from None


def _write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """In one step: supervisord may be reading it, or supervisorctl."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    temporary.rename(path)


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError(f"cannot write in {directory}: {error.strerror} (is the disk full?)") from None


def _user() -> str:
    """The name of root, for root: supervisord wants to be told that it is meant."""
    if os.getuid() != 0:
        return ""
    try:
        return pwd.getpwuid(0).pw_name
    except KeyError:
        return ""
