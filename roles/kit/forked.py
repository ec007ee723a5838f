"""How a process of the local engine begins: forked from a server that has all roles in memory."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from roles.kit import leash, runtime, spec, streams


def main(process_json: bytes, place_json: bytes, incarnation: int, log_path: str) -> NoReturn:
    """Be the process that `process_json` describes, in the run that `place_json` describes; its log is `log_path`."""
    leash.put_on()
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Until now this process was in the fork server's group: what is pending was meant for the group, and to ignore a
    # signal takes it back.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # They have been blocked since the fork server's start.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    streams.write_to(log_path)
    runtime.be(spec.decode_process(process_json), spec.decode_place(place_json), incarnation)
