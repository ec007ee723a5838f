"""Expectations, faults, late starts, numbers and retries: what is right, and what it means."""

import msgspec
import pytest
from test_check import PIPELINE, checked
from test_problems import problems_of

from orchestrator.topology.expectations import unit_of
from orchestrator.topology.lint import ALLOWED
from orchestrator.topology.lint_expect import SIGNALS

NEWS = """\
version: 1
patterns:
  p:
    endpoints:
      news: {address: ipc, sequence: true}
      more: {address: ipc, sequence: true}
    nodes:
      pub: {role: publisher, connect: news, params: {count: 10}}
      proxy: {role: proxy, bind: {frontend: news, backend: more}, params: {kind: forwarder}}
      sub: {role: subscriber, connect: more, replicas: 2, params: {report: "m:f"}}
"""

HELLO = """\
version: 1
patterns:
  p:
    endpoints: {hello: ipc, work: ipc}
    nodes:
      client: {role: client, connect: hello, replicas: 2, params: {retry: {}}}
      queue: {role: proxy, bind: {frontend: hello, backend: work}, params: {kind: queue}}
      server: {role: server, connect: work}
"""

MIXED = """\
version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: {address: ipc, idle_after: 1s}}
    nodes:
      source: {role: ventilator, bind: tasks, params: {count: 1}}
      upper: {command: x, connect: [tasks, results]}
      sink: {role: sink, bind: results}
"""

OWN = """\
version: 1
patterns:
  p:
    endpoints: {frames: ipc, thin: ipc}
    nodes:
      camera: {role: ventilator, bind: frames, params: {count: 1, workload_ms: [1, 2]}}
      thinner: {role: "mine:Thinner", connect: [frames, thin], params: {keep: 2}}
      screen: {role: sink, bind: thin}
"""


def pattern(text, *overrides, **environment):
    (found,) = checked(text, *overrides, **environment).topology.patterns.values()
    return found


def expected(text, *lines, **environment):
    """The conditions by their paths, as the file says them in these lines."""
    written = text + "    expect:\n" + "".join(f"      {line}\n" for line in lines)
    return {one.path: one.condition for one in pattern(written, **environment).expect}


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (PIPELINE, "elapsed_s ready_s work_s speedup"),
        (PIPELINE, "worker.received worker.sent worker.rate worker-3.received worker-1.max_rss_bytes"),
        (PIPELINE, "worker.received.jain worker.sent.min worker.busy_s.max worker.restarts.mean"),
        (PIPELINE, "ventilator.sent sink.received sink-1.cpu_s sink.ready_s ventilator.result.tasks"),
        (PIPELINE, "tasks.sent tasks.received tasks.lost tasks.unread tasks.foreign results.lost"),
        (NEWS, "pub.sent sub.received sub.missed sub-2.gaps sub.duplicates.max sub.result.a sub.result.b.c"),
        (NEWS, "news.sent news.received news.lost more.lost more.duplicates more.foreign proxy.cpu_s"),
        (HELLO, "client.retried client-1.late client.duplicates client.p50_ms client-2.max_ms client.p99_ms"),
        (HELLO, "hello.replies.sent work.replies.received hello.replies.lost hello.unread server.received"),
        (MIXED, "upper.elapsed_s tasks.sent results.received results.foreign"),
        (OWN, "speedup thinner.received thinner.sent thinner.result.anything thinner-1.result.at-all"),
    ],
)
def test_every_measure_that_there_is_can_be_expected(text, paths):
    lines = [f'{path}: ">= 0"' for path in paths.split()]
    assert expected(text, *lines) == dict.fromkeys(paths.split(), ">= 0")


