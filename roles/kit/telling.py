"""What a process tells of itself when it has finished or failed, in a form that can be told."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import msgspec


def from_the_users_code_on(trace: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback without the frames of ours that come before the user's, all of it where none is the user's."""
    ours = str(Path(__file__).parent.parent)
    step = trace
    while step is not None and step.tb_frame.f_code.co_filename.startswith(ours):
        step = step.tb_next
    return step or trace


def safe(text: str) -> str:
    """The text without what UTF-8 cannot hold, such as a part of a file's name that is not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def briefly(item: Any, most: int) -> str:
    """The first so many characters of an item as text, for an error; the whole text may be as large as the item."""
    if isinstance(item, msgspec.Raw):
        item = bytes(memoryview(item)[:most])
    try:
        text = repr(item[:most] if isinstance(item, str | bytes) else item)
    except Exception:  # noqa: BLE001 - a number may have too many digits, and who knows what a user's class does
        text = f"a {type(item).__name__}"
    return safe(text if len(text) <= most else f"{text[:most]}…")


def plain(result: Any) -> dict[str, Any] | None:
    """The result as it can be told; what is no plain value is told as text. Raises TypeError for no mapping."""
    if result is None:
        return None
    if not isinstance(result, dict):
        raise TypeError(f"cannot report a {type(result).__name__}: a role's result is a mapping")
    told: dict[str, Any] = msgspec.to_builtins(result, enc_hook=str, str_keys=True)
    return told
