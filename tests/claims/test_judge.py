import pytest
from pieces import a_check, a_claim, a_run, a_summary

from prover.judge import judge


def test_a_claim_is_shown_when_all_its_patterns_pass():
    row = judge(a_claim(), [a_run()])
    assert (row.shown, row.verdict, row.measured, row.faults) == (True, "shown", "0 lost", ())


def test_a_run_that_failed_is_told_with_its_reasons():
    row = judge(a_claim(runs=2), [a_run(), a_run(a_summary(verdict="failed", kinds=("lost", "killed")))])
    assert row.verdict == "not shown"
    assert row.faults == ("run 2, plain: failed: was lost; was killed",)


def test_what_kept_a_run_from_taking_place_is_a_fault():
    assert judge(a_claim(measured="nothing"), [], ["no such file"]).faults == ("no such file",)


@pytest.mark.parametrize(
    ("verdict", "kinds", "fault"),
    [
        ("failed", ("lost", "killed", "lost"), None),
        ("failed", ("killed",), "plain: failed, but not by killed, lost alone: was killed"),
        (
            "failed",
            ("killed", "lost", "expectation"),
            "plain: failed, but not by killed, lost alone: was killed; was lost; was expectation",
        ),
        ("passed", (), "plain: passed, and should have failed (killed, lost)"),
        ("interrupted", ("killed", "lost"), "plain: interrupted, and should have failed (killed, lost)"),
    ],
)
def test_a_pattern_that_must_fail_must_do_so_for_its_reasons(verdict, kinds, fault):
    claim = a_claim(wants={"plain": ["killed", "lost"]})
    row = judge(claim, [a_run(a_summary(verdict=verdict, kinds=kinds))])
    assert row.faults == ((fault,) if fault else ())


def test_a_pattern_that_must_fail_must_be_there():
    assert judge(a_claim(wants={"other": ["lost"]}), [a_run()]).faults == ("other: did not run",)


@pytest.mark.parametrize(
    ("lost", "at_least", "shown"),
    [
        ((0, 5, 0), 1, True),
        ((0, 5, 0), 2, False),
        ((0, 0, 0), 1, False),
        ((1, 2, 3), "all", True),
        ((1, 0, 3), "all", False),
    ],
)
def test_a_check_must_hold_in_so_many_runs(lost, at_least, shown):
    check = a_check("plain.tasks.lost", "> 0", at_least=at_least)
    runs = [a_run(a_summary(lost=number)) for number in lost]
    row = judge(a_claim(runs=3, checks={"lossy": check}, measured="in {checks.lossy}"), runs)
    assert row.shown is shown
    assert row.measured == f"in {sum(number > 0 for number in lost)} of 3"


def test_a_check_that_did_not_hold_is_told_with_what_was_seen():
    check = a_check("plain.tasks.lost", "> 0", at_least=1)
    row = judge(a_claim(runs=2, checks={"lossy": check}), [a_run(), a_run()])
    assert row.faults == ("lossy: plain.tasks.lost > 0 in 0 of 2 runs, wanted at least 1 (it was 0, 0)",)


def test_a_check_compares_patterns_and_looks_at_every_process():
    runs = [a_run(a_summary("one", work_s=3.0), a_summary("two", work_s=1.0))]
    held = a_claim(checks={"a": a_check("one.work_s / two.work_s", ">= 2")}, measured="")
    failed = a_claim(checks={"a": a_check("one.work_s / two.work_s", ">= 4")}, measured="")
    other = a_claim(checks={"a": a_check("one.work_s", "> two.work_s")}, measured="")
    each = a_claim(checks={"a": a_check("one.worker.result.word", "w1")}, measured="")
    assert [judge(claim, runs).shown for claim in (held, failed, other, each)] == [True, False, True, False]


def test_a_run_that_is_missing_counts_as_not_held():
    check = a_check("plain.tasks.lost", "== 0")
    assert not judge(a_claim(runs=2, checks={"a": check}), [a_run(), {}]).shown


def test_what_is_not_known_cannot_be_told():
    assert judge(a_claim(measured="{plain.tasks.unread}"), [a_run()]).faults == ("measured: not known",)
