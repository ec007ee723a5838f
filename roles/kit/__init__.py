"""What roles stand on. A role of your own needs no more than `from roles.kit import Pull, Push, Role`."""

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
