"""Every rule has a wrong topology, with all that is told of it: place, text, source line and caret."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from role_sources import read_source

from orchestrator.topology.check import survey
from orchestrator.topology.lint import ALLOWED
from orchestrator.topology.problem import Mark, Problem, TopologyError, as_json, render

CORPUS = Path(__file__).with_name("wrong_topologies.txt")


def problems_of(text, **environment):
    try:
        return survey(text, environment=environment, read_source=read_source).problems
    except TopologyError as error:
        return error.problems


def corpus():
    cases = []
    for case in CORPUS.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, body = case.partition("\n")
        text, _, told = body.partition("--- says\n")
        cases.append(pytest.param(text, told.rstrip("\n"), id=name))
    return cases


@pytest.mark.parametrize(("text", "told"), corpus())
def test_each_rule_tells_its_place_and_its_text(text, told):
    started_s = time.process_time()
    assert render(problems_of(text), file="topology.yaml", text=text) == told
    assert time.process_time() - started_s < 1


def test_the_corpus_holds_every_code_that_can_be_allowed():
    told = CORPUS.read_text(encoding="utf-8")
    assert [code for code in sorted(ALLOWED) if f"[{code}]" not in told] == []


P = "version: 1\npatterns:\n  p:\n"
LARGE = [
    P + "".join(f"    replicas{n}: 1\n" for n in range(9000)),
    P + "    codec: >= 1\n" * 15_000,
    P + "    codec: a\n" * 9000,
    P + "    codec: " + "${A}" * 60_000,
    P + "    nodes:\n" + "".join(f"      n{n}: {{rol: worker, connct: x}}\n" for n in range(3000)),
    P + "    nodes:\n" + "".join(f"      n{n}: {{role: worker, connect: m{n}}}\n" for n in range(3000)),
    P + "    nodes:\n" + "".join(f"      n{n}: {{command: x, depends_on: m{n}}}\n" for n in range(3000)),
    P
    + "    endpoints:\n"
    + "".join(f"      n{n}: tcp://h:{n + 1}\n" for n in range(5000))
    + "    nodes: {}\n",
    P
    + "    nodes: {a: {command: x}}\n    expect:\n"
    + "".join(f"      b{n}.received: many\n" for n in range(6000)),
    P
    + "    nodes: {a: {command: x}}\n    faults:\n"
    + "".join(f"      - {{at: 1s, kill: a-{n}, scale: {{a: {n}}}}}\n" for n in range(1, 3000)),
    P
    + "    endpoints:\n"
    + "".join(f"      e{n}: ipc\n" for n in range(1500))
    + "    nodes:\n"
    + "".join(f"      n{n}: {{role: sink, bind: e{n}}}\n" for n in range(1500))
    + "    expect:\n"
    + "".join(f"      e{n}.lots: 0\n" for n in range(1500)),
    P
    + "    endpoints: {e: ipc}\n    nodes:\n"
    + "".join(f"      n{n}: {{role: sink, {'bind' if n % 2 else 'connect'}: e}}\n" for n in range(3000)),
]
"""Large files with a fault in every line; none may take long."""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "t:1:1: error: cannot find a topology: the file is empty [empty]"),
        ("a: \x07\n", "t:1:4: error: cannot read the character U+0007: it is not text [yaml]"),
        ("a: \ud800\n", "t:1:4: error: cannot read the character U+D800: it is not text [yaml]"),
        ("\0", "t:1:1: error: cannot read the character U+0000: it is not text [yaml]"),
        ("[" * 5000, "t:1:21: error: cannot read deeper than 20 levels [too-deep]"),
        ("- " * 5000, "t:1:41: error: cannot read deeper than 20 levels [too-deep]"),
        ("&x [*x, *x]", "t:1:1: error: cannot use the anchor '&x' (write the value out) [yaml-anchor]"),
        ("- a\n" * 30_000, "t:20000:3: error: cannot read a topology of more than 20000 values [too-large]"),
        ("#" * 300_000, "t: error: cannot read a topology of more than 256 KiB [too-large]"),
        ("0x" + "f" * 9000, "t:1:1: error: cannot read a number of 9002 characters"),
        ("59:" * 9000 + "59", "t:1:1: error: cannot read a number of 27002 characters"),
        *[(text, "t:") for text in LARGE],
    ],
)
def test_what_is_no_topology_at_all_is_refused_at_once(text, told):
    started_s = time.process_time()  # nothing here waits, and a busy machine is not to blame
    assert render(problems_of(text), file="t", text=text).startswith(told)
    assert time.process_time() - started_s < 2


def test_all_problems_of_a_file_are_told_at_once_in_file_order():
    text = """\
version: 1
patterns:
  pipeline:
    endpoints:
      tasks: tcp://127.0.0.1:5557
      results: ipc
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 100}}
      worker: {role: worker, connect: [tasks, results], replica: 3}
      watch: {role: subscriber, connect: tasks}
    expect:
      worker.received.jain: >= 0.9
"""
    assert (
        render(problems_of(text), file="topology.yaml", text=text)
        == """\
