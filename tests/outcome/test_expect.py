import json

import msgspec
import pytest
from scenes import PIPELINE, always, expecting, failing, line, not_ready, passing, retrying

from orchestrator.outcome.expect import told
from orchestrator.outcome.summary import summarise, to_json
from orchestrator.outcome.values import Expectation
from orchestrator.run.events import ProblemFound, ProcessEnded, ProcessFinished, RunEnded


def judged(events, *outlines):
    return summarise(expecting(events, *outlines))


def texts(summary):
    return [problem.text for problem in summary.problems if problem.kind == "expectation"]


@pytest.mark.parametrize(
    ("path", "condition"),
    [
        ("sink.received", "== 100"),
        ("sink.received", "== ventilator.sent"),
        ("sink.received", "90..110"),
        ("sink.received", "ventilator.sent..200"),
        ("sink.received", "one of 99, 100"),
        ("worker.received.jain", ">= 0.99"),
        ("worker.exit_code", "== 0"),
        ("elapsed_s", "< 5"),
        ("elapsed_s", ">= work_s"),
        ("sink.result.tasks", "!= 0"),
    ],
)
def test_what_holds_lets_the_run_pass(path, condition):
    summary = judged(passing(), line(path, condition))
    assert (summary.verdict, summary.exit_code, summary.problems) == ("passed", 0, ())
    assert summary.expectations[0].held


@pytest.mark.parametrize(
    ("path", "condition", "text"),
    [
        ("sink.received", "== 99", "sink.received == 99, was 100"),
        ("sink.received", "< worker.sent", "sink.received < worker.sent, was 100 (worker.sent: 100)"),
        ("sink.received", "== sink.sent", "sink.received == sink.sent, was 100 (sink.sent: not known)"),
        ("sink.received", "101..110", "sink.received 101..110, was 100"),
        ("sink.received", "one of 1, 2", "sink.received one of 1, 2, was 100"),
        ("worker.received.jain", "== 1", "worker.received.jain == 1, was 0.9998"),
        ("worker.exit_code", "== SIGKILL", "worker.exit_code == SIGKILL, was 0"),
        ("worker.p99_ms", "< 5", "worker.p99_ms < 5, which is not known"),
        ("worker.rate", ">= 1000000", "worker.rate >= 1000000, was 57.81"),
    ],
)
def test_what_does_not_hold_fails_the_run_and_is_told_with_its_place(path, condition, text):
    summary = judged(passing(), line(path, condition, 35))
    assert (summary.verdict, summary.exit_code, texts(summary)) == ("failed", 1, [text])
    problem = summary.problems[0]
    assert (problem.kind, problem.code, problem.file, problem.line) == (
        "expectation",
        "expectation",
        "topology.yaml",
        35,
    )
    assert not summary.expectations[0].held


def test_a_problem_names_the_process_or_the_endpoint():
    summary = judged(
        passing(), line("worker-1.sent", "== 1"), line("tasks.sent", "== 1"), line("sink.received", "== 1")
    )
    assert [(problem.process, problem.endpoint) for problem in summary.problems] == [
        ("worker-1", None),
        (None, "tasks"),
        (None, None),
    ]


def test_what_an_option_has_set_has_no_place_and_is_told_all_the_same():
    outline = msgspec.structs.replace(line("sink.received", "== 99"), line=None)
    problem = judged(passing(), outline).problems[0]
    assert (problem.text, problem.file, problem.line) == ("sink.received == 99, was 100", None, None)


def test_a_condition_on_a_node_must_hold_for_every_replica():
    summary = judged(failing(), line("worker.exit_code", "one of 0, SIGKILL"))
    assert summary.expectations[0].actual == [0, "SIGKILL", 1]
    assert texts(summary) == ["worker.exit_code one of 0, SIGKILL, was 0, SIGKILL, 1"]
    assert judged(failing(), line("worker.exit_code", "one of 0, 1, SIGKILL")).expectations[0].held


def test_a_line_on_one_process_counts_before_that_on_its_node():
    outlines = line("worker-2.exit_code", "== SIGKILL"), line("worker-3.exit_code", "== 1")
    summary = judged(failing(), *outlines, always("worker.exit_code"))
    assert [one.held for one in summary.expectations] == [True, True, True]
    assert summary.expectations[2].actual == 0


def test_where_all_have_lines_of_their_own_nothing_is_left_for_that_of_the_node():
    outlines = line("sink-1.exit_code", "== 0"), line("sink.exit_code", "== 1")
    assert [one.held for one in judged(passing(), *outlines).expectations] == [True, True]


def test_a_run_that_never_got_to_work_has_met_nothing_and_is_told_why_only_once():
    summary = judged(not_ready(), line("sink.received", "== 100"), always("sink.exit_code"))
    assert [(one.held, one.actual) for one in summary.expectations] == [(False, None)] * 2
    assert [problem.kind for problem in summary.problems] == ["not_ready"]


def test_of_a_record_that_ends_early_nothing_is_judged():
    summary = judged(passing()[:-1], line("sink.received", "== 99"))
    assert [(one.held, one.actual) for one in summary.expectations] == [(False, None)]
    assert [problem.kind for problem in summary.problems] == ["record"]


