"""The small barrier of the plain scripts: `ready` goes out, one line comes in, figures go out at the end."""

from __future__ import annotations

import json
import sys
import time


def wait_for_go() -> float:
    """Say that the sockets are there, wait until all are; the time in seconds."""
    print("ready", flush=True)
    if not sys.stdin.readline():
        sys.exit("nobody said go")
    return time.monotonic()


def tell(**figures: float) -> None:
    """Say what came of it, on one line."""
    print(json.dumps(figures), flush=True)


def stay() -> None:
    """Hold the sockets until nobody listens to this script any more."""
    sys.stdin.read()
