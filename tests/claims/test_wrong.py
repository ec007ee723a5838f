import pytest
from wrong import wrong_conditions

from orchestrator.topology.conditions import parse_condition


@pytest.mark.parametrize(
    ("condition", "values", "wrong"),
    [
        ("== 100", [100], ["== 101"]),
        ("== EFSM", ["EFSM"], ['== "EFSM not"']),
        ("== true", [True], ["== false"]),
        ("== sink.sent", [7], ["== 8"]),
        ("!= 3", [4], ["!= 4"]),
        (">= 0.9", [0.95], [">= 1.95"]),
        ("< 20", [3.5], ["< 2.5"]),
        ("<= sink.sent", [7], ["<= 6"]),
        ("90..110", [100], ["101..110", "90..99"]),
        ("0..10", [10], ["11..11", "0..9"]),
        ("0..10", [0], ["1..10", "-1..-1"]),
        ("one of 0, SIGKILL", ["SIGKILL"], ['one of "SIGKILL not"']),
        ("one of 0, SIGKILL", [0, "SIGKILL"], ['one of 1, "SIGKILL not"']),
    ],
)
def test_each_wrong_condition_is_of_its_kind_and_not_met(condition, values, wrong):
    assert wrong_conditions(condition, values) == wrong
    for text in wrong:
        assert not all(parse_condition(text).holds(value, lambda _: 7) for value in values)
