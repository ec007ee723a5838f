"""A plan as its observers are told of it, before anything has happened. Pure."""

from __future__ import annotations

from orchestrator.run.events import RunStarted
from orchestrator.run.outlines import (
    ExpectationOutline,
    FaultOutline,
    LinkOutline,
    ProcessOutline,
    StageOutline,
)
from orchestrator.run.plan import Plan, Stage
from roles.kit.spec import Attachment, ProcessSpec


def run_started(plan: Plan, *, run_id: str, engine: str, seed: int, started_at: str) -> RunStarted:
    """The first event of a run of `plan`."""
    return RunStarted(
        at_s=0.0,
        run_id=run_id,
        topology=plan.topology,
        pattern=plan.pattern,
        description=plan.description,
        engine=engine,
        seed=seed,
        started_at=started_at,
        stages=stage_outlines(plan),
        processes=tuple(process_outline(spec) for spec in plan.processes),
        links=tuple(
            LinkOutline(
                endpoint=link.endpoint,
                kind=link.kind,
                senders=link.senders,
                receivers=link.receivers,
                book=link.book,
            )
            for link in plan.links
        ),
        expectations=tuple(
            ExpectationOutline(path=one.path, condition=one.condition, line=one.line, default=one.default)
            for one in plan.expectations
        ),
        faults=tuple(FaultOutline(text=fault.text, line=fault.line) for fault in plan.faults),
    )


def stage_outlines(plan: Plan) -> tuple[StageOutline, ...]:
    """The stages as they are shown; the last one says why it is the last."""
    last = len(plan.stages) - 1
    return tuple(
        StageOutline(
            nodes=stage_nodes(stage, plan), why=_last_words(stage) if number == last and last else ""
        )
        for number, stage in enumerate(plan.stages)
    )


def stage_nodes(stage: Stage, plan: Plan) -> tuple[tuple[str, int, str], ...]:
    """A stage's nodes: name, replicas, and what its sockets do."""
    first = {spec.node: spec for spec in reversed(plan.processes)}
    return tuple((node, first[node].replicas, _does(first[node])) for node in stage.nodes)


def _last_words(stage: Stage) -> str:
    return "who receives came first" if stage.why.startswith("sends") else stage.why


def _does(spec: ProcessSpec) -> str:
    parts = []
    attachments = [one for port in spec.ports for one in port.attachments]
    for verb in ("binds", "connects", "acknowledges"):
        used = dict.fromkeys(one.endpoint for one in attachments if _verb(one) == verb)
        if used:
            parts.append(f"{verb} {', '.join(used)}")
    if spec.start_delay_s is not None:
        parts.append(f"{spec.start_delay_s:g} s after the others have begun")
    return ", ".join(parts)


def _verb(one: Attachment) -> str:
    if one.acks:
        return "acknowledges"
    return "binds" if one.mode == "bind" else "connects"


def process_outline(spec: ProcessSpec) -> ProcessOutline:
    """A process as the observers are told of it."""
    role = spec.role or ("external" if spec.external else "command")
    return ProcessOutline(
        name=spec.name,
        node=spec.node,
        role=role,
        family=spec.family,
        replica=spec.replica,
        stage=spec.stage,
        receives=spec.receives,
        sends=spec.sends,
        ports={port.name: port.kind for port in spec.ports} if spec.is_role else {},
        sequenced=tuple(port.name for port in spec.ports if port.sequence and port.kind == "SUB"),
        retries=spec.family == "client" and bool(spec.params.get("retry")),
    )
