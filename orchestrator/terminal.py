"""Where output goes and how it is dressed: what was asked for on stdout, all else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from orchestrator.cells import Style, ansi, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Both streams with their styles; `live` says whether progress can be drawn on stderr."""

    out: TextIO
    err: TextIO
    out_style: Style = plain
    err_style: Style = plain
    live: bool = False

    def answer(self, text: str) -> bool:
        """Write what was asked for; False where the reader has gone away, and has seen enough."""
        return _write(self.out, text)

    def tell(self, text: str) -> None:
        """Write what is to be known beside it."""
        _write(self.err, text)


def terminal(environment: Mapping[str, str]) -> Terminal:
    """The process's own streams. `NO_COLOR` goes before `FORCE_COLOR`, that before what the streams are."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return Terminal(
        out=sys.stdout,
        err=sys.stderr,
        out_style=_style(sys.stdout, environment),
        err_style=_style(sys.stderr, environment),
        live=_draws(sys.stderr, environment),
    )


def _style(stream: TextIO, environment: Mapping[str, str]) -> Style:
    if environment.get("NO_COLOR"):
        return plain
    forced = environment.get("FORCE_COLOR", "")
    if forced:
        return plain if forced == "0" else ansi
    return ansi if _draws(stream, environment) else plain


def _draws(stream: TextIO, environment: Mapping[str, str]) -> bool:
    return stream.isatty() and environment.get("TERM") != "dumb"


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes once more when it ends and would complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True
