"""How much memory a process has come to need: what a socket keeps for its peers shows there."""

from __future__ import annotations

import resource
import sys

_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_BYTES
