"""What roles stand on. A role of your own needs no more than `from roles.kit import Pull, Push, Role`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roles.kit.calls import Function
    from roles.kit.control import Finish
    from roles.kit.pipeline import Pull, Push, relay
    from roles.kit.ports import Ended
    from roles.kit.pubsub import Pub, Sub
    from roles.kit.reqrep import Dealer, Rep, Req, Router
    from roles.kit.role import Duration, InputFile, InputFiles, OutputFile, Retry, Role

__all__ = [
    "Dealer",
    "Duration",
    "Ended",
    "Finish",
    "Function",
    "InputFile",
    "InputFiles",
    "OutputFile",
    "Pub",
    "Pull",
    "Push",
    "Rep",
    "Req",
    "Retry",
    "Role",
    "Router",
    "Sub",
    "relay",
]

_HOMES = {
    "calls": ("Function",),
    "control": ("Finish",),
    "pipeline": ("Pull", "Push", "relay"),
    "ports": ("Ended",),
    "pubsub": ("Pub", "Sub"),
    "reqrep": ("Dealer", "Rep", "Req", "Router"),
    "role": ("Duration", "InputFile", "InputFiles", "OutputFile", "Retry", "Role"),
}
"""The modules of the names above. They bring zmq with them, and who only reads a topology needs none of it."""


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
