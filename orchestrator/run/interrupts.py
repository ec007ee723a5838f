"""SIGINT and SIGTERM as news that can be waited for."""

from __future__ import annotations

import os
import signal
import types
from typing import Self


class Interrupts:
    """While it is entered, the two signals are noted instead of ending the program."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def __enter__(self) -> Self:
        """Note the signals from now on."""
        self._old = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._old.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """A descriptor that can be read while a signal awaits `take`."""
        return self._reader

    def take(self) -> list[str]:
        """The names of the signals that have come since, in order."""
        names, self._names = self._names, []
        while names:
            try:
                if not os.read(self._reader, 512):
                    break
            except BlockingIOError:
                break
        return names

    def _note(self, number: int, frame: types.FrameType | None) -> None:  # noqa: ARG002 - the signature is Python's
        self._names.append(signal.Signals(number).name)
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            return
