import io
import json
from pathlib import Path

import msgspec
import pytest
from junit_rules import faults, parsed
from scenes import PIPELINE, failing, not_ready, passing

from orchestrator.engines.base import EngineError
from orchestrator.engines.choice import choose
from orchestrator.run.events import Progress, RunEnded, RunStarted
from orchestrator.run.outlines import ProcessOutline
from orchestrator.terminal import Terminal
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.github import Actions
from orchestrator.verbs.reporting import report
from orchestrator.verbs.running import DEFAULT_TIMEOUT_S, RunOptions, run

TOPOLOGY = """\
version: 1
patterns:
  pipeline:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 100}}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
"""
SECOND = """\
  second:
    seed: 5
    duration: 3s
    endpoints: {hello: ipc}
    nodes:
      server: {role: server, bind: hello}
      client: {role: client, connect: hello, params: {requests: 1}}
"""


class Scripted:
    """A runner that plays events, one list a run, and keeps what it was asked for."""

    def __init__(self, *runs, error=None):
        self.runs = list(runs)
        self.asked = []
        self.error = error

    def __call__(self, plan, *, observers, **asked):
        self.asked.append(asked | {"pattern": plan.pattern})
        for event in self.runs.pop(0):
            for observer in observers:
                observer(self.of_pattern(event, plan))
        if self.error:
            raise self.error
        return event

    def of_pattern(self, event, plan):
        return (
            msgspec.structs.replace(event, pattern=plan.pattern) if isinstance(event, RunStarted) else event
        )


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    return tmp_path


class Ran:
    """What a run left behind."""

    def __init__(self, runner, actions=None, **options):
        self.out, self.err = io.StringIO(), io.StringIO()
        self.options = RunOptions(**{"file": "topology.yaml", "engine": choose("local")} | options)
        self.code = run(self.options, Terminal(out=self.out, err=self.err), runner, actions)

    @property
    def document(self):
        return json.loads(self.out.getvalue())


def interrupted(code=130):
    return [*passing()[:-1], RunEnded(at_s=1.9, verdict="interrupted", exit_code=code, work_s=None)]


def test_a_run_that_passes():
    ran = Ran(Scripted(passing()))
    assert ran.code == 0
    assert ran.out.getvalue().startswith("PROCESS")
    assert ran.out.getvalue().endswith("Report: .runs/latest\n")
    assert "ready in 0.12 s: 6 connections in place" in ran.err.getvalue()


def test_the_record_is_kept():
    Ran(Scripted(passing()))
    latest = Path(".runs/latest")
    assert latest.is_symlink()
    assert {path.name for path in latest.iterdir()} == {
        "events.jsonl", "summary.json", "plan.json", "topology.yaml", "logs",
    }  # fmt: skip
    assert json.loads((latest / "summary.json").read_text())["verdict"] == "passed"
    assert json.loads((latest / "plan.json").read_text())["pattern"] == "pipeline"
    assert (latest / "topology.yaml").read_text() == TOPOLOGY
    assert len((latest / "events.jsonl").read_text().splitlines()) == len(passing()) - 1
    assert Path(".runs/.gitignore").read_text() == "*\n"


def test_latest_follows_the_last_run():
    Ran(Scripted(passing()))
    first = Path(".runs/latest").resolve()
    Ran(Scripted(failing()))
    assert Path(".runs/latest").resolve() != first
    assert json.loads(Path(".runs/latest/summary.json").read_text())["verdict"] == "failed"
    assert len([path for path in Path(".runs").iterdir() if path.is_dir() and not path.is_symlink()]) == 2


def test_a_run_that_fails_shows_the_last_log_lines():
    def runner(plan, *, run_dir, **more):
        (run_dir / "logs" / "worker-2.log").write_text("".join(f"line {n}\n" for n in range(30)))
        return Scripted(failing())(plan, run_dir=run_dir, **more)

    ran = Ran(runner, quiet=True)
    assert ran.code == 1
    assert "last lines of its log:\n    line 20\n" in ran.out.getvalue()
    assert "line 19" not in ran.out.getvalue()
    assert ran.err.getvalue() == ""


def test_json_on_stdout_stands_alone():
    ran = Ran(Scripted(failing()), json="-")
    assert ran.code == 1
    assert (ran.document["version"], ran.document["verdict"], ran.document["exit_code"]) == (1, "failed", 1)
    assert ran.document["runs"][0]["pattern"] == "pipeline"
    assert ran.document["problems"] == []
    assert "FAILED, exit 1." in ran.err.getvalue()


