"""What each line of a process begins with, wherever lines of several stand together: `worker-1 | `. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.cells import NAME_COLOURS, Style, pad, width

_WIDEST = 24


class Prefixes:
    """`worker-1 | ` for each process, all of one width, coloured by node."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._nodes: dict[str, str] = {}
        self._colours: dict[str, str] = {}
        self._column = 0

    def add(self, nodes: Mapping[str, str]) -> None:
        """Make room for these processes, each with its node."""
        for process, node in nodes.items():
            self._nodes[process] = node
            self._colours.setdefault(node, f"name{len(self._colours) % NAME_COLOURS}")
        self._column = min(_WIDEST, max([self._column, *map(width, nodes)]))

    def of(self, process: str) -> str:
        """What each line of a process begins with."""
        if process not in self._nodes:
            return f"{process} | "
        return self._style(self._colours[self._nodes[process]], f"{pad(process, self._column)} | ")
