import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from junit_rules import faults, parsed
from scenes import failing, not_ready, passing, request_reply

from orchestrator.outcome.entries import Refusal, Run
from orchestrator.outcome.junit import junit_text
from orchestrator.outcome.summary import summarise
from orchestrator.outcome.values import Expectation, FaultSummary, ProblemSummary
from orchestrator.run.events import ProblemFound, RunEnded

HELD = Expectation(path="sink.received", condition=">= 80", held=True, actual=88, line=35)
BROKEN = Expectation(path="sink.received", condition="== 100", held=False, actual=88, line=36)
ALWAYS = Expectation(path="tasks.lost", condition="== 0", held=False, actual=12, default=True)
UNKNOWN = Expectation(path="speedup", condition=">= 2", held=False, actual=None, line=37)
REFUSED = Refusal(
    name="pipeline",
    file="topology.yaml",
    text="topology.yaml:7:3: error: unknown key 'replica' [unknown-key]\n  worker: …\n  ^^^\n1 problem",
    problems=[
        {"code": "unknown-key", "severity": "error", "text": "unknown key 'replica'"},
        {"code": "open-bind", "severity": "warning", "text": "others can reach it"},
    ],
)


def run(events, logs=None, **more):
    return Run(summary=msgspec.structs.replace(summarise(events), **more), logs=logs or {})


def problem(kind, text="it went wrong", **more):
    fields = {"process": None, "endpoint": None, "code": kind, "file": "topology.yaml", "line": 31}
    return ProblemSummary(kind=kind, text=text, **fields | more)


def interrupted(code):
    return [*passing()[:-1], RunEnded(at_s=1.9, verdict="interrupted", exit_code=code, work_s=None)]


def cases(*entries):
    """Every case as what became of it: its element, or None where it passed."""
    text = junit_text(entries)
    assert faults(text) == []
    found = {}
    for case in parsed(text).iter("testcase"):
        bad = [child for child in case if child.tag != "system-out"]
        found[case.get("name")] = bad[0] if bad else None
    return found


def told(element):
    return (element.tag, element.get("type"), element.get("message"))


@pytest.mark.parametrize(
    "entries",
    [
        [run(passing())],
        [run(failing(), expectations=(HELD, BROKEN, ALWAYS))],
        [run(not_ready(), expectations=(HELD, BROKEN))],
        [run(request_reply(50))],
        [run(passing()[:-4])],
        [run(interrupted(130), expectations=(HELD, BROKEN))],
        [REFUSED],
        [run(request_reply()), run(failing()), REFUSED],
        [],
    ],
    ids=["passed", "failed", "not ready", "many", "cut short", "interrupted", "refused", "several", "none"],
)
def test_every_document_keeps_the_rules(entries):
    assert faults(junit_text(entries)) == []


def test_a_run_that_passed():
    text = junit_text([run(passing(), expectations=(msgspec.structs.replace(HELD, actual=100),))])
    suite = parsed(text)[0]
    assert suite.attrib == {
        "name": "pipeline", "tests": "7", "failures": "0", "errors": "0", "skipped": "0", "time": "1.900",
        "file": "topology.yaml", "timestamp": "2026-01-01T00:00:00",
    }  # fmt: skip
    told_cases = [
        (case.get("classname"), case.get("name"), case.get("time")) for case in suite.iter("testcase")
    ]
    assert told_cases[0] == ("pipeline", "run", "1.900")
    assert told_cases[1] == ("pipeline.sink", "sink-1", "1.820")
    assert told_cases[-1] == ("pipeline.expect", "sink.received >= 80", "0.000")
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["seed"] == "1"


def test_what_failed_is_told_where_it_belongs():
    found = cases(run(failing(), expectations=(HELD, BROKEN, ALWAYS)))
    assert {name for name, bad in found.items() if bad is None} == {
        "sink-1", "worker-1", "ventilator-1", "sink.received >= 80",
    }  # fmt: skip
    assert {bad.tag for bad in found.values() if bad is not None} == {"failure"}
    assert told(found["run"])[1] == "lost"
    assert told(found["worker-2"])[1:] == ("killed", "worker-2 killed by SIGKILL at 0.84 s (restart: no)")
    assert "(topology.yaml:31)\nwas handling 'x'\nTraceback" in found["worker-3"].text
    assert told(found["sink.received == 100"])[2] == "sink.received == 100, was 88"
    assert found["sink.received == 100"].text.endswith("\ntopology.yaml:36")
    assert told(found["tasks.lost == 0"])[2] == "tasks.lost == 0, was 12"


@pytest.mark.parametrize("kind", ["setup", "bind", "launch"])
def test_what_kept_a_process_from_being_tried_is_an_error(kind):
    found = cases(
        run(not_ready(), problems=(problem("stalled", process="sink-1"), problem(kind, process="sink-1")))
    )
    assert told(found["sink-1"]) == ("error", kind, "it went wrong")
    assert found["sink-1"].text.count("it went wrong") == 2
    assert found["run"] is None


def test_an_engine_that_gave_up_is_an_error_of_the_run():
    found = cases(run(failing(), problems=(problem("launch", "no memory", code="engine", line=None),)))
    assert told(found["run"]) == ("error", "engine", "no memory")


