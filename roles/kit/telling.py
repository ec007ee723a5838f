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


def plain(result: Any) -> dict[str, Any] | None:
    """The result as it can be told; what is no plain value is told as text. Raises TypeError for no mapping."""
    if result is None:
        return None
    if not isinstance(result, dict):
        raise TypeError(f"cannot report a {type(result).__name__}: a role's result is a mapping")
    told: dict[str, Any] = msgspec.to_builtins(result, enc_hook=str, str_keys=True)
    return told
