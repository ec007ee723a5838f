"""What is different between two plans, and what becomes of slots and books."""

import pytest
from run.test_faults import PIPELINE
from run.world import plan_of

from orchestrator.run.difference import difference, successor
from orchestrator.run.scaling import scaled

PLAN = plan_of(PIPELINE)


def changed(*replacements):
    text = PIPELINE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return plan_of(text)


@pytest.mark.parametrize(
    ("replacements", "changes", "again"),
    [
        ([], (), ()),
        ([("replicas: 3", "replicas: 5")], ("worker: 3 → 5 processes: worker-4, worker-5 come",), ()),
        ([("replicas: 3", "replicas: 2")], ("worker: 3 → 2 processes: worker-3 leaves",), ()),
        ([("count: 1}", "count: 2}")], ("ventilator: params changed: ventilator-1 starts again",), ("ventilator-1",)),
        (
            [("replicas: 3", "replicas: 3, restart: always, ready_within: 1s, stop_grace_period: 1s, task_timeout: 9s")],
            ("worker: restart, ready_within, stop_grace_period, task_timeout changed: nobody is touched",),
            (),
        ),
        (
            [("bind: results}", "bind: results, environment: {A: b}}")],
            ("sink: environment changed: sink-1 starts again",),
            ("sink-1",),
        ),
        (
            [("tasks: ipc", "tasks: 'tcp://127.0.0.1:*'")],
            (
                "ventilator: sockets, address of tasks changed: ventilator-1 starts again",
                "worker: address of tasks changed: worker-1, worker-2, worker-3 start again",
            ),
            ("worker-1", "worker-2", "worker-3", "ventilator-1"),
        ),
        (
            [("sink: {", "audit: {role: sink, connect: tasks}\n      sink: {")],
            ("audit: new, 1 process",),
            (),
        ),
        (
            [("    nodes:", "    stall: 9s\n    expect: {sink.received: 1}\n    nodes:")],
            ("stall, expect changed: nobody is touched",),
            (),
        ),
    ],
)  # fmt: skip
def test_only_what_differs_is_named(replacements, changes, again):
    found = difference(PLAN, changed(*replacements))
    assert sorted(found.changes) == sorted(changes)
    assert set(found.again) == set(again)
    assert found.why_not == ""


def test_what_gaps_do_changes_and_touches_nobody():
    """A subscriber is told of it when it comes; the rest is the coordinator's."""
    feed = """
version: 1
patterns:
  p:
    endpoints: {news: {address: ipc, sequence: true, gaps: GAPS}}
    nodes:
      publisher: {role: publisher, bind: news, params: {count: 1}}
      subscriber: {role: subscriber, connect: news}
"""
    found = difference(plan_of(feed.replace("GAPS", "warn")), plan_of(feed.replace("GAPS", "fail")))
    assert (found.changes, found.again) == (("news: gaps changed: nobody is touched",), ())


def test_a_node_that_goes_is_named():
    text = PIPELINE.replace("sink: {", "audit: {role: sink, connect: tasks}\n      sink: {")
    found = difference(plan_of(text), PLAN)
    assert found.changes == ("audit: goes, 1 process",)
    assert found.leaving == ("audit-1",)


@pytest.mark.parametrize(
    ("replacements", "why"),
    [
        ([("    nodes:", "    close: at_once\n    nodes:")], "'close' cannot change in the middle of a run"),
        ([("    nodes:", "    sync: none\n    nodes:")], "'sync' cannot change in the middle of a run"),
        ([("    nodes:", "    faults: [{at: 1s, kill: worker-1}]\n    nodes:")], "'faults' cannot change in the middle of a run"),
        (
            [("role: worker, connect: [tasks, results]", "command: python3 x.py, connect: [tasks, results]")],
            "what is counted at tasks would be another thing than before",
        ),
        (
            [("tasks: ipc", "jobs: ipc"), ("bind: tasks", "bind: {tasks: jobs}"), ("[tasks, results]", "{tasks: jobs, results: results}")],
            "what ventilator has counted at tasks would be counted at jobs from now on",
        ),
    ],
)  # fmt: skip
def test_what_cannot_change_is_told(replacements, why):
    assert difference(PLAN, changed(*replacements)).why_not == why


def slots(plan):
    return {spec.name: spec.slot for spec in (*plan.processes, *plan.retired)}


def test_who_goes_on_keeps_its_slot_and_nobody_has_that_of_another():
    plan = PLAN
    seen: dict[str, int] = slots(PLAN)
    for replicas in (5, 2, 7, 1, 3):
        plan = scaled(plan, "worker", replicas)
        now = slots(plan)
        assert len(set(now.values())) == len(now)
        assert all(seen.setdefault(name, slot) == slot for name, slot in now.items())
        assert [spec.name for spec in plan.processes if spec.node == "worker"] == [
            f"worker-{number}" for number in range(1, replicas + 1)
        ]
    assert {spec.name for spec in plan.retired} == {f"worker-{number}" for number in (4, 5, 6, 7)}


def test_a_scaled_plan_is_the_plan_of_that_file_but_for_who_has_left():
    bigger = scaled(PLAN, "worker", 5)
    planned = successor(changed(("replicas: 3", "replicas: 5")), PLAN)
    assert bigger == planned


def test_who_has_left_stays_in_the_books():
    smaller = scaled(PLAN, "worker", 1)
    (tasks,) = [book for book in smaller.books if book.name == "tasks"]
    assert [name for name, _ in tasks.receivers] == ["worker-1", "worker-2", "worker-3"]
    gone = successor(changed(("sink: {", "other: {")), PLAN)
    assert ("sink-1", "results") in next(book for book in gone.books if book.name == "results").receivers
