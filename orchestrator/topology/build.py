"""Forms -> the values of `model`: short forms written out, durations in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.topology.conditions import ConditionError
from orchestrator.topology.expectations import condition_at
from orchestrator.topology.form import (
    ACTIONS,
    EndpointForm,
    FaultForm,
    FileForm,
    NodeForm,
    PatternForm,
    RestartForm,
    any_of,
)
from orchestrator.topology.model import (
    Endpoint,
    Expectation,
    Fault,
    Node,
    Pattern,
    Policy,
    Restart,
    Topology,
)
from orchestrator.topology.scalars import Value
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
        security=form.security,
        insecure=form.insecure,
        endpoints={name: _endpoint(endpoint) for name, endpoint in form.endpoints.items()},
        nodes={name: _node(node) for name, node in form.nodes.items()},
        sync=form.sync,
        close=form.close,
        duration_s=form.duration,
        stall_s=form.stall,
        settle_s=form.settle,
        seed=form.seed,
        expect=tuple(_expectations(form.expect)),
        faults=tuple(fault for written in form.faults for fault in _faults(written)),
        allow=tuple(form.allow),
    )


def _endpoint(form: str | EndpointForm) -> Endpoint:
    if isinstance(form, str):
        return Endpoint(address=form)
    return Endpoint(
        address=form.address,
        codec=form.codec,
        hwm=form.hwm,
        idle_after_s=form.idle_after,
        sequence=form.sequence,
        gaps=form.gaps,
        batch=form.batch,
        delivery=form.delivery,
        window=form.window,
        max_message_bytes=form.max_message,
        security=form.security,
        insecure=form.insecure,
    )


def _expectations(written: Mapping[str, Value]) -> Iterator[Expectation]:
    """The expectations that can be read; the lint tells of the others."""
    for path, value in written.items():
        try:
            yield Expectation(path=path, condition=str(condition_at(path, value)))
        except ConditionError:
            continue


def _faults(form: FaultForm) -> Iterator[Fault]:
    """The fault that a form describes, or none where it is not complete; the lint tells of those."""
    actions = [action for action in ACTIONS if getattr(form, action) is not None]
    if len(actions) != 1 or (form.at is None) is (form.when is None):
        return
    action = actions[0]
    target = "" if action == "scale" else getattr(form, action)
    one_of_them, name = any_of(target)
    yield Fault(
        action=action,
        at_s=form.at,
        when=form.when or {},
        target=name,
        one_of_them=one_of_them,
        for_s=form.for_,
        scale=form.scale or {},
    )


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
        start_delay_s=form.start_delay,
        restart=_restart(form.restart),
        ready_within_s=form.ready_within,
        stop_grace_period_s=form.stop_grace_period,
        task_timeout_s=form.task_timeout,
    )


def _restart(form: Policy | RestartForm) -> Restart:
    if not isinstance(form, RestartForm):
        return Restart(policy=form)
    return Restart(policy=form.policy, most=form.most, within_s=form.within, backoff_s=form.backoff)
