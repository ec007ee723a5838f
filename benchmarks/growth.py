"""How it grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def measured(say: Callable[[str], None]) -> dict[str, Any] | None:
    """Nothing yet."""
    say("growth: not yet")
    return None


def picture(grown: dict[str, Any]) -> str:
    """Nothing yet."""
    return str(grown)