def test_json_and_quiet_leave_stderr_empty():
    ran = Ran(Scripted(passing()), json="-", quiet=True)
    assert (ran.document["exit_code"], ran.err.getvalue()) == (0, "")


def test_json_in_a_file_goes_beside_the_report():
    ran = Ran(Scripted(passing()), json="out.json")
    assert json.loads(Path("out.json").read_text())["verdict"] == "passed"
    assert "PASSED" in ran.out.getvalue()


def test_a_json_path_that_cannot_be_is_told_before_any_work():
    runner = Scripted(passing())
    with pytest.raises(
        CommandError, match=r"nowhere/out\.json: error: cannot write .*: no such folder"
    ) as error:
        Ran(runner, json="nowhere/out.json")
    assert (error.value.exit_code, runner.asked) == (2, [])


def test_no_two_documents_may_have_stdout():
    runner = Scripted(passing())
    with pytest.raises(CommandError, match="cannot write both --junit and --markdown to stdout"):
        Ran(runner, junit="-", markdown="-")
    assert runner.asked == []


@pytest.mark.parametrize(("name", "begin"), [("junit", "<?xml "), ("markdown", "## ✗ pipeline")])
def test_any_document_on_stdout_stands_alone(name, begin):
    ran = Ran(Scripted(failing()), **{name: "-"})
    assert ran.code == 1
    assert ran.out.getvalue().startswith(begin)
    assert "PROCESS" not in ran.out.getvalue()
    assert "FAILED, exit 1." in ran.err.getvalue()


def test_a_document_that_cannot_be_written_in_the_end_is_exit_3():
    Path("gone").mkdir()

    def runner(plan, **more):
        Path("gone").rmdir()
        return Scripted(failing())(plan, **more)

    ran = Ran(runner, junit="gone/out.xml", markdown="out.md")
    assert ran.code == 3
    assert "gone/out.xml: error: cannot write the JUnit document: No such file" in ran.err.getvalue()
    assert Path("out.md").exists()


def talking(*runs):
    """A runner whose processes write more than is kept, not all of it fit for XML."""
    scripted = Scripted(*runs)

    def runner(plan, *, run_dir, **more):
        for name in ("worker-1", "worker-2"):
            lines = [f"line {n}".encode() for n in range(30)]
            (run_dir / "logs" / f"{name}.log").write_bytes(
                b"\n".join([*lines, b"\x1b[31m\x00\xff```"]) + b"\n"
            )
        return scripted(plan, run_dir=run_dir, **more)

    return runner


def test_documents_hold_the_last_lines_of_logs():
    Ran(talking(failing()), junit="out.xml", markdown="out.md")
    assert faults(Path("out.xml").read_text()) == []
    outs = [one.text.split("\n") for one in parsed(Path("out.xml").read_text()).iter("system-out")]
    assert [(len(lines), lines[0], lines[-1]) for lines in outs] == [
        (20, "line 11", "\\x1b[31m\\x00\\xff```")
    ] * 2
    assert "line 11\n" in Path("out.md").read_text()


def test_several_patterns_are_one_document():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    Ran(Scripted(failing(), passing()), junit="out.xml", markdown="out.md")
    assert faults(Path("out.xml").read_text()) == []
    assert [suite.get("name") for suite in parsed(Path("out.xml").read_text())] == ["pipeline", "second"]
    heads = [line for line in Path("out.md").read_text().splitlines() if line.startswith("## ")]
    assert heads == ["## ✗ pipeline: failed after 2.1 s, exit 1", "## ✓ second: passed in 1.9 s"]


def test_report_makes_the_same_documents_again():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND.replace("second", "another"))
    ran = Ran(
        talking(failing(), not_ready()), run_dir=Path("out"), json="a.json", junit="a.xml", markdown="a.md"
    )
    assert ran.code == 1
    Path("elsewhere").mkdir()
    Path("out").rename("elsewhere/moved")
    code = report(
        Path("elsewhere/moved"), terminal=Terminal(out=io.StringIO(), err=io.StringIO()),
        json="b.json", junit="b.xml", markdown="b.md",
    )  # fmt: skip
    assert code == 0
    for kind in ("json", "xml", "md"):
        assert Path(f"a.{kind}").read_bytes() == Path(f"b.{kind}").read_bytes()
    assert [suite.get("name") for suite in parsed(Path("b.xml").read_text())] == ["pipeline", "another"]


