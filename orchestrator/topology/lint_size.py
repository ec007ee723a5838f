"""Lint of `max_message` and `hwm`: a socket has one limit of each for all that it sends and receives."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.sizes import in_words
from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View


def sizes_alike(view: View) -> Iterator[Finding]:
    """A socket has one limit for all endpoints that it meets; what passes one side of a proxy must pass the other."""
    for path, who, _, names in view.met_together():
        sizes = {name: view.pattern.endpoints[name].max_message_bytes for name in names}
        if len(set(sizes.values())) > 1:
            met = " and ".join(f"'{name}' with {in_words(size)}" for name, size in sizes.items())
            yield Finding(
                code="max-message",
                text=f"{who} meets {met} as the largest message",
                path=path,
                hint="write one max_message at both",
            )


def marks_alike(view: View) -> Iterator[Finding]:
    """A socket has one high-water mark for all endpoints that it meets; the two of a proxy may have one each."""
    for path, who, is_proxy, names in view.met_together():
        marks = {name: view.pattern.endpoints[name].hwm for name in names}
        if not is_proxy and None not in marks.values() and len(set(marks.values())) > 1:
            met = " and ".join(f"'{name}' with hwm: {mark}" for name, mark in marks.items())
            yield Finding(code="hwm", text=f"{who} meets {met}", path=path, hint="write one hwm at both")


RULES = (sizes_alike, marks_alike)