topology.yaml:9:57: error: unknown key 'replica' (did you mean 'replicas'?) [unknown-key]
      worker: {role: worker, connect: [tasks, results], replica: 3}
                                                        ^^^^^^^
topology.yaml:10:42: error: SUB cannot talk to PUSH of 'ventilator' \
(a worker pulls; a subscriber needs a publisher) [socket-pair]
      watch: {role: subscriber, connect: tasks}
                                         ^^^^^
topology.yaml:12:29: error: a value cannot begin with '>' (quote it: ">= 0.9") [yaml-quote]
      worker.received.jain: >= 0.9
                            ^
3 problems; nothing was started."""
    )


def test_carets_stand_under_wide_characters_and_tabs():
    problem = Problem(code="c", text="t", mark=Mark(1, 6, 2))
    assert render([problem], file="f", text="\t日本: 語x").splitlines()[2] == "\t" + " " * 6 + "^^^"


def test_a_long_line_is_cut_round_its_fault():
    text = "a" * 500 + "!" + "b" * 500
    told = render([Problem(code="c", text="t", mark=Mark(1, 501))], file="f", text=text)
    source, caret = told.splitlines()[1:3]
    assert len(source) < 200
    assert source[caret.index("^")] == "!"


def test_what_a_terminal_would_act_upon_is_not_shown():
    problem = Problem(code="c", text="unknown \x1b[31m", mark=Mark(1, 1))
    assert "\x1b" not in render([problem], file="f", text="\x1b[31m")


def test_lines_are_counted_as_yaml_counts_them():
    text = "version: 1\x85patterns:\u2028  p: x\r\n"
    (problem,) = problems_of(text)
    assert problem.mark == Mark(3, 6, 1)
    assert render([problem], file="f", text=text).splitlines()[1:3] == ["  p: x", "     ^"]


@pytest.mark.parametrize(
    ("severities", "count"),
    [
        (["error"], "1 problem; nothing was started."),
        (["error", "error"], "2 problems; nothing was started."),
        (["error", "warning"], "1 problem, 1 warning; nothing was started."),
        (["warning", "warning"], "2 warnings."),
    ],
)
def test_the_last_line_counts_the_problems(severities, count):
    problems = [Problem(code="c", text="t", mark=Mark(1, 1), severity=severity) for severity in severities]
    assert render(problems, file="f", text="x").splitlines()[-1] == count


def test_more_problems_than_anybody_reads_are_counted():
    problems = [Problem(code="c", text="t", mark=Mark(n, 1)) for n in range(1, 251)]
    warning = Problem(code="w", text="w", mark=Mark(1, 1), severity="warning")
    told = TopologyError([warning, *problems]).problems
    assert (len(told), told[-1].text) == (101, "151 more problems")


def test_machines_get_every_field():
    (problem,) = problems_of("version: 2\npatterns: {p: {nodes: {a: {command: x}}}}\n")
    assert as_json([problem], file="f") == [
        {
            "code": "choice",
            "severity": "error",
            "file": "f",
            "line": 1,
            "column": 10,
            "text": "'version' must be 1, not 2",
            "hint": "",
            "path": "version",
        }
    ]


WORDS = """version patterns p nodes endpoints role worker sink bind connect tasks results ipc params call count
    expect replicas 1 5s ${X} ${ $$ yes 02134 >= *.txt &a *a !t << ~ null [ ] { } : , - ? | > ' " # % @ `
    \\ """
SPACES = [
    "\n",
    "\n\n",
    "\t",
    "\n  ",
    "\n    ",
    "\n      ",
    ": ",
    ", ",
    " ",
    "\x00",
    "\x85",
    "\ufeff",
    "é",
    "日",
]
YAMLISH = st.lists(st.sampled_from([*WORDS.split(), *SPACES]), max_size=80).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300) | YAMLISH)
@example("? [a]\n: b\n")
@example("version: 1\npatterns: {p: {nodes: {a: {role: {}}}}}")
@example("version: 1\npatterns: {p: {nodes: {a: {options: {b: {c: [1]}}}}}}")
@example("{? : }")
def test_no_text_brings_it_down(text):
    problems = problems_of(text)
    assert render(problems, file="f", text=text) or not problems


KEYS = """version patterns nodes endpoints role command external bind connect replicas params options ports
    depends_on address codec hwm call count tasks results SNDHWM a e x sequence start_delay retry
    policy max within backoff
    at when kill restart scale for a.received b-1.sent e.lost b.exit_code elapsed_s b.result.x
"""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(
        ["ipc", "worker", "e", "a", "m:f", "5s", "always", "", "any b", "b-1", ">= 1", "== b.sent", "1..2"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(nodes=VALUES, endpoints=VALUES, node=VALUES, expect=VALUES, fault=VALUES)
def test_no_tree_brings_it_down(nodes, endpoints, node, expect, fault):
    pattern = {"endpoints": endpoints, "nodes": {"a": node, "b": {"role": "worker", "connect": endpoints}}}
    pattern |= {"expect": expect, "faults": [fault, {"at": "1s", "kill": node}]}
    text = json.dumps({"version": 1, "patterns": {"p": pattern, "q": {"nodes": nodes}}})
    assert problems_of(text)
