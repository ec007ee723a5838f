"""What a process under supervisord is to do: a file in the run's private directory that it takes as it begins.

supervisord itself is told nothing but the process's name, so any value arrives whole. The process removes the file,
so that nobody who is started later by somebody else takes it for his own.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from roles.kit.spec import Place, ProcessSpec, Spec, encode

FOLDER = "specs"


class Errand(Spec, frozen=True, kw_only=True):
    """One incarnation of a process in one run; `parent` is the process number of the supervisord that starts it."""

    process: ProcessSpec
    place: Place
    incarnation: int
    parent: int


def leave(directory: Path, errand: Errand) -> None:
    """Put it where the process will look, in one step; whoever is started before finds nothing."""
    path = _path(directory, errand.process.name)
    temporary = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(encode(errand))
    temporary.rename(path)


def take(directory: Path, process: str) -> Errand | None:
    """What the process is to do, which is gone from the directory then; None where nobody has left it anything."""
    path = _path(directory, process)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    path.unlink()
    return msgspec.json.decode(data, type=Errand)


def withdraw(directory: Path, process: str) -> None:
    """Take back what nobody has taken."""
    _path(directory, process).unlink(missing_ok=True)


def _path(directory: Path, process: str) -> Path:
    return directory / FOLDER / f"{process}.json"
