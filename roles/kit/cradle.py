"""What a child of the fork server does before it is a role: multiprocessing's first steps, but for those it can spare.

Multiprocessing sends each child a pickle of its process object and of the parent's settings. To take that in is a tenth
of all that a child does until its end, and each page that it touches becomes one of its own. Ours are told what to be
by a short message, and all take over one process object that the server has made.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import Any

from roles.kit import forked

_signal: Any = sys.modules["_signal"]
"""What `signal` stands on. That would do the same, and make enums of what was there."""


class Newborn(ForkServerProcess):
    """A process of multiprocessing's that is a role process as soon as it knows which."""

    order: forked.Order

    def __init__(self) -> None:
        super().__init__()
        self._parent_pid = os.getppid()  # for its children the server's parent is theirs

    def run(self) -> None:
        """Be what the order says."""
        order = self.order
        forked.main(order.process_json, order.place_json, order.incarnation, order.log_path)


def take_over() -> None:
    """Have the server's children begin here. To be called once, in the server."""
    server: Any = forkserver
    newborn = Newborn()

    def serve_one(
        child_r: int, fds: Sequence[int], unused_fds: Sequence[int], handlers: Mapping[int, Any]
    ) -> int:
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            _signal.signal(number, handler if callable(handler) else int(handler))
        for fd in unused_fds:
            os.close(fd)
        tracker: Any = resource_tracker
        server._forkserver._forkserver_alive_fd, tracker._resource_tracker._fd, *inherited = fds
        server._forkserver._inherited_fds = inherited
        order = newborn.order = forked.read_order(child_r)
        newborn.name = order.name
        sys.path[:], sys.argv[:] = order.path, order.arguments
        # The orchestrator holds the pipe's other end as long as it lives: that is how `parent_process` knows.
        return int(newborn._bootstrap(parent_sentinel=child_r))  # type: ignore[attr-defined]

    server._serve_one = serve_one
