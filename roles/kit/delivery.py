"""What the ports of one process share where delivery is acknowledged: who they are, where their ledgers lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from roles.kit import failpoints
from roles.kit.kept import Keeping
from roles.kit.parcels import Mark
from roles.kit.positions import Runs
from roles.kit.spec import Place, ProcessSpec


class Giver(Protocol):
    """The outlet of a source."""

    def begin_after(self) -> int:
        """So many tasks, the first, are over."""

    @property
    def owes(self) -> bool:
        """An earlier incarnation has given tasks that this one has not come to."""


class Taker(Protocol):
    """The inlet of a worker."""

    def conclude(self) -> None:
        """Pass on what is done."""


class Passer(Protocol):
    """The outlet of a worker; `results` are those of tasks that have not been passed on."""

    results: list[Any]

    def pass_results(self, source: bytes, tasks: list[int], counts: list[int] | None) -> int:
        """Send the results of the first of these tasks, as many as make a message; how many tasks that are."""

    def pass_again(self, source: bytes, tasks: Runs) -> None:
        """Send once more the results of these tasks, as far as they are still there."""

    def pass_mark(self, mark: Mark) -> None:
        """Send a mark to the sink."""


def _nothing(step: str) -> None:
    pass


class Delivery:
    """Made before the role is set up and its ports are opened; these find each other here.

    `fail` is called at each step at which a test may end the process; `hand_at` is where in the slot a worker's task in
    hand stands.
    """

    def __init__(
        self, spec: ProcessSpec, place: Place, incarnation: int, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.process = spec.name
        self.slot = spec.slot
        self.incarnation = incarnation
        self.folder = Path(place.logs).parent / "delivery"
        self.fail: Callable[[str], None] = failpoints.armed(environment, spec.name, incarnation) or _nothing
        self.hand_at = 0
        self.giver: Giver | None = None
        self._gave = incarnation > 0 and any(port.delivery == "give" for port in spec.ports)
        self.taker: Taker | None = None
        self.passer: Passer | None = None
        self.keeping: Keeping | None = None
        if any(port.delivery == "keep" for port in spec.ports):
            self.keeping = Keeping(self.folder / f"{spec.name}.kept", self.fail)

    def identity(self, prefix: bytes) -> bytes:
        """By what name a socket of this incarnation is known to others."""
        return prefix + f"{self.process}/{self.incarnation}".encode()

    @property
    def owes(self) -> bool:
        """Tasks that an earlier incarnation gave are still to be given; before the port is open nobody knows."""
        return self.giver.owes if self.giver is not None else self._gave

    @property
    def begin_after(self) -> int:
        """So many of a source's first tasks are done for good, and need not be made again."""
        return self.giver.begin_after() if self.giver is not None else 0
