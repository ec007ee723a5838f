"""Making CURVE keys: a pair for each node that meets others under `security: curve`, in files of its owner's alone."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

import zmq

from roles.kit.keys import SECRET_SUFFIX, SUFFIX, read_pair
from roles.kit.spec import Place, ProcessSpec

FOLDER = ".keys"
"""Beside the topology; in it a folder for each pattern."""


OWN_KEYS = "keys"
"""Where a run makes its own keys, in its private directory: they are gone with it."""


class NoCurveError(Exception):
    """This libzmq has no CURVE; the text says what to do."""


def nodes_under_curve(specs: Iterable[ProcessSpec]) -> list[str]:
    """The nodes that need keys, in the order of the specs: those at endpoints under CURVE, and those that they meet."""
    nodes: dict[str, None] = {}
    for spec in specs:
        for port in spec.ports:
            for one in port.attachments:
                if one.curve is not None:
                    nodes |= dict.fromkeys((spec.node, *one.curve))
    return list(nodes)


def make_own_keys(place: Place, nodes: Iterable[str]) -> None:
    """Make what keys are missing, where the run makes its own; raises what `make_missing` does."""
    if Path(place.keys) == Path(place.sockets) / OWN_KEYS:
        make_missing(Path(place.keys), nodes)


def key_files(
    spec: ProcessSpec, addresses: Mapping[str, tuple[str, ...]], nodes: Mapping[str, str], *, folder: Path
) -> dict[str, str]:
    """The variables by which a command finds keys: its own, and for each endpoint those of who listens there.

    `nodes` tells by address who that is. Of several addresses the files are in the same order, with a colon between.
    """
    if not nodes_under_curve([spec]):
        return {}
    found = {"TOPOLOGY_SECRET_KEY_FILE": str(folder / f"{spec.node}{SECRET_SUFFIX}")}
    for endpoint, several in addresses.items():
        files = [str(folder / f"{nodes[address]}{SUFFIX}") for address in several if address in nodes]
        if files:
            found[f"TOPOLOGY_{endpoint.upper()}_SERVER_KEY_FILE"] = os.pathsep.join(files)
    return found


def make_missing(folder: Path, nodes: Iterable[str]) -> list[str]:
    """Make the keys that are not there yet; whose they are.

    Raises OSError where they cannot be written, NoCurveError, and KeyFileError where what is there cannot be used.
    """
    made = []
    for node in nodes:
        public, secret = folder / f"{node}{SUFFIX}", folder / f"{node}{SECRET_SUFFIX}"
        if not os.path.lexists(secret):
            make_folder(folder)
            with contextlib.suppress(FileNotFoundError):
                public.unlink()  # half of a pair whose other half is gone
            _write(secret, _pair(), secret=True)
            made.append(node)
        if not os.path.lexists(public):
            _write(public, read_pair(folder, node), secret=False)
    return made


def make_folder(folder: Path) -> None:
    """Have a folder for keys that nobody else can look into. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _pair() -> tuple[bytes, bytes]:
    try:
        return zmq.curve_keypair()
    except zmq.ZMQError:
        raise NoCurveError(
            f"cannot make keys: libzmq {zmq.zmq_version()} has no CURVE here (install a pyzmq wheel)"
        ) from None


def _write(path: Path, pair: tuple[bytes, bytes], *, secret: bool) -> None:
    """The file is there with all that is in it, or not at all; one that is there already is never replaced."""
    public_key, secret_key = (key.decode() for key in pair)
    lines = [
        f"#   ZeroMQ CURVE {'secret' if secret else 'public'} certificate of {path.name.partition('.')[0]}",
        *(["#   Whoever has this file is this node: give it to nobody else."] if secret else []),
        "metadata",
        "curve",
        f'    public-key = "{public_key}"',
        *([f'    secret-key = "{secret_key}"'] if secret else []),
    ]
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w") as file:
            file.write("\n".join(lines) + "\n")
        os.link(fresh, path)
    finally:
        fresh.unlink()
