"""The verb `down`: what runs comes to its end, drained if that can be, and is reported on."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.engines.handles import Handle
from orchestrator.run.live import LIVE, Live, withdraw
from orchestrator.run.reception import Asker, AskError, reception_address, ticket
from orchestrator.run.requests import Down
from orchestrator.rundir import SUMMARY
from orchestrator.terminal import Terminal
from orchestrator.topology.durations import in_words
from orchestrator.verbs.asking import if_interrupted
from orchestrator.verbs.documents import worst
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.finding import Wanted, is_private, not_among, running, shown
from orchestrator.verbs.reporting import recorded, told

ANSWER_WITHIN_S = 2.0
TERM_WITHIN_S = 15.0
_KILL_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.02


def down(wanted: Wanted, *, timeout_s: float, terminal: Terminal) -> int:
    """Bring the services that are meant to their end, or where there is none, the runs; the worst exit code of theirs.

    1 where one had to be ended by force, or goes on all the same; 0 where nothing runs.
    """
    runs = _meant(wanted, terminal)
    with if_interrupted("interrupted; what was asked to come to its end still does (orchestrator ps shows how it is)"):
        ends = [_End(live, wanted, terminal, timeout_s=timeout_s) for live in runs]
        while not all(end.look() for end in ends):
            time.sleep(_LOOK_EVERY_S)
    for end in ends:
        end.clear_away()
    return worst(_reported(end, terminal, several=len(ends) > 1) for end in ends)


def _meant(wanted: Wanted, terminal: Terminal) -> list[Live]:
    runs = running(wanted)
    chosen = [live for live in runs if wanted.pattern in (None, live.pattern)]
    services = [live for live in chosen if live.service]
    for live in chosen if services else ():
        if not live.service:
            place = shown(live.run_dir)
            terminal.tell(f"{live.pattern} runs in the foreground too, and goes on (--run-dir {place} ends it)\n")
    ...
