"""Sources of roles for the tests: those of this project, and a few of a user's."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MINE = """
import elsewhere
import roles.worker
from abc import ABC
from typing import ClassVar
from roles.kit import Dealer, Duration, Pull as Inlet, Push, Role
from roles.worker import Worker


class Plain:
    pass


class Foreign(elsewhere.Thing):
    tasks = Inlet()


class Thinner(Role, ABC):
    source = True
    frames = Inlet()
    thin = Push(optional=True)
    keep: int
    within: Duration = 1.0
    limit: "int | None" = None
    shared: ClassVar[int] = 3
    _own: int = 0


class Twofold(Role):
    source = True
    left = Push()
    right = Push()


class Both(Role):
    left = Inlet()
    right = Inlet()


class Faster(Worker):
    speed: float = 2.0


class Fastest(roles.worker.Worker):
    results = Dealer()
    call = None


class Circle(Circle):
    pass
"""

SOURCES = {
    "mine": MINE,
    "broken": "class Role(:\n",
    "pkg.inner": "from .base import Base as Aliased\nclass Inner(Aliased): pass\n",
    "pkg.base": "from mine import Thinner\nclass Base(Thinner): extra: str = ''\n",
    "circle": "from circle import Round\n",
}


def read_source(module: str) -> str | None:
    """A module's source: a user's from above, or this project's own."""
    if module in SOURCES:
        return SOURCES[module]
    path = ROOT.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if module.startswith("roles") and file.is_file():
            return file.read_text(encoding="utf-8")
    return None
