"""What supervisord runs beside a service's processes: its coordinator, from the first start or after a death.

When the service is over, for whatever reason, it writes the summary, has supervisord leave, and leaves itself.
"""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from orchestrator.engines.base import EngineError
from orchestrator.engines.choice import attached
from orchestrator.engines.supervisord.config import COORDINATOR
from orchestrator.observers.journal import Journal, mend_journal, read_journal
from orchestrator.outcome.summary import summarise, to_json
from orchestrator.outcome.values import Summary
from orchestrator.run.events import Known, RunEnded, RunResumed
from orchestrator.run.live import LIVE, read_live, withdraw
from orchestrator.run.planfile import kept_plan
from orchestrator.run.service import Service, kept_service, serve
from orchestrator.rundir import EVENTS, SUMMARY
from orchestrator.verbs.broken import broken_off

_BROKEN = 70

QUICK_DEATHS = 10
QUICK_WITHIN_S = 10.0
PAUSE_S = 1.0
"""A coordinator that has died so often in so short a time waits a while before it tries again."""


def main(run_dir: str) -> NoReturn:
    """Be the coordinator of the service whose record is in `run_dir`. Exits with the run's exit code."""
    folder = Path(run_dir)
    service = kept_service(folder)
    try:
        past = _past(folder)
        if not any(isinstance(event, RunEnded) for event in past):
            _take_breath(past, time.monotonic() - service.started_s)
            _serve(service, folder, past)
        exit_code = _conclude(folder).exit_code
    except Exception:  # noqa: BLE001 - without a coordinator nobody of the service may be left
        traceback.print_exc()
        exit_code = _BROKEN
    _leave(service)
    sys.exit(exit_code)


def _past(folder: Path) -> list[Known]:
    path = folder / EVENTS
    if not path.exists():
        return []
    mend_journal(path)
    past = read_journal(path)
    if not past:
        path.unlink()  # killed in its first line: nothing has begun
    return past


def _take_breath(past: Sequence[Known], now_s: float) -> None:
    deaths = [
        event for event in past if isinstance(event, RunResumed) and now_s - event.at_s < QUICK_WITHIN_S
    ]
    if len(deaths) >= QUICK_DEATHS:
        time.sleep(PAUSE_S)


def _serve(service: Service, folder: Path, past: Sequence[Known]) -> None:
    """Coordinate; what ends it before its time stands in the record, too."""
    with Journal(folder / EVENTS, goes_on=bool(past)) as journal:
        last_s = [0.0]

        def note(event: Known) -> None:
            last_s[0] = event.at_s

        try:
            serve(service, kept_plan(folder), engine=attached(), past=past, observers=[note, journal])
        except EngineError as error:
            text = str(error)
        except Exception as error:  # noqa: BLE001 - nobody is there to see it: it must stand in the record
            traceback.print_exc()
            text = f"the coordinator has failed: {type(error).__name__}: {error} (see logs/{COORDINATOR}.log)"
        else:
            return
        print(text, file=sys.stderr)  # noqa: T201 - it goes to the coordinator's log
        for event in broken_off(text, at_s=last_s[0]):
            journal(event)


def _conclude(folder: Path) -> Summary:
    summary = summarise(read_journal(folder / EVENTS))
    fresh = folder / f".{SUMMARY}"
    fresh.write_bytes(to_json(summary))
    fresh.replace(folder / SUMMARY)
    return summary


def _leave(service: Service) -> None:
    """Have supervisord leave, which waits for us, and leave nothing behind but the record."""
    from orchestrator.engines.supervisord.attended import LOG, ask_to_leave  # noqa: PLC0415 - only a service needs it

    live = read_live(Path(service.run_dir) / LIVE)
    ask_to_leave(Path(service.sockets))
    if live is not None:
        withdraw(live)
    with suppress(OSError):
        shutil.copyfile(Path(service.sockets) / LOG, Path(service.run_dir) / "logs" / LOG)
    shutil.rmtree(service.sockets, ignore_errors=True)
