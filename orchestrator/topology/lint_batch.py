"""Lint of `batch: N`: where items can be packed, and who has to unpack them."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View

PACKED = frozenset({"PUSH", "PULL"})


def batch_kinds(view: View) -> Iterator[Finding]:
    """Only what is pushed is packed: a filter looks at one update, and a reply answers one request."""
    for name, endpoint in view.pattern.endpoints.items():
        kinds = {wire.kind for mode in ("bind", "connect") for wire in view.at(name, mode) if wire.kind}
        others = sorted(kinds - PACKED)
        if endpoint.batch > 1 and others:
            text = f"cannot pack items at '{name}': it is met by {' and '.join(others)}"
            hint = "leave batch out: PUSH and PULL alone know it"
            path = view.path("endpoints", name, "batch")
            yield Finding(code="batch", text=text, path=path, hint=hint, on="key")


def batch_strangers(view: View) -> Iterator[Finding]:
    """Programs of others, who see an array where an item would be."""
    for wire, path in view.wires.items():
        if view.pattern.endpoints[wire.endpoint].batch > 1 and not wire.port:
            form = "a JSON array" if view.codec(wire.endpoint) == "json" else "a MessagePack array"
            text = f"'{wire.node}' has to do with frames of many items: each is {form}"
            hint = "leave batch out, or allow: [batch-frame]"
            yield Finding(code="batch-frame", text=text, path=path, hint=hint, severity="warning")


def batch_alike(view: View) -> Iterator[Finding]:
    """A port packs or does not, at all of its endpoints; so do the two sides of a proxy."""
    for path, who, is_proxy, names in view.met_together():
        sizes = {name: view.pattern.endpoints[name].batch for name in names}
        differ = {size > 1 for size in sizes.values()} if is_proxy else set(sizes.values())
        if len(differ) > 1:
            met = " and ".join(f"'{name}' with batch: {size}" for name, size in sizes.items())
            yield Finding(code="batch", text=f"{who} meets {met}", path=path, hint="write one batch at both")


RULES = (batch_kinds, batch_strangers, batch_alike)
