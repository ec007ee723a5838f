"""What each process would do once for itself, done once for all of them; imported last by the fork server.

What lies in memory by then is put out of the garbage collector's sight: a collection in a child would touch, and so
copy, every page that the child shares with the server.
"""

from __future__ import annotations

import gc
import importlib

from roles.kit import cradle, forked, runtime, spec
from roles.kit.kennel import in_fork_server


def warm() -> None:
    """Load what all need and make what all need, and keep the collector away from it."""
    for name in ("functions", *runtime.BUILT_IN):
        importlib.import_module(f"roles.{name}")
    spec.make_decoders()
    if forked.takes_orders():
        cradle.take_over()
    gc.collect()
    gc.freeze()


if in_fork_server():
    warm()
