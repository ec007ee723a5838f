import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import failing, not_ready

from orchestrator.outcome.annotations import SHOWN, Annotation, of_problems, of_summary, workflow_commands
from orchestrator.outcome.summary import summarise


def commands(annotations, shown_file=str):
    return workflow_commands(annotations, shown_file=shown_file)


def read(line):
    """A command as the runner reads it: up to the second `::`, properties parted by commas, then unescaped."""
    level, _, properties = line[2 : line.index("::", 2)].partition(" ")
    pairs = dict(pair.split("=", 1) for pair in properties.split(",") if pair)
    unescaped = {key: unescape(value, "\r\n:,%") for key, value in pairs.items()}
    return level, unescaped, unescape(line[line.index("::", 2) + 2 :], "\r\n%")


def unescape(text, chars):
    for char in chars:
        text = text.replace(f"%{ord(char):02X}", char)
    return text


PROBLEM = {
    "code": "unknown-key", "severity": "error", "file": "a/topology.yaml", "line": 7, "column": 3,
    "text": "unknown key 'replica'", "hint": "did you mean 'replicas'?", "path": "",
}  # fmt: skip


def test_a_problem_of_a_topology():
    assert commands(of_problems([PROBLEM])) == (
        "::error file=a/topology.yaml,line=7,col=3,title=unknown-key::"
        "unknown key 'replica' (did you mean 'replicas'?)\n"
    )


def test_a_warning_without_a_place():
    warning = PROBLEM | {"severity": "warning", "line": None, "column": None, "hint": ""}
    assert commands(of_problems([warning])) == (
        "::warning file=a/topology.yaml,title=unknown-key::unknown key 'replica'\n"
    )


def test_the_problems_of_a_run():
    lines = commands(of_summary(summarise(failing()))).splitlines()
    assert [read(line)[1].get("line") for line in lines] == ["31", "31", None]
    assert read(lines[2]) == (
        "error",
        {"file": "topology.yaml", "title": "pipeline: lost"},
        "tasks lost 12 of 100: worker-2 held 1 unfinished, 11 were on their way to it",
    )
    assert "title=pipeline%3A not ready::" in commands(of_summary(summarise(not_ready())))


def test_a_file_is_shown_as_it_is_known_there():
    assert "file=there/a/topology.yaml," in commands(of_problems([PROBLEM]), lambda file: f"there/{file}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("50%", "50%25"),
        ("a\nb", "a%0Ab"),
        ("a\r\nb\rc", "a%0Ab%0Dc"),
        ("a: b, c", "a: b, c"),
        ("\x1b[2J", "\\x1b[2J"),
    ],
)
def test_text_is_escaped(text, told):
    assert commands([Annotation(level="error", text=text, title="t")]) == f"::error title=t::{told}\n"


def test_properties_are_escaped_further():
    line = commands([Annotation(level="error", text="x", title="a: b, 5%", file="C:,f")])
    assert line == "::error file=C%3A%2Cf,title=a%3A b%2C 5%25::x\n"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(min_size=1))
def test_the_runner_reads_what_was_meant(text, title):
    (line,) = commands([Annotation(level="error", text=text, title=title)]).split("\n")[:-1]
    level, properties, data = read(line)
    assert (level, set(properties)) == ("error", {"title"})
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", line)
    if text.isprintable() and title.isprintable():
        assert (properties["title"], data) == (title, text)


@pytest.mark.parametrize(("number", "last"), [(SHOWN, "9"), (SHOWN + 1, "2 more errors: all are in the log")])
def test_of_more_than_are_shown_the_last_counts_the_rest(number, last):
    lines = commands(Annotation(level="error", text=str(n), title="t") for n in range(number)).splitlines()
    assert len(lines) == SHOWN
    assert lines[-1] == f"::error title=t::{last}"


def test_errors_come_first_and_have_a_limit_of_their_own():
    told = [Annotation(level=level, text="x", title="t") for level in ["warning", "error"] * 20]
    levels = [line[:5] for line in commands(told).splitlines()]
    assert levels == ["::err"] * SHOWN + ["::war"] * SHOWN


def test_nothing_to_tell_is_nothing():
    assert commands([]) == ""
