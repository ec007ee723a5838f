"""Lint of who may reach an endpoint: what is open to other machines, and what cannot be guarded."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View


def open_binds(view: View) -> Iterator[Finding]:
    """Addresses that other machines can reach, while everybody is let in and nothing is encrypted."""
    if not view.entire:
        return  # what was left out may have been its security
    for name, address in view.addresses.items():
        endpoint = view.pattern.endpoints[name]
        insecure = view.pattern.insecure if endpoint.insecure is None else endpoint.insecure
        ours = [wire for wire in view.at(name, "bind") if not view.pattern.nodes[wire.node].external]
        if ours and not address.loopback and not view.pattern.is_curve(name) and not insecure:
            text = f"'{name}' is open to other machines: nothing is encrypted, and everybody is let in"
            hint = "write security: curve, or 127.0.0.1; with insecure: true it may be so"
            path = view.path("endpoints", name, "address")
            yield Finding(code="open-bind", text=text, path=path, hint=hint)


def unguarded_programs(view: View) -> Iterator[Finding]:
    """Commands and externals that bind under CURVE: whom they let in is up to them, and nobody could promise it."""
    for wire, path in view.wires.items():
        node = view.pattern.nodes[wire.node]
        if wire.mode == "bind" and not node.role and view.pattern.is_curve(wire.endpoint):
            text = f"'{wire.node}' is a program of its own: nobody can say whom it would let in at '{wire.endpoint}'"
            hint = "let it connect, and a role or a proxy bind"
            yield Finding(code="curve-bind", text=text, path=path, hint=hint)


RULES = (open_binds, unguarded_programs)