def test_what_was_never_tried_is_skipped():
    found = cases(run(not_ready(), expectations=(HELD, BROKEN)))
    assert told(found["ventilator-1"]) == ("skipped", "not_started", "ventilator-1 was never started")
    assert found["worker-3"].tag == "failure"
    assert {found[name].tag for name in ("sink.received >= 80", "sink.received == 100")} == {"skipped"}
    assert "never began" in found["sink.received == 100"].get("message")


@pytest.mark.parametrize(("code", "signal"), [(130, "SIGINT"), (143, "SIGTERM")])
def test_an_interrupted_run_is_skipped_where_it_is_not_known(code, signal):
    found = cases(run(interrupted(code), expectations=(HELD, BROKEN)))
    assert told(found["run"])[0::2] == ("skipped", f"interrupted by {signal}")
    assert found["sink.received >= 80"] is None
    assert told(found["sink.received == 100"])[0] == "skipped"


def test_what_a_failure_left_unknown_is_skipped():
    assert cases(run(failing(), expectations=(UNKNOWN,)))["speedup >= 2"].tag == "skipped"
    assert cases(run(passing(), expectations=(UNKNOWN,)))["speedup >= 2"].tag == "failure"


def test_a_death_that_was_expected_is_noted_and_passes():
    notes = (
        problem("killed", "worker-2 killed by SIGKILL", process="worker-2"),
        problem("lost", "tasks lost 12"),
    )
    fired = FaultSummary(text="kill worker-2", fired_s=0.84, processes=("worker-2",), line=40)
    entry = run(failing(), problems=(), notes=notes, faults=(fired,), verdict="passed", exit_code=0)
    text = junit_text([entry])
    assert cases(entry)["worker-2"] is None
    assert "note: worker-2 killed by SIGKILL (topology.yaml:31)" in text
    assert "fault: kill worker-2: fired at 0.84 s, worker-2" in text
    assert "note: tasks lost 12" in text


def test_a_broken_expectation_is_told_once():
    entry = run(
        passing(), verdict="failed", exit_code=1, expectations=(BROKEN,),
        problems=(problem("expectation", "sink.received == 100, was 88", process="sink-1"),),
    )  # fmt: skip
    assert [name for name, bad in cases(entry).items() if bad is not None] == ["sink.received == 100"]


def test_a_run_that_failed_has_a_failure_whatever_the_reason():
    assert told(cases(run(passing(), verdict="failed", exit_code=1))["run"])[2] == "the run failed, exit 1"


def test_a_record_that_ends_early_is_an_error():
    found = cases(run(passing()[:-4]))
    assert found["run"].tag == "error"
    assert told(found["worker-3"])[:2] == ("skipped", "unknown")


def test_an_external_is_neither_started_nor_reaped():
    def external(events):
        return [
            msgspec.structs.replace(
                events[0],
                processes=tuple(
                    msgspec.structs.replace(one, role="external") if one.name == "sink-1" else one
                    for one in events[0].processes
                ),
            ),
            *(event for event in events[1:] if getattr(event, "process", "") != "sink-1"),
        ]

    assert cases(run(external(passing())))["sink-1"] is None
    assert cases(run(external(not_ready())))["sink-1"].tag == "skipped"


def test_a_refusal_is_one_error_with_all_that_was_told():
    found = cases(REFUSED)
    assert told(found["topology"]) == ("error", "unknown-key", "unknown key 'replica'")
    assert found["topology"].text == REFUSED.text


def test_the_log_tails_are_kept_of_all_processes():
    text = junit_text([run(passing(), logs={"sink-1": ["100 results", "done"]})])
    case = next(one for one in parsed(text).iter("testcase") if one.get("name") == "sink-1")
    assert case.find("system-out").text == "100 results\ndone"


def test_times_are_sums_without_separators():
    root = parsed(junit_text([run(passing(), elapsed_s=12345.6789), run(request_reply())]))
    assert [suite.get("time") for suite in root] == ["12345.679", "0.600"]
    assert root.get("time") == "12346.279"


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_no_text_breaks_it(text):
    broken = msgspec.structs.replace(BROKEN, path=text, actual=text)
    entry = run(
        [*failing()[:-1], ProblemFound(at_s=2.0, kind="killed", process="sink-1", text=text), failing()[-1]],
        logs={"sink-1": [text], "worker-1": text.split("\n")}, expectations=(broken,), pattern=text, topology=text,
    )  # fmt: skip
    document = junit_text([entry, Refusal(name=text, file=text, text=text)])
    assert document.isascii()
    assert faults(document) == []
    outs = [one.text for one in parsed(document).iter("system-out")]
    assert all(char >= " " or char in "\n\t" for out in outs for char in out or "")


GOOD = junit_text([run(passing())])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("</testsuites>", "", "no XML"),
        ("testsuites", "testrun", "the root is"),
        ("classname=", "file=", "testcase has file"),
        ('tests="6"', 'tests="7"', "tests 7"),
        (
            'failures="0" errors="0" time',
            'failures="0" errors="0" skipped="0" time',
            "testsuites has skipped",
        ),
        ('time="1.820"', 'time="1,234.8204"', "time 1,234.8204"),
        ("00:00:00", "00:00:00Z", "timestamp"),
        ("<properties>", "<properties>x", "text in properties"),
        ("<property ", "<unheard/><property ", "unknown element"),
        ('name="worker-1"', 'name="worker-2"', "two cases"),
        (' name="worker-1"', "", "lacks name"),
    ],
)
def test_the_rules_find_what_breaks_them(old, new, fault):
    assert old in GOOD
    assert any(fault in one for one in faults(GOOD.replace(old, new)))
