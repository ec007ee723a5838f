"""How long who is to leave may take: by what it is at."""

from __future__ import annotations

import pytest
from run.world import plan_of

from orchestrator.run.commands import Signal
from orchestrator.run.crew import Crew
from orchestrator.run.member import Member, Step
from orchestrator.run.stopper import GRACE_AFTER_FAILURE_S, GRACE_OF_LEAVERS_S, see_off
from roles.kit.messages import Failed
from roles.kit.slot import Reading, State

PIPELINE = """
version: 1
patterns:
  p:
    endpoints: {tasks: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
      worker: {role: sink, connect: tasks, stop_grace_period: 8s}
"""


def at_work(member: Member) -> None:
    member.reading = Reading(state=State.RUNNING)


def failed(member: Member) -> None:
    member.reading, member.failed = Reading(state=State.RUNNING), Failed(kind="raised", text="no")


def finished(member: Member) -> None:
    member.reading = Reading(state=State.FINISHED)


@pytest.mark.parametrize(
    ("hurried", "is_at", "grace_s"),
    [
        pytest.param(False, at_work, 8.0, id="its own grace"),
        pytest.param(True, at_work, GRACE_AFTER_FAILURE_S, id="at work, in a hurry"),
        pytest.param(True, failed, GRACE_OF_LEAVERS_S, id="failed, in a hurry"),
        pytest.param(True, finished, GRACE_OF_LEAVERS_S, id="finished, in a hurry"),
    ],
)
def test_who_is_told_to_leave_has_its_grace_before_a_signal(hurried: bool, is_at, grace_s: float) -> None:
    crew = Crew(plan_of(PIPELINE))
    member = crew.members["worker-1"]
    member.step, member.pid = Step.WORKING, 1
    is_at(member)
    signals = {}
    for now_s in (0.0, grace_s - 0.01, grace_s + 0.01):
        crew.now_s = now_s
        see_off(crew, member, hurried=hurried)
        signals[now_s] = [command.signal for command in crew.take_commands() if isinstance(command, Signal)]
    assert list(signals.values()) == [[], [], ["SIGTERM"]]
