import pytest
from pieces import a_run, a_summary

from prover.measured import ExpressionError, expression, filled, span

RUNS = [
    a_run(a_summary("slow", lost=0, work_s=3.0), a_summary("fast", lost=3, work_s=1.5)),
    a_run(a_summary("slow", lost=1200, work_s=3.0), a_summary("fast", lost=3, work_s=1.0)),
]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{fast.tasks.lost} lost", "3 lost"),
        ("{slow.tasks.lost}", "0 to 1,200"),
        ("{slow.work_s / fast.work_s:.1f} times", "2.0 to 3.0 times"),
        ("{slow.worker.received}", "30"),
        ("{slow.worker-2.received}", "20"),
        ("{slow.worker.received.jain:.2f}", "0.90"),
        ("{slow.worker.result.word}", "w1 or w2"),
        ("{slow.worker.result.flag}", "true"),
        ("{slow.worker.exit_code:d}", "0"),
        ("{checks.often}", "1 of 2"),
        ("{slow.tasks.unread}", "not known"),
        ("{other.tasks.lost}", "not known"),
        ("{slow.work_s / slow.speedup}", "not known"),
        ("{slow.worker.received / slow.tasks.unread}", "not known"),
    ],
)
def test_measures_are_filled_in(text, result):
    assert filled(text, RUNS, {"often": "1 of 2"}) == result


def test_a_ratio_to_nothing_is_not_known():
    assert filled("{slow.work_s / slow.tasks.lost}", RUNS[:1], {}) == "not known"


@pytest.mark.parametrize(
    ("values", "style", "result"),
    [
        ([2_500_000, 21_000_000], "MB", "2 MB to 21 MB"),
        ([0.12345], "", "0.123"),
        ([0.5, 0.501], ".0%", "50%"),
        ([7, 7], "", "7"),
        ([], "", "not known"),
        ([1, None], "", "not known"),
    ],
)
def test_values_of_several_runs_make_one_text(values, style, result):
    assert span(values, style) == result


def test_an_expression_reads_as_it_was_written():
    assert str(expression("slow.work_s/fast.work_s")) == "slow.work_s / fast.work_s"
    with pytest.raises(ExpressionError, match="cannot read 'work_s'"):
        expression("work_s")
