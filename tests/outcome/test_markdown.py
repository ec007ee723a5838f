import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import PIPELINE, failing, not_ready, passing, request_reply

from orchestrator.outcome import markup
from orchestrator.outcome.entries import Refusal, Run
from orchestrator.outcome.markdown import SHOWN, markdown_text
from orchestrator.outcome.picture import MAX_EDGES, picture
from orchestrator.outcome.summary import summarise
from orchestrator.outcome.values import (
    Expectation,
    FaultSummary,
    Latency,
    LinkSummary,
    NodeSummary,
    ProblemSummary,
)

EXPECTATIONS = (
    Expectation(path="worker.received.jain", condition=">= 0.9", held=True, actual=0.998, line=35),
    Expectation(path="sink.received", condition="== 100", held=False, actual=88, line=36),
    Expectation(path="sink.exit_code", condition="== 0", held=True, actual=0, default=True),
    Expectation(path="results.lost", condition="== 0", held=True, actual=0, default=True),
)
NOTE = ProblemSummary(
    kind="killed",
    process="worker-2",
    endpoint=None,
    text="worker-2 killed",
    code="killed",
    file="t.yaml",
    line=40,
)


def run(events, logs=None, **more):
    return Run(summary=msgspec.structs.replace(summarise(events), **more), logs=logs or {})


def page(*entries, **more):
    return markdown_text(entries, **more)


def tables(text):
    """Every table as rows of cells, as GitHub parts them."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[re.split(r"(?<!\\)\|", line)[1:-1] for line in one.splitlines()] for one in found]


def test_a_run_that_passed():
    lines = page(run(passing())).splitlines()
    assert lines[0] == "## ✓ pipeline: passed in 1.9 s"
    assert lines[2] == (
        "`topology.yaml`, engine local, seed 1, started 2026-01-01T00:00:00Z, run `20260101-000000-abcdef`, "
        "ready after 0.12 s, worked 1.8 s, speed-up 2.8"
    )
    assert "| tasks | 100 | 100 | 0 |" in lines
    assert "| worker-1 | finished | 0 | 34 | 34 | 20/s | 34 % | 1.7 s | 0.0 s | 21 MB |" in lines


def test_a_run_that_failed_tells_why_first():
    lines = page(run(failing(), logs={"worker-2": ["taking 7"], "sink-1": ["of no interest"]})).splitlines()
    assert lines[0] == "## ✗ pipeline: failed after 2.1 s, exit 1"
    assert lines[4] == "- ✗ worker-3 failed: ValueError: no number `topology.yaml:31`"
    assert "| tasks | 100 | 88 | **12** |" in lines
    assert lines.index("taking 7") > lines.index("| tasks | 100 | 88 | **12** |")
    assert "was handling 'x'" in lines
    assert "of no interest" not in lines


def test_a_log_that_ends_with_the_traceback_does_not_repeat_it():
    assert page(run(failing(), logs={"worker-3": ["…", "ValueError: no number"]})).count("ValueError") == 2
    assert page(run(failing(), logs={"worker-3": ["taking x"]})).count("taking x") == 1


def test_expectations_have_marks_and_places():
    text = page(run(failing(), expectations=EXPECTATIONS))
    assert "- ✓ worker.received.jain \\>= 0.9, was 0.998 `topology.yaml:35`\n" in text
    assert "- ✗ sink.received == 100, was 88 `topology.yaml:36`\n" in text
    assert "- ✓ what must always hold: sink.exit_code == 0, results.lost == 0\n" in text


def test_what_could_not_be_judged_says_why():
    text = page(run(not_ready(), expectations=EXPECTATIONS))
    assert "- – sink.received == 100: the run never began" in text
    assert "✓" not in text


def test_faults_notes_and_round_trips_are_told():
    text = page(
        run(
            failing(),
            problems=(),
            notes=(NOTE,),
            faults=(FaultSummary(text="kill worker-2", fired_s=0.84, processes=("worker-2",), line=40),),
            nodes=(NodeSummary(name="client", processes=3, latency=Latency(count=30, p50_ms=0.1, p90_ms=0.2, p99_ms=0.8, max_ms=1.0)),),
        )
    )  # fmt: skip
    assert "- kill worker-2: fired at 0.84 s, worker-2 `topology.yaml:40`" in text
    assert "- – worker-2 killed `t.yaml:40`" in text
    assert "- client: 30 round trips: p50 0.10 ms, p99 0.80 ms" in text


def test_an_interrupted_run_names_the_signal():
    text = page(run(passing(), verdict="interrupted", exit_code=143))
    assert text.startswith("## ✗ pipeline: interrupted by SIGTERM after 1.9 s, exit 143\n")


def test_a_refusal_shows_what_was_told():
    text = page(
        Refusal(name="topology.yaml", file="topology.yaml", text="topology.yaml:7:3: error\n  ```\n  ^^^\n")
    )
    assert (
        text == "## ✗ topology.yaml: not started\n\n````text\ntopology.yaml:7:3: error\n  ```\n  ^^^\n````\n"
    )


def test_patterns_have_a_section_each():
    text = page(run(request_reply()), run(failing()), Refusal(name="third", file="f", text="no"))
    assert [line[5:].split(":")[0] for line in text.splitlines() if line.startswith("## ")] == [
        "request_reply", "pipeline", "third",
    ]  # fmt: skip


def test_of_very_many_problems_the_first_are_told():
    text = page(run(failing(), problems=(NOTE,) * (SHOWN + 7)))
    assert text.count("- ✗ worker-2 killed") == SHOWN
    assert "- … and 7 more" in text


def test_with_a_limit_the_largest_parts_are_left_out_and_named():
    entries = [run(request_reply(40)), run(failing())]
    whole = page(*entries)
    short = page(*entries, limit_bytes=2500)
    assert len(short.encode()) <= 2500 < len(whole.encode())
    assert "## ✓ request_reply" in short
    assert "## ✗ pipeline" in short
    assert re.search(r"\*Left out, since there is no room for it here: [a-z, ]*processes", short)
    assert short.count("```") % 2 == 0
    assert page(*entries, limit_bytes=len(whole.encode()) + 1000) == whole


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_no_text_breaks_the_page(text):
    names = tuple(msgspec.structs.replace(one, name=text, role=text) for one in PIPELINE.processes[:1])
    start = msgspec.structs.replace(PIPELINE, processes=names)
    problems = (msgspec.structs.replace(NOTE, text=text, file=text),)
    shown = page(
        run([start, *failing()[1:]], logs={text: text.split("\n")}, problems=problems, topology=text)
    )
    assert sum(line.startswith("## ") for line in shown.splitlines()) == 1
    assert all(len({len(row) for row in table}) == 1 for table in tables(shown))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a|b", r"a\|b"),
        ("<b>*x*</b>", r"\<b\>\*x\*\</b\>"),
        ("request_reply _x_", r"request_reply \_x\_"),
        ("a\nb", "a<br>b"),
        ("\\`$~&[x](y)", r"\\\`\$\~\&\[x\](y)"),
        ("\x1b", r"\\x1b"),
    ],
)
def test_markup_in_text_is_escaped(text, told):
    assert markup.escaped(text) == told


@pytest.mark.parametrize(("text", "told"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``")])
def test_code_may_hold_ticks(text, told):
    assert markup.code(text) == told


def test_long_lines_of_code_are_cut():
    assert len(markup.block(["x" * 5000]).splitlines()[1]) == markup.LONGEST_LINE


PICTURE = """\
flowchart LR
  n_sink["sink"]
  n_worker["worker ×3"]:::bad
  n_ventilator["ventilator"]
  e_tasks(["tasks"]):::bad
  e_results(["results"])
  n_ventilator -->|"100 sent"| e_tasks
  e_tasks -->|"88 received, 12 lost"| n_worker
  n_worker -->|"88 sent"| e_results
  e_results -->|"88 received"| n_sink
  classDef bad stroke:#d1242f,stroke-width:3px