def test_conditions_are_kept_in_their_one_form():
    assert expected(
        PIPELINE,
        "sink.received: 100",
        'worker.received.jain: ">= 0.9"',
        "tasks.lost: 0..2_000",
        "worker.exit_code: [0, SIGKILL]",
        "worker-1.exit_code: SIGKILL",
        'sink.elapsed_s: "< 1m30s"',
        "ready_s: 2s",
        'worker.sent: "== ventilator.sent"',
        "work_s: 0.5s..3s",
    ) == {
        "sink.received": "== 100",
        "worker.received.jain": ">= 0.9",
        "tasks.lost": "0..2000",
        "worker.exit_code": "one of 0, SIGKILL",
        "worker-1.exit_code": "== SIGKILL",
        "sink.elapsed_s": "< 90",
        "ready_s": "== 2",
        "worker.sent": "== ventilator.sent",
        "work_s": "0.5..3",
    }


def test_a_result_may_be_anything_and_its_text_is_left_alone():
    assert expected(
        OWN,
        "thinner.result.error: EFSM",
        'thinner.result.zip: "02134"',
        "thinner.result.for: 5s",
        'thinner.result.waited_ms: "< 2s"',
        "thinner.result.file: thin.received",
        'thinner.result.text: ">= 5"',
    ) == {
        "thinner.result.error": "== EFSM",
        "thinner.result.zip": '== "02134"',
        "thinner.result.for": '== "5s"',
        "thinner.result.waited_ms": "< 2000",
        "thinner.result.file": '== "thin.received"',
        "thinner.result.text": ">= 5",
    }


def test_variables_are_read_as_the_measure_needs_them():
    lines = [
        "sink.received: ${N}",
        'worker.received: "${N}"',
        'worker.sent: ">= ${N}"',
        'sink.exit_code: ["${CODE}", "${SIGNAL}"]',
        'elapsed_s: "${T:-3s}"',
        'ventilator.result.tasks: "${N}"',
        "ventilator.result.work_ms: ${N}",
    ]
    assert expected(PIPELINE, *lines, N="10", CODE="3", SIGNAL="SIGTERM") == {
        "sink.received": "== 10",
        "worker.received": "== 10",
        "worker.sent": ">= 10",
        "sink.exit_code": "one of 3, SIGTERM",
        "elapsed_s": "== 3",
        "ventilator.result.tasks": '== "10"',
        "ventilator.result.work_ms": "== 10",
    }


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("elapsed_s", "s"),
        ("worker.busy_s.max", "s"),
        ("client.p99_ms", "ms"),
        ("client-1.max_ms", "ms"),
        ("sink.received", ""),
        ("sink.restarts.max", ""),
        ("sink.result.waited_ms", "ms"),
        ("sink.result.waited_s.max", ""),
    ],
)
def test_the_name_of_a_measure_tells_its_unit(path, unit):
    assert unit_of(path) == unit


def test_the_lines_of_expectations_and_faults_are_known():
    text = PIPELINE + (
        "    expect:\n      sink.received: 100\n      worker.received.jain: 1\n"
        "    faults:\n      - {at: 1s, kill: worker-1}\n      - when: {sink.received: 5}\n        kill: worker-2\n"
    )
    first = PIPELINE.count("\n") + 1
    lines = checked(text).lines["pipeline"]
    assert lines["expect.sink.received"] == first + 1
    assert lines["expect.worker.received.jain"] == first + 2
    assert (lines["faults.0"], lines["faults.0.kill"]) == (first + 4, first + 4)
    assert (lines["faults.1"], lines["faults.1.kill"]) == (first + 5, first + 6)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("{at: 2s, kill: worker-2}", {"action": "kill", "at_s": 2.0, "target": "worker-2"}),
        ("{at: 0s, terminate: sink}", {"action": "terminate", "at_s": 0.0, "target": "sink"}),
        (
            "{when: {worker-1.received: 500, tasks.sent: 9}, pause: any worker, for: 1s}",
            {
                "action": "pause",
                "when": {"worker-1.received": 500, "tasks.sent": 9},
                "target": "worker",
                "one_of_them": True,
                "for_s": 1.0,
            },
        ),
        (
            "{at: 1s, resume: ' any  worker '}",
            {"action": "resume", "at_s": 1.0, "target": "worker", "one_of_them": True},
        ),
        (
            "{at: 1s, restart: sink-1, for: 200ms}",
            {"action": "restart", "at_s": 1.0, "target": "sink-1", "for_s": 0.2},
        ),
        ("{at: 3s, scale: {worker: 6}}", {"action": "scale", "at_s": 3.0, "scale": {"worker": 6}}),
        ("{at: '${T}', kill: '${WHO}'}", {"action": "kill", "at_s": 1.0, "target": "worker"}),
    ],
)
def test_what_faults_mean(written, fault):
    text = f"{PIPELINE}    faults:\n      - {written}\n"
    (found,) = pattern(text, T="1s", WHO="worker").faults
    assert msgspec.to_builtins(found) == fault


