"""CURVE keys in files: how they are read, and why some are refused.

A node `worker` has `worker.key`, its public key, and `worker.key_secret`, both keys, in the folder of its pattern. The
format is that of pyzmq's certificates, so that programs of others read them with what they have
(`zmq.auth.load_certificate`). Whoever could write into these files could let himself in, so they are taken from their
owner alone.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import zmq

from roles.kit.calls import HaltError

SUFFIX, SECRET_SUFFIX = ".key", ".key_secret"
LONGEST_FILE_BYTES = 4096

CONTROL = "run-coordinator"
"""The name of the orchestrator's own key on the control channel; no node can have it."""

PUBLISHED = frozenset(
    {
        b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
        b"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
        b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
        b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
    }
)
"""The test keys of libzmq's manual (zmq_curve), which everybody has."""

_Z85 = re.compile(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_LINE = re.compile(rb"^\s*(public-key|secret-key)\s*=\s*\"([^\"\r\n]*)\"\s*$", re.MULTILINE)


class KeyFileError(HaltError):
    """A key cannot be used; the text says which, why, and what to do."""


class KeyPair(NamedTuple):
    """A node's two keys, in Z85."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        """Nobody's log is to show the secret one."""
        return f"KeyPair(public={self.public!r}, secret=…)"


def read_pair(folder: Path, node: str) -> KeyPair:
    """A node's own keys; raises KeyFileError where they are not there, not private, or no pair."""
    path = folder / f"{node}{SECRET_SUFFIX}"
    keys = _read(path, forbidden=0o077)
    public, secret = _key(keys, "public-key", path), _key(keys, "secret-key", path)
    if zmq.curve_public(secret) != public:
        raise KeyFileError(f"cannot use {path}: its two keys do not belong together (make them anew)")
    return KeyPair(public, secret)


def read_public(folder: Path, node: str) -> bytes:
    """A node's public key in Z85; raises KeyFileError where it is not there, or others could have written it."""
    path = folder / f"{node}{SUFFIX}"
    return _key(_read(path, forbidden=0o022), "public-key", path)


def named(folder: Path) -> list[str]:
    """The nodes that have a public key in a folder."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def _key(keys: dict[str, bytes], which: str, path: Path) -> bytes:
    key = keys.get(which, b"")
    if not _Z85.fullmatch(key):
        raise KeyFileError(f"cannot use {path}: it holds no {which} of 40 characters (make the keys anew)")
    if key in PUBLISHED:
        raise KeyFileError(f"cannot use {path}: it is a test key of ZeroMQ's manual, which everybody has")
    return key


def _read(path: Path, *, forbidden: int) -> dict[str, bytes]:
    with _opened(path.parent, os.O_DIRECTORY) as folder:
        _check(folder, path.parent, forbidden=0o077, wanted="0700")
        with _opened(path, os.O_NONBLOCK, folder=folder) as file:
            _check(file, path, forbidden=forbidden, wanted="0600")
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise KeyFileError(f"cannot use {path}: it is no file")
            text = os.read(file, LONGEST_FILE_BYTES)
    return {name.decode(): key for name, key in _LINE.findall(text)}


@contextmanager
def _opened(path: Path, flags: int, *, folder: int | None = None) -> Iterator[int]:
    name = path.name if folder is not None else path
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except FileNotFoundError:
        raise KeyFileError(f"cannot read {path}: it is not there (orchestrator keys makes them)") from None
    except OSError as error:
        if path.is_symlink() and error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
            raise KeyFileError(
                f"cannot use {path}: it is a symbolic link (put the file itself there)"
            ) from None
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    try:
        yield fd
    finally:
        os.close(fd)


def _check(fd: int, path: Path, *, forbidden: int, wanted: str) -> None:
    """What is open is asked, not its path: nobody can change it in between."""
    found = os.fstat(fd)
    if found.st_uid != os.geteuid():
        raise KeyFileError(f"cannot use {path}: it belongs to another user (keys are their owner's alone)")
    if found.st_mode & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        raise KeyFileError(
            f"cannot use {path}: others can get at it, its mode is {mode:04o} (chmod {wanted})"
        )
