"""Lint of `sequence: true`: where updates can be numbered, and who sees the numbers."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View
from orchestrator.topology.zeromq import PUBLISHES, SUBSCRIBES


def sequence_kinds(view: View) -> Iterator[Finding]:
    """Only updates are numbered: what is pushed, asked or answered is counted anyway."""
    for name, endpoint in view.pattern.endpoints.items():
        kinds = {wire.kind for mode in ("bind", "connect") for wire in view.at(name, mode) if wire.kind}
        is_feed = kinds & (PUBLISHES | SUBSCRIBES)
        if not endpoint.sequence or is_feed or (not kinds and not view.entire):
            continue
        text = f"cannot number the messages at '{name}': it is no publish-subscribe"
        hint = "leave sequence out: what comes is counted here" if kinds else "leave sequence out"
        path = view.path("endpoints", name, "sequence")
        yield Finding(code="sequence", text=text, path=path, hint=hint, on="key")


def gaps_without_numbers(view: View) -> Iterator[Finding]:
    """What gaps do, where nobody can see any."""
    for name, endpoint in view.pattern.endpoints.items():
        if endpoint.gaps is None or endpoint.sequence:
            continue
        text = f"nobody could see a gap at '{name}': its updates have no numbers"
        path = view.path("endpoints", name, "gaps")
        yield Finding(code="sequence", text=text, path=path, hint="write sequence: true as well", on="key")


def sequence_strangers(view: View) -> Iterator[Finding]:
    """Programs of others, who see the number as one more frame."""
    for wire, path in view.wires.items():
        if view.pattern.endpoints[wire.endpoint].sequence and not wire.port:
            text = f"'{wire.node}' has to do with one more frame in each update: its number"
            hint = "leave sequence out, or allow: [sequence-frame]"
            yield Finding(code="sequence-frame", text=text, path=path, hint=hint, severity="warning")


def sequence_alike(view: View) -> Iterator[Finding]:
    """A port numbers or does not, at all of its endpoints; so do the two sides of a proxy."""
    for path, who, _, names in view.met_together():
        has = {name: view.pattern.endpoints[name].sequence for name in names}
        if len(set(has.values())) > 1:
            met = " and ".join(
                f"'{name}' {'with' if told else 'without'} numbers" for name, told in has.items()
            )
            hint = "write sequence: true at both, or at neither"
            yield Finding(code="sequence", text=f"{who} meets {met}", path=path, hint=hint)


RULES = (sequence_kinds, gaps_without_numbers, sequence_strangers, sequence_alike)