def test_what_must_always_hold_is_not_told_twice():
    summary = judged(failing(), always("worker.exit_code"), always("tasks.lost"), always("results.lost"))
    assert [(one.held, one.actual) for one in summary.expectations] == [
        (False, [0, "SIGKILL", 1]),
        (False, 12),
        (True, 0),
    ]
    assert texts(summary) == []
    assert (summary.verdict, summary.exit_code) == ("failed", 1)


def test_what_must_always_hold_fails_a_run_that_does_not_tell_it_otherwise():
    def silent(event):
        loses = getattr(event, "book", None) == "tasks"
        return msgspec.structs.replace(event, received=97, lost=3) if loses else event

    summary = judged(map(silent, passing()), always("tasks.lost"))
    assert (summary.verdict, summary.exit_code, texts(summary)) == ("failed", 1, ["tasks.lost == 0, was 3"])


def test_of_processes_that_were_never_started_none_has_ended_badly():
    spare = msgspec.structs.replace(PIPELINE.processes[4], name="spare-1", node="spare")
    events = [msgspec.structs.replace(PIPELINE, processes=(*PIPELINE.processes, spare)), *passing()[1:]]
    summary = judged(events, always("spare.exit_code"))
    assert (summary.verdict, summary.expectations[0].held) == ("passed", True)
    written = judged(events, line("spare.exit_code", "== 0"))
    assert texts(written) == ["spare.exit_code == 0, which is not known"]


def test_a_failed_run_keeps_its_exit_code_and_tells_what_did_not_hold():
    events = [*failing()[:-1], msgspec.structs.replace(failing()[-1], exit_code=3)]
    summary = judged(events, line("sink.received", "== 100"))
    assert (summary.verdict, summary.exit_code) == ("failed", 3)
    assert [problem.kind for problem in summary.problems] == ["failed", "killed", "lost", "expectation"]


def test_an_interrupted_run_stays_interrupted():
    end = RunEnded(at_s=1.9, verdict="interrupted", exit_code=130, work_s=1.78)
    summary = judged([*passing()[:-1], end], line("sink.received", "== 101"))
    assert (summary.verdict, summary.exit_code) == ("interrupted", 130)
    assert texts(summary) == ["sink.received == 101, was 100"]


def test_what_a_failure_kept_from_being_known_is_no_problem_of_its_own():
    ends = (
        ProblemFound(at_s=1.0, kind="launch", text="the engine is gone", code="engine"),
        RunEnded(at_s=1.0, verdict="failed", exit_code=3, work_s=None),
    )
    kept = [event for event in passing()[:-1] if not isinstance(event, ProcessEnded)]
    summary = judged([*kept, *ends], line("sink.received", "== 100"))
    assert [problem.kind for problem in summary.problems] == ["launch"]
    assert not summary.expectations[0].held


def test_what_was_expected_to_go_wrong_is_a_note():
    summary = judged(retrying(), line("server.exit_code", "one of 0, SIGKILL"))
    assert summary.verdict == "passed"
    assert [(note.kind, note.text, note.line) for note in summary.notes] == [
        ("killed", "server-1 killed by SIGKILL at 0.31 s", 9)
    ]


def test_six_digits_are_kept_and_more_where_they_decide():
    third = judged(passing(), line("worker.received.mean", "< 50")).expectations[0]
    assert third.actual == 33.3333
    close = judged(passing(), line("worker.received.mean", "<= 33.3333"))
    assert close.expectations[0].actual == 100 / 3
    assert texts(close) == ["worker.received.mean <= 33.3333, was 33.33333"]


@pytest.mark.parametrize(
    ("condition", "held", "actual", "text"),
    [
        ("== 100", True, 100, "a.b == 100"),
        ("== sink.sent", True, 100, "a.b == sink.sent, was 100"),
        (">= 0.9", True, 0.998123, "a.b >= 0.9, was 0.9981"),
        ("!= 5", True, 6, "a.b != 5, was 6"),
        ("== true", False, False, "a.b == true, was false"),
        (">= 0.9", False, 0.899999, "a.b >= 0.9, was 0.899999"),
        ("< 5", False, 1234567.891, "a.b < 5, was 1234568"),
        ("== 1", False, 123456789, "a.b == 1, was 123456789"),
        ("== x", False, ["x", None], "a.b == x, was x, not known"),
        ("== 0", True, None, "a.b == 0"),
        ("== 0", False, None, "a.b == 0, which is not known"),
    ],
)
def test_an_expectation_in_one_line(condition, held, actual, text):
    assert told(Expectation(path="a.b", condition=condition, held=held, actual=actual)) == text


def test_expectations_stand_in_the_summary_in_their_order():
    summary = judged(passing(), line("sink.received", "== 100", 14), always("tasks.lost"))
    assert json.loads(to_json(summary))["expectations"] == [
        {"path": "sink.received", "condition": "== 100", "held": True, "actual": 100, "line": 14, "default": False},
        {"path": "tasks.lost", "condition": "== 0", "held": True, "actual": 0, "line": None, "default": True},
    ]  # fmt: skip


def test_a_result_is_judged_as_it_is_kept():
    heard = ProcessFinished(at_s=1.0, process="sink-1", pid=1, result={"word": b"ab"})
    events = [*passing()[:-1], heard, passing()[-1]]
    assert judged(events, line("sink.result.word", '== "YWI="')).expectations[0].held
