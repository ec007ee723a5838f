"""Forms -> the values of `model`: short forms written out, durations in seconds."""

from __future__ import annotations

from typing import Any

from orchestrator.topology.form import EndpointForm, FileForm, NodeForm, PatternForm
from orchestrator.topology.model import Endpoint, Node, Pattern, Topology
from orchestrator.topology.tree import Path


def build(form: FileForm) -> Topology:
    """The topology that a form describes."""
    return Topology(patterns={name: _pattern(pattern) for name, pattern in form.patterns.items()})


def uses(written: str | list[str] | dict[str, Any]) -> list[tuple[str, str, Path]]:
    """Each use of an endpoint under `bind` or `connect`: port ("" if not told), endpoint, path below."""
    if isinstance(written, str):
        return [("", written, ())]
    if isinstance(written, list):
        return [("", endpoint, (index,)) for index, endpoint in enumerate(written)]
    return [
        (port, endpoint, (port, *path))
        for port, endpoints in written.items()
        for _, endpoint, path in uses(endpoints)
    ]


def _pattern(form: PatternForm) -> Pattern:
    return Pattern(
        description=form.description,
        codec=form.codec,
        endpoints={name: _endpoint(endpoint) for name, endpoint in form.endpoints.items()},
        nodes={name: _node(node) for name, node in form.nodes.items()},
        sync=form.sync,
        close=form.close,
        duration_s=form.duration,
        stall_s=form.stall,
        settle_s=form.settle,
        seed=form.seed,
        allow=tuple(form.allow),
    )


def _endpoint(form: str | EndpointForm) -> Endpoint:
    if isinstance(form, str):
        return Endpoint(address=form)
    return Endpoint(address=form.address, codec=form.codec, hwm=form.hwm, idle_after_s=form.idle_after)


def _node(form: NodeForm) -> Node:
    # Params and options come in later, once they are checked against the role.
    return Node(
        role=form.role,
        command=tuple(form.command or ()),
        external=form.external,
        bind=tuple((port, endpoint) for port, endpoint, _ in uses(form.bind)),
        connect=tuple((port, endpoint) for port, endpoint, _ in uses(form.connect)),
        replicas=form.replicas,
        environment=form.environment,
        ports={port: kind.upper() for port, kind in form.ports.items()},
        depends_on=tuple(form.depends_on),
        ready_within_s=form.ready_within,
        stop_grace_period_s=form.stop_grace_period,
    )