def test_processes_that_a_fault_adds_are_known():
    text = PIPELINE + (
        "    faults: [{at: 1s, scale: {worker: 5}}, {at: 2s, kill: worker-5}, {when: {worker-4.sent: 1}, kill: sink}]\n"
    )
    assert expected(text, "worker-5.received: 1") == {"worker-5.received": "== 1"}
    assert [problem.code for problem in problems_of(text.replace("kill: worker-5", "kill: worker-6"))] == [
        "fault-target"
    ]


def test_a_command_that_connects_can_be_scaled_and_hit():
    text = f"{MIXED}    faults: [{{at: 1s, scale: {{upper: 2}}}}, {{at: 2s, kill: any upper}}]\n"
    assert [fault.scale for fault in pattern(text).faults] == [{"upper": 2}, {}]


def test_what_is_restarted_on_purpose_is_not_told():
    text = f"{PIPELINE}    faults: [{{at: 1s, restart: ventilator}}]\n"
    assert [problem.code for problem in checked(text).warnings] == ["starts-over"]
    assert checked(f"{text}    allow: starts-over\n").warnings == ()
    assert {"starts-over", "sequence-frame"} <= ALLOWED


def test_a_node_may_start_late():
    text = HELLO.replace("connect: work}", "connect: work, start_delay: 1s}").replace(
        "queue: {", "queue: {start_delay: 0s, depends_on: server, "
    )
    nodes = pattern(text).nodes
    assert (nodes["server"].start_delay_s, nodes["queue"].start_delay_s) == (1, 0)
    assert nodes["client"].start_delay_s is None


@pytest.mark.parametrize("address", ["ipc", "tcp://127.0.0.1:5555"])
def test_a_binder_may_start_late_where_its_address_is_known_before(address):
    text = HELLO.replace("hello: ipc", f"hello: '{address}'").replace("queue: {", "queue: {start_delay: 1s, ")
    assert pattern(text).nodes["queue"].start_delay_s == 1


def test_numbers_are_the_endpoints():
    endpoints = pattern(NEWS).endpoints
    assert endpoints["news"].sequence is True
    assert pattern(PIPELINE).endpoints["tasks"].sequence is False
    assert (
        pattern(NEWS.replace("sequence: true", "sequence: '${ON}'"), ON="false").endpoints["news"].sequence
        is False
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{}", {"timeout_s": 2.5, "attempts": 3}),
        ("{timeout: 500ms}", {"timeout_s": 0.5, "attempts": 3}),
        ("{attempts: 20, timeout: 1m}", {"timeout_s": 60.0, "attempts": 20}),
        ("{attempts: '${N}', timeout: '${T}'}", {"timeout_s": 1.0, "attempts": 7}),
        ("null", None),
    ],
)
def test_how_often_a_client_asks(written, value):
    text = HELLO.replace("retry: {}", f"retry: {written}")
    assert pattern(text, N="7", T="1s").nodes["client"].params == {"retry": value}


def test_every_signal_that_ends_a_process_here_is_known():
    import signal

    harmless = {
        "SIGCHLD",
        "SIGCLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGWINCH",
    }
    real_time = {"SIGRTMIN", "SIGRTMAX"}
    here = {
        name for name in dir(signal) if name.startswith("SIG") and name[3].isalpha() and name != "SIG_DFL"
    }
    names = {name for name in here if isinstance(getattr(signal, name), signal.Signals)}
    assert names - harmless - real_time - {"SIGINFO", "SIGIOT"} <= set(SIGNALS)
