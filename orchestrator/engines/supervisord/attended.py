"""A supervisord that stays: started with a coordinator among its programs, and asked by that to leave in the end."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.engines.base import EngineError
from orchestrator.engines.files import refuse_hungry
from orchestrator.engines.supervisord.config import COORDINATOR, LOG, SOCKET, Extra
from orchestrator.engines.supervisord.daemon import check_version, make_room, start_daemon
from orchestrator.engines.supervisord.files import write_files
from orchestrator.engines.supervisord.rpc import Fault, Rpc
from roles.kit.spec import Place, ProcessSpec

__all__ = ["LOG", "ROOM_FOR_MORE", "ask_to_leave", "start_attended"]

ROOM_FOR_MORE = 100
"""So many more processes can come by scaling before supervisord's limit of open files is reached."""

_SCRIPT = "coordinator"


def start_attended(
    place: Place, specs: Sequence[ProcessSpec], *, entry: str, argument: str, stop_wait_s: int
) -> int:
    """Start a supervisord for these processes that outlives us; its process number.

    Its coordinator is the function `entry` (`module:function`) called with `argument`; supervisord starts it again when
    it dies of a signal, and when it is itself told to leave waits so long for it. Raises EngineError where that cannot
    be.
    """
    check_version()
    files = make_room(len(specs) + ROOM_FOR_MORE, each=refuse_hungry(specs))
    extra = Extra(name=COORDINATOR, command=f"/bin/sh ./{_SCRIPT}", stop_wait_s=stop_wait_s)
    directory = Path(place.sockets)
    write_files(place, specs, files=files, extra=extra)
    try:
        (directory / _SCRIPT).write_bytes(os.fsencode(_script(entry, argument)))
    except OSError as error:
        raise EngineError(f"cannot write in {directory}: {error.strerror} (is the disk full?)") from None
    daemon = start_daemon(directory, owned=False)
    daemon.close()
    return daemon.pid


def ask_to_leave(directory: Path) -> None:
    """Have the supervisord in `directory` leave as soon as its programs have; where there is none, nothing is done."""
    with contextlib.closing(Rpc(directory / SOCKET)) as rpc, contextlib.suppress(EngineError, Fault):
        rpc.call("supervisor.shutdown")


def _script(entry: str, argument: str) -> str:
    module, _, function = entry.partition(":")
    root = str(Path(__file__).absolute().parents[3])
    code = (
        f"import sys; root = {root!a}; root in sys.path or sys.path.insert(0, root); "
        f"from {module} import {function}; {function}(sys.argv[1])"
    )
    words = [sys.executable, "-P", "-c", code, argument]
    return f"#!/bin/sh\nexec {shlex.join(words)}\n"