def test_a_wrong_topology_is_a_suite_of_one_error():
    Path("topology.yaml").write_text(TOPOLOGY.replace("replicas", "replica"))
    ran = Ran(Scripted(), junit="out.xml", markdown="out.md")
    assert ran.code == 2
    (suite,) = parsed(Path("out.xml").read_text())
    assert (suite.get("name"), suite.get("tests"), suite.get("errors")) == ("topology.yaml", "1", "1")
    assert faults(Path("out.xml").read_text()) == []
    assert "topology.yaml:7:" in suite[0][0].text
    assert "^^^^^^^" in suite[0][0].text
    assert (
        Path("out.md").read_text().startswith("## ✗ topology.yaml: not started\n\n```text\ntopology.yaml:7:")
    )


def test_a_run_that_could_not_begin_is_an_error_beside_the_others():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    Path("out/pipeline").mkdir(parents=True)
    Path("out/pipeline/mine").write_text("")
    ran = Ran(Scripted(passing()), run_dir=Path("out"), junit="out.xml")
    assert ran.code == 2
    suites = parsed(Path("out.xml").read_text())
    assert [(suite.get("name"), suite.get("errors")) for suite in suites] == [
        ("pipeline", "1"),
        ("second", "0"),
    ]


def test_a_step_of_a_job_gets_annotations_and_a_summary(folder):
    step = Actions(workspace=str(folder.parent), summary="step.md")
    ran = Ran(Scripted(failing()), actions=step, quiet=True, markdown="out.md", json="-")
    assert ran.document["exit_code"] == 1
    lines = [line for line in ran.err.getvalue().splitlines() if line.startswith("::")]
    assert lines[1] == (
        f"::error file={folder.name}/topology.yaml,line=31,title=pipeline%3A killed::"
        "worker-2 killed by SIGKILL at 0.84 s (restart: no)"
    )
    assert len(lines) == 3
    assert Path("step.md").read_bytes() == Path("out.md").read_bytes()


def test_a_step_hears_of_warnings_and_of_what_is_refused():
    Path("topology.yaml").write_text(TOPOLOGY.replace("results: ipc", "results: ipc, more: ipc"))
    ran = Ran(Scripted(passing()), actions=Actions(), quiet=True)
    assert "::warning file=topology.yaml,line=4,col=" in ran.err.getvalue()
    Path("topology.yaml").write_text(TOPOLOGY.replace("replicas", "replica"))
    ran = Ran(Scripted(), actions=Actions(summary="step.md"))
    assert ran.err.getvalue().count("::error file=topology.yaml,line=7,") == 1
    assert Path("step.md").read_text().startswith("## ✗ topology.yaml: not started")


def test_a_wrong_topology_is_told_in_json_too():
    Path("topology.yaml").write_text(TOPOLOGY.replace("replicas", "replica"))
    runner = Scripted(passing())
    ran = Ran(runner, json="-")
    assert (ran.code, ran.document["exit_code"], ran.document["runs"], runner.asked) == (2, 2, [], [])
    problem = ran.document["problems"][0]
    assert (problem["code"], problem["file"], problem["line"]) == ("unknown-key", "topology.yaml", 7)
    assert "topology.yaml:7:" in ran.err.getvalue()
    assert not Path(".runs").exists()


def test_a_missing_file_is_told():
    ran = Ran(Scripted(), file="nothing.yaml", json="-")
    assert (ran.code, ran.document["problems"][0]["file"]) == (2, "nothing.yaml")


def test_an_unknown_pattern_has_a_hint():
    ran = Ran(Scripted(), pattern="pipelin")
    assert ran.code == 2
    assert "unknown pattern 'pipelin' (did you mean 'pipeline'?)" in ran.err.getvalue()


def test_a_machine_that_cannot_is_exit_3():
    ran = Ran(
        Scripted([Progress(at_s=0, readings={})], error=EngineError("cannot start: too few files")), json="-"
    )
    assert (ran.code, ran.document["exit_code"], ran.document["runs"]) == (3, 3, [])
    assert ran.document["problems"][0]["text"] == "cannot start: too few files"
    assert "cannot start: too few files" in ran.err.getvalue()


def test_an_engine_that_gives_up_leaves_a_whole_record():
    ran = Ran(Scripted(passing()[:8], error=EngineError("cannot go on: no memory")), json="-")
    assert ran.code == 3
    summary = ran.document["runs"][0]
    assert (summary["verdict"], summary["exit_code"]) == ("failed", 3)
    assert [problem["text"] for problem in summary["problems"]] == ["cannot go on: no memory"]
    assert Path(".runs/latest/events.jsonl").read_text().count("RunEnded") == 1


