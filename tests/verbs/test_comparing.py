import io
import json
from pathlib import Path

import pytest

from orchestrator.run.difference import successor
from orchestrator.run.planfile import keep_plan
from orchestrator.run.scaling import scaled
from orchestrator.terminal import Terminal
from orchestrator.verbs.comparing import plan_difference
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.loading import load, make_plans

TOPOLOGY = """\
version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 100}}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
"""
SECOND = """\
  q:
    endpoints: {hello: ipc}
    nodes:
      server: {role: server, bind: hello}
      client: {role: client, connect: hello, params: {requests: 1}}
"""


@pytest.fixture(autouse=True)
def run_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("topology.yaml").write_text(TOPOLOGY)
    Path("out").mkdir()
    keep_plan(Path("out"), plan())
    return tmp_path / "out"


def plan(pattern="p"):
    (made,) = make_plans(load("topology.yaml", ()), pattern)
    return made


def compared(*overrides, place="out", pattern=None, json=None):
    out, err = io.StringIO(), io.StringIO()
    sets = [tuple(one.split("=")) for one in overrides]
    code = plan_difference(
        "topology.yaml",
        Path(place),
        pattern=pattern,
        overrides=sets,
        json=json,
        terminal=Terminal(out=out, err=err),
    )
    return code, out.getvalue(), err.getvalue()


def test_what_is_the_same_is_left_alone():
    assert compared() == (0, "nothing to do: it runs so already\n", "")


def test_every_change_is_a_line():
    lines = [
        "  sink: params changed: sink-1 starts again\n",
        "  worker: 3 → 5 processes: worker-4, worker-5 come\n",
        "  stall changed: nobody is touched\n",
    ]
    told = compared("p.nodes.worker.replicas=5", "p.nodes.sink.params.into=got.jsonl", "p.stall=9s")
    assert told == (0, "".join(lines), "")


def test_an_edited_file_counts():
    Path("topology.yaml").write_text(TOPOLOGY.replace("replicas: 3", "replicas: 2"))
    assert compared()[1] == "  worker: 3 → 2 processes: worker-3 leaves\n"


def test_it_is_compared_with_what_runs_now_not_with_what_was_begun():
    keep_plan(Path("out"), successor(scaled(plan(), "worker", 5), plan()))
    assert compared()[1] == "  worker: 5 → 3 processes: worker-4, worker-5 leave\n"


def test_what_cannot_change_is_a_failure():
    code, out, err = compared("p.close=at_once")
    assert (code, out) == (1, "")
    assert err == (
        "topology.yaml: error: cannot change the run: 'close' cannot change in the middle of a run "
        "(take it down, and up again) [cannot-change]\n"
    )


def test_for_machines():
    code, out, err = compared("p.nodes.worker.replicas=4", json="-")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "version": 1,
        "topology": "topology.yaml",
        "run_dir": "out",
        "pattern": "p",
        "changes": ["worker: 3 → 4 processes: worker-4 comes"],
        "coming": ["worker-4"],
        "again": [],
        "leaving": [],
        "why_not": "",
    }


def test_machines_learn_what_stands_against_it():
    code, out, err = compared("p.close=at_once", json="-")
    assert (code, err, "'close' cannot change" in json.loads(out)["why_not"]) == (1, "", True)


def test_a_document_beside_the_lines():
    code, out, _ = compared("p.nodes.worker.replicas=4", json="difference.json")
    assert (code, out) == (0, "  worker: 3 → 4 processes: worker-4 comes\n")
    assert json.loads(Path("difference.json").read_text())["coming"] == ["worker-4"]


def test_the_pattern_is_that_of_the_run():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    assert compared() == compared(pattern="p") == (0, "nothing to do: it runs so already\n", "")
    with pytest.raises(CommandError) as error:
        compared(pattern="q")
    assert (error.value.exit_code, error.value.text) == (
        2, "out: error: cannot compare: it is a run of pattern 'p' (leave out --pattern q) [other-pattern]",
    )  # fmt: skip


def test_a_pattern_that_the_file_has_no_more():
    Path("topology.yaml").write_text(TOPOLOGY.replace("  p:", "  p2:"))
    with pytest.raises(CommandError, match="unknown pattern 'p'") as error:
        compared()
    assert error.value.exit_code == 2


def test_of_a_run_with_several_patterns_one_is_named():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    for pattern in ("p", "q"):
        Path("all", pattern).mkdir(parents=True)
        keep_plan(Path("all", pattern), plan(pattern))
    assert compared(place="all", pattern="q")[0] == 0
    with pytest.raises(
        CommandError, match=r"it has no plan\.json \(say which with --pattern: p, q\)"
    ) as error:
        compared(place="all")
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "why"), [(None, "it has no plan.json"), ("nonsense", "its plan.json is none of this version")]
)
def test_a_plan_that_cannot_be_read_is_told(run_dir, content, why):
    (run_dir / "plan.json").unlink()
    if content:
        (run_dir / "plan.json").write_text(content)
    with pytest.raises(CommandError, match=f"^out: error: cannot compare: {why}") as error:
        compared()
    assert error.value.exit_code == 2
