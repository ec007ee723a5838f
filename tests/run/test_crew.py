"""Who seems to wait, and what the kernel says of it."""

import pytest
from run.world import plan_of

from orchestrator.run.crew import BELIEVED_AFTER_S, Crew

PIPELINE = """
version: 1
patterns:
  p:
    endpoints: {tasks: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
      worker: {role: sink, connect: tasks, replicas: 2}
"""


@pytest.fixture
def crew():
    made = Crew(plan_of(PIPELINE))
    for member in made.members.values():
        member.pid = 1
    return made


def test_nobody_is_found_asleep_before_somebody_has_looked(crew):
    workers = crew.named(["worker-1", "worker-2"])
    crew.note_awake(frozenset())
    assert not crew.found_asleep(workers)
    assert crew.doubted == {"worker-1", "worker-2"}
    crew.note_awake(frozenset())
    assert crew.found_asleep(workers)
    assert crew.doubted == {"worker-1", "worker-2"}, "the next reading is to tell it again"


def test_one_question_does_not_answer_another(crew):
    one, other = crew.named(["worker-1"]), crew.named(["worker-2"])
    crew.note_awake(frozenset())
    crew.found_asleep(one)
    crew.note_awake(frozenset())
    assert crew.found_asleep(one)
    assert not crew.found_asleep(other)
    crew.note_awake(frozenset())
    assert crew.found_asleep(one)
    assert crew.found_asleep(other)


def test_who_is_awake_does_not_wait_and_is_believed_in_the_end(crew):
    workers = crew.named(["worker-1", "worker-2"])
    found = []
    for at_s in (0.0, 0.1, 2.0, BELIEVED_AFTER_S, BELIEVED_AFTER_S + 0.2):
        crew.now_s = at_s
        crew.note_awake(frozenset({"worker-2"}))
        found.append(crew.found_asleep(workers))
    assert found == [False, False, False, False, True]


def test_who_is_doubted_again_is_doubted_anew(crew):
    worker = crew.named(["worker-1"])
    for at_s, asked in ((0.0, True), (1.0, True), (2.0, False), (10.0, True), (11.0, True)):
        crew.now_s = at_s
        crew.note_awake(frozenset({"worker-1"}))
        assert not (asked and crew.found_asleep(worker)), f"at {at_s} s"


def test_of_who_has_ended_nothing_is_asked(crew):
    worker = crew.members["worker-1"]
    worker.pid = None
    crew.note_awake(frozenset())
    assert crew.found_asleep([worker])
