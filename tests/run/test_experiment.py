"""What the plan holds of a pattern's expectations and faults: defaults, lines, texts, targets, reserves."""

from pathlib import Path

from run.world import plan_of

from orchestrator.run.planner import make_plan
from orchestrator.sources import SourceFinder
from orchestrator.topology.check import check

PIPELINE = """version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 5}}
      worker: {role: worker, connect: [tasks, results], replicas: 2}
      sink: {role: sink, bind: results}
"""
EXPECTING = """    expect:
      sink.received: 5
      tasks.lost: "<= 3"
      worker-2.exit_code: SIGKILL
"""
BREAKING = """    faults:
      - {at: 1s, kill: worker-2}
      - {when: {sink.received: 1000, tasks.sent: 2}, pause: any worker, for: 250ms}
      - {at: 2s, scale: {worker: 4}}
      - when: {tasks.received: 3}
        restart: worker
"""


def expected(text):
    return [(one.path, one.condition, one.line, one.default) for one in plan_of(text).expectations]


def test_nothing_is_lost_and_all_exit_with_0_unless_a_line_says_otherwise():
    assert expected(PIPELINE) == [
        ("tasks.lost", "== 0", None, True),
        ("results.lost", "== 0", None, True),
        ("ventilator.exit_code", "== 0", None, True),
        ("worker.exit_code", "== 0", None, True),
        ("sink.exit_code", "== 0", None, True),
    ]
    assert expected(PIPELINE + EXPECTING) == [
        ("sink.received", "== 5", 10, False),
        ("tasks.lost", "<= 3", 11, False),
        ("worker-2.exit_code", "== SIGKILL", 12, False),
        ("results.lost", "== 0", None, True),
        ("ventilator.exit_code", "== 0", None, True),
        ("worker.exit_code", "== 0", None, True),
        ("sink.exit_code", "== 0", None, True),
    ]


def test_nothing_is_expected_of_what_cannot_be_known_or_does_not_matter():
    text = """version: 1
patterns:
  p:
    endpoints: {weather: ipc, hello: ipc, raw: tcp://127.0.0.1:5999}
    nodes:
      publisher: {role: publisher, bind: weather, params: {count: 1}}
      subscriber: {role: subscriber, connect: weather}
      server: {role: server, bind: hello}
      client: {role: client, connect: hello, params: {retry: {timeout: 1s, attempts: 2}}}
      outside: {external: true, connect: raw}
      sink: {role: sink, bind: raw}
      own: {command: "true", connect: raw}
"""
    paths = [path for path, *_ in expected(text)]
    assert [path for path in paths if path.endswith(".lost")] == []
    assert "outside.exit_code" not in paths
    assert "own.exit_code" in paths


def test_faults_name_whom_they_may_hit_and_where_they_are_written():
    plan = plan_of(PIPELINE + BREAKING)
    kill, pause, scale, restart = plan.faults
    assert (kill.text, kill.targets, kill.at_s, kill.line) == (
        "kill worker-2, 1 s after Go",
        ("worker-2",),
        1.0,
        10,
    )
    assert pause.text == "pause any worker for 0.25 s when sink.received is 1,000 and tasks.sent is 2"
    assert (pause.one_of_them, pause.for_s) == (True, 0.25)
    assert pause.targets == restart.targets == ("worker-1", "worker-2", "worker-3", "worker-4")
    assert (scale.text, scale.scale) == ("scale worker to 4, 2 s after Go", {"worker": 4})
    assert restart.line == 13


def test_processes_that_a_fault_may_add_have_slots_of_their_own_and_stand_in_no_stage():
    plan = plan_of(PIPELINE + BREAKING)
    assert [(spec.name, spec.slot, spec.replica, spec.stage) for spec in plan.reserves] == [
        ("worker-3", 4, 3, 2),
        ("worker-4", 5, 4, 2),
    ]
    assert "worker-3" not in [name for stage in plan.stages for name in stage.processes]


def test_nobody_waits_for_who_comes_late():
    late = PIPELINE.replace("replicas: 2}", "replicas: 2, start_delay: 1s}")
    by_name = {spec.name: spec for spec in plan_of(late).processes}
    assert by_name["worker-1"].start_delay_s == 1.0
    assert [port.attachments[0].peers for port in by_name["ventilator-1"].ports] == [0]
    assert [port.attachments[0].peers for port in by_name["sink-1"].ports] == [0]


def test_numbered_updates_and_repeated_requests_are_known_to_their_books():
    text = """version: 1
patterns:
  p:
    endpoints: {weather: {address: ipc, sequence: true}, hello: ipc}
    nodes:
      publisher: {role: publisher, bind: weather, params: {count: 1}}
      subscriber: {role: subscriber, connect: weather, replicas: 2}
      late: {role: subscriber, connect: weather, start_delay: 1s}
      server: {role: server, bind: hello}
      client: {role: client, connect: hello, params: {retry: {}}}
"""
    plan = plan_of(text)
    by_name = {spec.name: spec for spec in plan.processes}
    assert by_name["publisher-1"].ports[0].sequence
    assert by_name["subscriber-1"].ports[0].sequence
    assert by_name["publisher-1"].ports[0].partners == ("subscriber-1", "subscriber-2")
    assert {book.name: (book.sequenced, book.retried) for book in plan.books} == {
        "weather": (True, False),
        "hello": (False, True),
    }


def test_what_an_option_has_set_has_no_line():
    overrides = [("p.expect.sink.received", "7"), ("p.expect.worker.sent", "1"), ("p.faults.0.at", "3s")]
    checked = check(
        PIPELINE + EXPECTING + BREAKING,
        overrides=overrides,
        environment={},
        read_source=SourceFinder(Path()).read,
    )
    plan = make_plan(checked, "p", file="t.yaml")
    lines = {one.path: one.line for one in plan.expectations if not one.default}
    assert lines == {
        "sink.received": None,
        "worker.sent": None,
        "tasks.lost": 11,
        "worker-2.exit_code": 12,
    }
    assert plan.faults[0].text == "kill worker-2, 3 s after Go"


def test_a_publisher_does_not_wait_for_subscribers_behind_a_proxy_that_comes_late():
    text = """
version: 1
patterns:
  p:
    endpoints: {near: tcp://127.0.0.1:5998, far: tcp://127.0.0.1:5999}
    nodes:
      publisher: {role: publisher, connect: near}
      forwarder: {role: proxy, bind: {frontend: near, backend: far}, params: {kind: forwarder}%s}
      subscriber: {role: subscriber, connect: far, replicas: 2}
"""

    def awaited(delay):
        by_name = {spec.name: spec for spec in plan_of(text % delay).processes}
        return by_name["publisher-1"].ports[0].partners

    assert awaited("") == ("subscriber-1", "subscriber-2")
    assert awaited(", start_delay: 1s") == ()
