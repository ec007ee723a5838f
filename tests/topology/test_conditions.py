"""Conditions: what the file's forms stand for, when they hold, and that their texts can be read again."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from orchestrator.topology.conditions import (
    OPERATORS,
    Condition,
    ConditionError,
    Reference,
    condition_of,
    is_path,
    parse_condition,
)

MEASURES = {
    "source.sent": 100,
    "sink.elapsed_s": 2.5,
    "sink.p99_ms": None,
    "elapsed_s": 3,
    "a.result.b-c": "x",
}


def holds(written, actual, *, unit="s"):
    return condition_of(written, unit=unit).holds(actual, MEASURES.__getitem__)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (100, "== 100"),
        (0.5, "== 0.5"),
        (True, "== true"),
        ("SIGKILL", "== SIGKILL"),
        ("EFSM", "== EFSM"),
        ("two words", '== "two words"'),
        ("100", '== "100"'),
        ("true", '== "true"'),
        ("speedup", '== "speedup"'),
        ("source.sent", '== "source.sent"'),
        ("", '== ""'),
        ("2s", "== 2"),
        (">= 0.9", ">= 0.9"),
        (">=0.9", ">= 0.9"),
        ("> .5", "> 0.5"),
        ("<= 1_000", "<= 1000"),
        ("< 1m30s", "< 90"),
        ("== source.sent", "== source.sent"),
        ("!= EFSM", "!= EFSM"),
        ('== "EFSM"', "== EFSM"),
        ('!= "one, two"', '!= "one, two"'),
        ("<= elapsed_s", "<= elapsed_s"),
        ("90..110", "90..110"),
        (" 90 .. 110 ", "90..110"),
        ("-5..-1", "-5..-1"),
        ("0.5..1e3", "0.5..1000.0"),
        ("1s..2s", "1..2"),
        ("1..source.sent", "1..source.sent"),
        ([0, "SIGKILL"], "one of 0, SIGKILL"),
        (["1", 2.5, False, "a, b"], 'one of "1", 2.5, false, "a, b"'),
        ("one of 0, SIGKILL", "one of 0, SIGKILL"),
        ('one of  "a, b" , source.sent', 'one of "a, b", source.sent'),
        ("../file", '== "../file"'),
        ("see ..", '== "see .."'),
    ],
)
def test_each_form_has_one_text(written, text):
    assert str(condition_of(written)) == text


def test_durations_become_the_unit_of_the_measure():
    assert str(condition_of("< 2s", unit="ms")) == "< 2000"
    assert str(condition_of(["500ms", "1s"], unit="ms")) == "one of 500, 1000"
    assert str(condition_of("5s", unit="")) == '== "5s"'


@pytest.mark.parametrize(
    ("written", "said", "hint"),
    [
        (">=", "'>=' compares with nothing", 'write ">= 1"'),
        ("=> 5", "cannot read the condition '=> 5'", 'write ">= 5"'),
        ("=< 5", "cannot read the condition '=< 5'", 'write "<= 5"'),
        ("<> 5", "cannot read the condition '<> 5'", 'write "!= 5"'),
        ("= 5", "cannot read the condition '= 5'", 'write "== 5"'),
        ("! 5", "cannot read the condition '! 5'", 'write "!= 5"'),
        ("=", "cannot read the condition '='", 'write "== 1"'),
        ("> many", "cannot compare by '>' with 'many'", "write a number"),
        ("> true", "cannot compare by '>' with 'true'", "write a number"),
        (">= 90%", "cannot compare with '90%'", "write a fraction: 0.9"),
        ('== "a', "its quotes do not match", ""),
        ('== "a" b', "its quotes do not match", ""),
        ("110..90", "nothing lies in 110..90", 'write "90..110"'),
        ("== 1e999", "not a finite number", ""),
        (f"== {'9' * 50}", "cannot read a number of 50 characters", ""),
        ("one of ,", "cannot read the choice", "or a list"),
        ("one of 1,,2", "cannot read the choice", "or a list"),
        ('one of "a" b', "cannot read the choice", "or a list"),
        ([], "an empty list allows nothing", "list the values"),
        ([[1]], "cannot compare with a list", "a list of values"),
        ([None], "cannot compare with nothing", ""),
        ({"a": 1}, "cannot compare with a mapping", ""),
        (None, "cannot compare with nothing", ""),
    ],
)
def test_what_is_no_condition_is_refused_with_what_to_write(written, said, hint):
    with pytest.raises(ConditionError) as caught:
        condition_of(written)
    assert said in str(caught.value)
    assert hint in caught.value.hint


def test_a_duration_is_no_number_of_messages():
    with pytest.raises(ConditionError, match="cannot compare with the duration '2s'"):
        condition_of("< 2s", unit="")


@pytest.mark.parametrize("text", ["100", "SIGKILL", "source.sent", "", "a b", "90..many", "a..b"])
def test_only_whole_conditions_are_read_again(text):
    with pytest.raises(ConditionError, match="cannot read the condition"):
        parse_condition(text)


@pytest.mark.parametrize(
    ("written", "actual", "held"),
    [
        (100, 100, True),
        (100, 100.0, True),
        (100, 99, False),
        (100, "100", False),
        (1, True, False),
        (True, True, True),
        (True, 1, False),
        ("EFSM", "EFSM", True),
        ("!= EFSM", "ENOTSUP", True),
        ("!= EFSM", "EFSM", False),
        ("!= 1", True, True),
        ("!= 1", 1.0, False),
        (">= 0.9", 0.9, True),
        (">= 0.9", 0.89, False),
        ("> 0", "SIGKILL", False),
        ("< 5", True, False),
        ("90..110", 90, True),
        ("90..110", 110, True),
        ("90..110", 111, False),
        ("90..110", "100", False),
        ([0, "SIGKILL"], 0, True),
        ([0, "SIGKILL"], "SIGKILL", True),
        ([0, "SIGKILL"], False, False),
        ([0, "SIGKILL"], 1, False),
        ("== source.sent", 100, True),
        ("< sink.elapsed_s", 2, True),
        ("0..source.sent", 101, False),
        ("one of 1, source.sent", 100, True),
        ("== a.result.b-c", "x", True),
        ("== sink.p99_ms", 1, False),
        ("!= sink.p99_ms", 1, False),
        ("!= 5", None, False),
        (">= 0", None, False),
    ],
)
def test_when_conditions_hold(written, actual, held):
    assert holds(written, actual) is held


def test_the_measures_that_a_condition_compares_with_are_told():
    assert condition_of("source.sent..elapsed_s").references == ("source.sent", "elapsed_s")
    assert condition_of("one of 1, a.b, 2").references == ("a.b",)
    assert condition_of(["a.b"]).references == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sink.received", True),
        ("worker-1.received.jain", True),
        ("speedup", True),
        ("sink", False),
        ("Sink.received", False),
        ("sink.", False),
        ("0.5", False),
    ],
)
def test_what_looks_like_a_path(text, path):
    assert is_path(text) is path


NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
PATHS = st.from_regex(r"[a-z][a-z0-9_]*(-[0-9]+)?(\.[A-Za-z0-9_-]+)+", fullmatch=True) | st.just("elapsed_s")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "true",
        "1",
        "-1.5",
        "2s",
        "one of 1",
        "== 1",
        "a, b",
        '"',
        "1..2",
        "speedup",
        "a.b",
        ">",
        " x ",
        "\n",
        "90%",
    ]
)
OPERANDS = NUMBERS | st.booleans() | TEXTS | PATHS.map(Reference)
COMPARABLE = NUMBERS | PATHS.map(Reference)


@st.composite
def conditions(draw):
    operator = draw(st.sampled_from([*OPERATORS, "..", "one of"]))
    if operator == "..":
        low, high = draw(COMPARABLE), draw(COMPARABLE)
        assume(isinstance(low, Reference) or isinstance(high, Reference) or low <= high)
        return Condition(operator, (low, high))
    if operator == "one of":
        return Condition(operator, tuple(draw(st.lists(OPERANDS, min_size=1, max_size=4))))
    return Condition(operator, (draw(OPERANDS if operator in ("==", "!=") else COMPARABLE),))


@given(conditions())
@example(Condition("one of", ("a, b", 'quo"te', "\\", "x,", Reference("a.b"))))
@example(Condition("==", (1e-07,)))
@example(Condition("..", (-1e22, 1.5)))
def test_the_text_of_a_condition_stands_for_that_condition(condition):
    again = parse_condition(str(condition))
    assert repr(again) == repr(condition)  # their kinds too: 1 is not 1.0, nor true
    assert str(again) == str(condition)


@given(
    TEXTS | NUMBERS | st.lists(TEXTS | NUMBERS, max_size=3) | st.booleans(), st.sampled_from(["s", "ms", ""])
)
def test_whatever_the_file_says_is_a_condition_or_is_refused(written, unit):
    try:
        condition = condition_of(written, unit=unit)
    except ConditionError:
        return
    assert repr(parse_condition(str(condition))) == repr(condition)


@given(st.sampled_from([*OPERATORS, "one of ", ""]), st.text('0123456789.-_eE smh",%ab', max_size=12))
def test_no_text_brings_it_down(operator, rest):
    try:
        condition = condition_of(operator + rest)
    except ConditionError:
        return
    assert repr(parse_condition(str(condition))) == repr(condition)
