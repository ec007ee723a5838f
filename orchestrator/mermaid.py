"""The words of a Mermaid flowchart: labels and arrows. Pure."""

from __future__ import annotations

from typing import Literal

from orchestrator.cells import printable

Direction = Literal["in", "out", "both", "none"]
"""The way of the data between a node and an endpoint, seen from the node."""

_ENTITIES = (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;"))


def quoted(text: str) -> str:
    """Text as a quoted label. Mermaid knows HTML in it, entities written with `#`, and Markdown in backticks."""
    for char, entity in _ENTITIES:
        text = text.replace(char, entity)
    return '"' + "<br/>".join(printable(line) for line in text.split("\n")) + '"'


def edge(node: str, endpoint: str, label: str, direction: Direction) -> str:
    """An arrow between two identifiers the way the data goes; an empty label is left out."""
    shown = f"|{quoted(label)}|" if label else ""
    match direction:
        case "out":
            return f"{node} -->{shown} {endpoint}"
        case "in":
            return f"{endpoint} -->{shown} {node}"
        case "both":
            return f"{node} <-->{shown} {endpoint}"
        case _:
            return f"{node} ---{shown} {endpoint}"
