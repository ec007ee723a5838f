"""The work of the services in services.yaml."""

from __future__ import annotations

import time


def answer(request: str) -> str:
    """Answer after a little thought."""
    time.sleep(0.005)
    return f"{request}, World"