"""


def test_the_picture_of_a_run():
    assert picture(summarise(failing())) == PICTURE
    assert f"```mermaid\n{PICTURE}```" in page(run(failing()))


def test_requests_and_replies_go_both_ways():
    drawn = picture(summarise(request_reply()))
    assert '  n_client <-->|"30 sent, 30 received"| e_hello\n' in drawn
    assert '  n_server <-->|"30 sent, 30 received"| e_hello\n' in drawn


def signalling(events):
    """The guide's batch signal: the ventilator sends one message to the sink as well."""
    summary = summarise(events)
    tasks, results = summary.links
    ports = {"start": msgspec.structs.replace(summary.processes[-1].ports["tasks"], sent=1)}
    ventilator = msgspec.structs.replace(summary.processes[-1], ports=summary.processes[-1].ports | ports)
    results = msgspec.structs.replace(results, senders=("worker", "ventilator"), sent=101, received=101)
    return msgspec.structs.replace(
        summary, processes=(*summary.processes[:-1], ventilator), links=(tasks, results)
    )


def test_what_others_leave_over_is_a_nodes_own():
    drawn = picture(signalling(passing()))
    assert 'n_worker -->|"100 sent"| e_results' in drawn
    assert 'n_ventilator -->|"1 sent"| e_results' in drawn
    assert 'n_ventilator -->|"100 sent"| e_tasks' in drawn


def test_what_nobody_counts_bears_no_number():
    summary = signalling(passing())
    uncounted = tuple(msgspec.structs.replace(one, ports={}) for one in summary.processes)
    drawn = picture(msgspec.structs.replace(summary, processes=uncounted))
    assert "n_worker --> e_results" in drawn
    assert "sent" not in drawn


def test_endpoints_that_share_a_book_take_no_numbers_from_it():
    summary = signalling(passing())
    links = tuple(msgspec.structs.replace(link, book="tasks+results") for link in summary.links)
    drawn = picture(msgspec.structs.replace(summary, links=links))
    assert "n_ventilator --> e_tasks" in drawn
    assert 'e_tasks -->|"100 received"| n_worker' in drawn


def test_losses_among_several_receivers_stand_at_the_endpoint():
    summary = summarise(failing())
    tasks = msgspec.structs.replace(summary.links[0], receivers=("worker", "sink"))
    drawn = picture(msgspec.structs.replace(summary, links=(tasks, summary.links[1])))
    assert 'e_tasks(["tasks<br/>12 lost"]):::bad' in drawn


def test_a_death_that_was_expected_is_not_marked():
    summary = msgspec.structs.replace(summarise(failing()), problems=(), notes=(NOTE,))
    others = [one for one in summary.processes if one.name != "worker-3"]
    assert '["worker ×2"]\n' in picture(msgspec.structs.replace(summary, processes=tuple(others)))


def test_too_many_arrows_are_no_picture():
    link = LinkSummary(
        endpoint="e", addresses=(), senders=tuple(f"n{n}" for n in range(MAX_EDGES + 1)), receivers=()
    )
    assert picture(msgspec.structs.replace(summarise(passing()), links=(link,))) == ""
    assert "mermaid" not in page(run(passing(), links=(link,)))
