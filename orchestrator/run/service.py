"""A run that stays: its coordinator is a program under supervisord like its processes, and may die without ending it.

What the next coordinator needs stands in the run directory: `service.json`, the plan, and the journal of what has been
made known. The clock of the run is the machine's own, which goes on whoever lives.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from orchestrator.engines.base import EngineChoice
from orchestrator.run import events
from orchestrator.run.coordinator import Coordinator
from orchestrator.run.interrupts import Interrupts
from orchestrator.run.outline import run_started
from orchestrator.run.plan import Plan
from orchestrator.run.recall import plan_of_the_past
from orchestrator.run.runner import Observer, Runner, place_of
from orchestrator.run.sockets import lock_directory
from roles.kit.spec import Place

SERVICE = "service.json"


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change of a service. Folders are absolute; `started_s` is of the machine's monotonic clock."""

    run_id: str
    folder: str
    sockets: str
    run_dir: str
    seed: int
    started_at: str
    started_s: float
    keys: str = ""

    def place(self, plan: Plan) -> Place:
        """What its processes are told of this run."""
        return place_of(
            plan,
            run_id=self.run_id,
            folder=Path(self.folder),
            sockets=Path(self.sockets),
            run_dir=Path(self.run_dir),
            seed=self.seed,
            keys=Path(self.keys) if self.keys else None,
        )


def keep_service(service: Service) -> None:
    """Write it into its run directory; raises OSError where that cannot be done."""
    path = Path(service.run_dir) / SERVICE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(service), indent=2) + b"\n")


def kept_service(run_dir: Path) -> Service:
    """What is kept there; raises OSError or ValueError where nothing can be read."""
    return msgspec.json.decode((run_dir / SERVICE).read_bytes(), type=Service)


def serve(
    service: Service,
    plan: Plan,
    *,
    engine: EngineChoice,
    past: Sequence[events.Known],
    observers: Sequence[Observer],
) -> events.RunEnded:
    """Be the coordinator of a service until it ends; the last event. `past` is what earlier ones have made known.

    SIGTERM is the wish that it ends. Raises EngineError where the machine cannot run it.
    """
    lock = lock_directory(Path(service.sockets))
    try:
        with Interrupts() as interrupts:
            place = service.place(plan)
            if not past:
                Path(place.slots).unlink(missing_ok=True)  # of one that came no further than that

            def clock() -> float:
                return time.monotonic() - service.started_s

            plan = plan_of_the_past(plan, past)
            runner = Runner(
                plan=plan,
                place=place,
                run_dir=Path(service.run_dir),
                engine=engine.make(clock),
                coordinator=Coordinator(
                    plan, _outline(service, plan, past, engine.name), sockets=place.sockets, serves=True
                ),
                observers=observers,
                clock=clock,
                interrupts=interrupts,
            )
            return runner.run(past=past)
    finally:
        os.close(lock)


def _outline(service: Service, plan: Plan, past: Sequence[events.Known], engine: str) -> events.RunStarted:
    """The run as it was made known first, so that its seed and its start stay what they were."""
    first = next((event for event in past if isinstance(event, events.RunStarted)), None)
    return first or run_started(
        plan, run_id=service.run_id, engine=engine, seed=service.seed, started_at=service.started_at
    )
