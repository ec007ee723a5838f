"""The engines by name, imported only where they are used: start-up counts."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engines.base import Clock, Engine, EngineChoice

ENGINES = ("local", "supervisor")


def choose(name: str) -> EngineChoice:
    """The engine of that name, one of `ENGINES`."""
    return EngineChoice(name, {"local": _local, "supervisor": _supervisor}[name])


def get_ready(name: str, folder: Path) -> None:
    """Let the engine of that name begin with what takes its time and needs no topology; sockets go to `folder`."""
    if name == "local":
        from orchestrator.engines import nursery  # noqa: PLC0415 - it alone brings multiprocessing

        nursery.get_ready(folder)


def _local(clock: Clock) -> Engine:
    from orchestrator.engines.local import LocalEngine  # noqa: PLC0415 - it alone brings multiprocessing

    return LocalEngine(clock)


def _supervisor(clock: Clock) -> Engine:
    from orchestrator.engines.supervisor import SupervisorEngine  # noqa: PLC0415 - it alone brings supervisor

    return SupervisorEngine(clock, owns=True)


def attached() -> EngineChoice:
    """The engine `supervisor` for a coordinator that supervisord itself has started."""
    return EngineChoice("supervisor", _attached)


def _attached(clock: Clock) -> Engine:
    from orchestrator.engines.supervisor import SupervisorEngine  # noqa: PLC0415 - it alone brings supervisor

    return SupervisorEngine(clock, owns=False)
