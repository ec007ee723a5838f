"""Where streams go round: whom the end of a cycle must leave alone."""

from __future__ import annotations

import pytest
from run.world import plan_of

from orchestrator.run.books import Book
from orchestrator.run.commands import Tell
from orchestrator.run.crew import Crew
from orchestrator.run.endings import Endings
from orchestrator.run.member import Step
from roles.kit.messages import End
from roles.kit.slot import Count, Reading, State

ACKNOWLEDGED = """
version: 1
patterns:
  p:
    endpoints: {updates: ipc, taken: ipc}
    nodes:
      publisher: {role: "m:Publisher", bind: [updates, taken], ports: {updates: pub, taken: pull}}
      quick: {role: "m:Quick", connect: [updates, taken], ports: {updates: sub, taken: push}}
      slow: {role: "m:Slow", connect: updates, ports: {updates: sub}}
"""


def ends_told(*, publisher: Step, quick: Step, after_s: float = 1.0) -> set[tuple[str, str]]:
    """Who is told of an end after three readings, everybody having waited so long, the slow subscriber behind the others."""
    crew = Crew(plan_of(ACKNOWLEDGED))
    books = [Book(book, crew) for book in crew.plan.books]
    endings = Endings(crew, books)
    counts = {
        "publisher-1": ("taken", {"updates": Count(sent=9), "taken": Count(received=9)}),
        "quick-1": ("updates", {"updates": Count(received=9), "taken": Count(sent=9)}),
        "slow-1": ("updates", {"updates": Count(received=3)}),
    }
    for name, (port, ports) in counts.items():
        member = crew.members[name]
        member.step, member.pid = Step.WORKING, 1
        member.reading = Reading(state=State.RECEIVING, port=port, ports=ports)
    crew.members["publisher-1"].step, crew.members["quick-1"].step = publisher, quick
    crew.now_s = after_s
    for _ in range(3):
        crew.note_awake(frozenset())
        endings.look()
    told = [command for command in crew.take_commands() if isinstance(command, Tell)]
    return {(one.process, one.message.port) for one in told if isinstance(one.message, End)}


def test_a_cycle_at_rest_ends() -> None:
    assert ("publisher-1", "taken") in ends_told(publisher=Step.WORKING, quick=Step.WORKING)


def test_an_update_may_be_on_its_way_for_a_while() -> None:
    assert ends_told(publisher=Step.WORKING, quick=Step.WORKING, after_s=0.2) == set()


def test_who_hears_a_publisher_that_has_finished_waits_for_its_mark() -> None:
    assert ends_told(publisher=Step.DONE, quick=Step.WORKING) == set()
    assert ends_told(publisher=Step.DONE, quick=Step.DONE) == set()


PIPELINE = """
version: 1
patterns:
  p:
    endpoints: {tasks: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}, stop_grace_period: 5s}
      sink: {role: sink, connect: tasks}
"""


@pytest.mark.parametrize(
    ("in_place_s", "waited_s", "since_s"),
    [
        pytest.param(0.0, 0.0, 1.0, id="since it was told"),
        pytest.param(4.0, 0.0, 4.0, id="since it came again"),
        pytest.param(0.0, 3.0, 3.0, id="since it waited"),
    ],
)
def test_a_source_that_was_told_to_finish_has_its_grace(
    in_place_s: float, waited_s: float, since_s: float
) -> None:
    crew = Crew(plan_of(PIPELINE))
    endings = Endings(crew, [Book(book, crew) for book in crew.plan.books])
    source = crew.members["ventilator-1"]
    source.step, source.pid, source.in_place_s, source.waited_s = Step.WORKING, 1, in_place_s, waited_s
    source.reading = Reading(state=State.RUNNING)
    found = {}
    for now_s in (since_s + 4.9, since_s + 5.1):
        crew.now_s = now_s
        found[now_s] = endings.reluctant(told_s=1.0)
    assert list(found.values()) == [[], [source]]