def test_all_patterns_run_and_the_worst_exit_counts():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    runner = Scripted(failing(), passing())
    ran = Ran(runner)
    assert [asked["pattern"] for asked in runner.asked] == ["pipeline", "second"]
    assert ran.code == 1
    assert "pipeline: FAILED, exit 1. Log: .runs/2" in ran.out.getvalue()
    assert ran.out.getvalue().endswith("2 patterns, 1 passed\n")


def test_an_interrupt_ends_the_patterns_that_follow():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    runner = Scripted(interrupted(), passing())
    ran = Ran(runner, json="-")
    assert (ran.code, len(runner.asked)) == (130, 1)
    assert ran.document["verdict"] == "interrupted"


def test_sigterm_is_143():
    assert Ran(Scripted(interrupted(143))).code == 143


def test_the_seed_is_asked_for_or_the_patterns_or_any():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    runner = Scripted(passing(), passing(), passing(), passing())
    Ran(runner)
    Ran(runner, seed=7)
    assert runner.asked[0]["seed"] >= 0
    assert [asked["seed"] for asked in runner.asked[1:]] == [5, 7, 7]


def test_the_timeout_is_asked_for_or_ten_minutes_or_none_with_a_duration():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    runner = Scripted(passing(), passing(), passing(), passing())
    Ran(runner)
    Ran(runner, timeout_s=9.0)
    assert [asked["timeout_s"] for asked in runner.asked] == [DEFAULT_TIMEOUT_S, None, 9.0, 9.0]


def test_the_runner_is_told_where_it_is(folder):
    runner = Scripted(passing())
    Ran(runner)
    asked = runner.asked[0]
    assert (asked["engine"].name, asked["folder"]) == ("local", folder)
    assert asked["run_dir"] == Path(".runs/latest").resolve()
    assert asked["run_dir"].name == asked["run_id"]


def test_a_run_directory_of_ones_own():
    ran = Ran(Scripted(passing()), run_dir=Path("deep/out"))
    assert ran.code == 0
    assert Path("deep/out/summary.json").exists()
    assert ran.out.getvalue().endswith("Report: deep/out\n")
    assert not Path(".runs").exists()


def test_several_patterns_have_parts_of_the_run_directory():
    Path("topology.yaml").write_text(TOPOLOGY + SECOND)
    Ran(Scripted(passing(), passing()), run_dir=Path("out"))
    assert {path.name for path in Path("out").iterdir()} == {"pipeline", "second"}


def test_a_run_directory_that_holds_a_run_is_left_alone():
    Ran(Scripted(passing()), run_dir=Path("out"))
    runner = Scripted(failing())
    ran = Ran(runner, run_dir=Path("out"))
    assert (ran.code, runner.asked) == (2, [])
    assert "cannot use the run directory out: it is not empty" in ran.err.getvalue()
    assert json.loads(Path("out/summary.json").read_text())["verdict"] == "passed"


def test_a_run_directory_that_cannot_be_made_is_exit_3():
    Path("file").write_text("")
    ran = Ran(Scripted(passing()), run_dir=Path("file/out"))
    assert ran.code == 3
    assert "cannot create the run directory: Not a directory" in ran.err.getvalue()


def test_overrides_reach_the_plan():
    Ran(Scripted(passing()), overrides=(("pipeline.nodes.worker.replicas", "8"),))
    plan = json.loads(Path(".runs/latest/plan.json").read_text())
    assert sum(process["node"] == "worker" for process in plan["processes"]) == 8


def test_what_roles_report_may_be_of_any_kind():
    odd = [
        msgspec.structs.replace(event, result={"when": object()}) if hasattr(event, "result") else event
        for event in passing()
    ]
    assert Ran(Scripted(odd)).code == 0


def test_names_of_processes_cannot_steer_the_terminal():
    outlines = (ProcessOutline(name="x-1", node="x", role="m:\x1b[2J", receives=True),)
    fields = {name: getattr(PIPELINE, name) for name in RunStarted.__struct_fields__}
    start = RunStarted(**fields | {"processes": outlines, "description": "\x1b[2J"})
    ran = Ran(Scripted([start, RunEnded(at_s=1.0, verdict="passed", exit_code=0, work_s=None)]))
    assert "\x1b" not in ran.err.getvalue() + ran.out.getvalue()
