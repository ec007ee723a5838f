"""How a process is at the moment, in the words of `ps`. Pure."""

from __future__ import annotations

from orchestrator.directions import counts_received, counts_sent
from orchestrator.run.member import Member, Step
from orchestrator.run.outline import process_outline
from orchestrator.run.requests import ProcessState
from roles.kit.spec import PortSpec

_WORDS = {
    Step.PLANNED: "waiting",
    Step.LAUNCHING: "starting",
    Step.LAUNCHED: "starting",
    Step.GREETED: "setting up",
    Step.BOUND: "connecting",
    Step.CONNECTING: "connecting",
    Step.READY: "ready",
    Step.WORKING: "running",
    Step.DONE: "finished",
    Step.ENDED: "gone",
}


def state_of(member: Member, *, now_s: float) -> ProcessState:
    """A member as it is at `now_s`, the run's time."""
    spec = member.spec
    runs = Step.LAUNCHED <= member.step < Step.ENDED and not spec.external
    counts = spec.is_role and spec.family != "proxy"
    receives = [port for port in spec.ports if counts and counts_received(port.kind)]
    sends = [port for port in spec.ports if counts and counts_sent(port.kind)]
    return ProcessState(
        name=member.name,
        node=spec.node,
        role=process_outline(spec).role,
        state=_word(member),
        pid=member.pid if runs else None,
        since_s=max(0.0, now_s - member.launched_s) if runs and member.launched_s is not None else None,
        incarnation=member.incarnation,
        restarts=member.incarnation,
        received=_sum(member, receives, "received"),
        sent=_sum(member, sends, "sent"),
    )


def _word(member: Member) -> str:
    words = (
        (member.over, _end(member)),
        (member.called_off, "called off"),
        (member.paused, "paused"),
        (member.stopped, "stopped"),
        (member.leaving or member.stop_told_s is not None, "leaving"),
        (member.failed is not None, "failed"),
        (member.spec.external, "external"),
        (member.step is Step.PLANNED and member.was_restarted, "restarting"),
    )
    return next((word for holds, word in words if holds), _WORDS[member.step])


def _end(member: Member) -> str:
    if member.left_well or member.stopped_well:
        return "gone"
    return "killed" if member.exited is not None and member.exited.signal is not None else "failed"


def _sum(member: Member, ports: list[PortSpec], way: str) -> int | None:
    return sum(getattr(member.count(port.name), way) for port in ports) if ports else None
