import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import cli

TOPOLOGY = """\
version: 1
patterns:
  pipeline:
    description: a batch
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 10}}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
  ask:
    endpoints: {hello: "tcp://127.0.0.1:5555"}
    nodes:
      server: {role: server, bind: hello}
      client: {role: client, connect: hello, params: {requests: 1}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def call(capsys):
    def called(*arguments):
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return called


def test_help_names_every_verb(call):
    code, out, _ = call("--help")
    assert code == 0
    for verb in (
        *("run", "validate", "plan", "graph", "schema", "report"),
        *("ps", "logs", "scale", "restart", "down"),
    ):
        assert f"\n  {verb} " in out


def test_version(call):
    code, out, _ = call("--version")
    assert (code, out.split()[0]) == (0, "orchestrator,")


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nfrom orchestrator.cli import main\nmain(['--help'])\n"
        "print(sorted({'pydantic', 'rich', 'yaml', 'zmq'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "topology.yaml: ok, 2 patterns, 5 nodes\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run", "--nonsense"],
        ["run", "--engine", "cluster"],
        ["run", "--engine", "magic"],
        ["run", "--set", "pipeline.nodes.worker.replicas"],
        ["run", "--set", "=3"],
        ["run", "--timeout", "5"],
        ["run", "--timeout", "0s"],
        ["run", "--seed", "-1"],
        ["run", "--seed", "x"],
        ["run", "a.yaml", "b.yaml"],
        ["graph", "--format", "svg"],
        ["report"],
        ["report", "nowhere"],
        ["plan", "--pattern", "nothing"],
        ["plan", "nothing.yaml"],
        ["plan", "--json", "nowhere/plan.json"],
        ["run", "--junit", "nowhere/out.xml"],
        ["run", "--markdown", "."],
        ["run", "--junit", "-", "--json", "-"],
        ["report", ".", "--junit", "out", "--markdown", "out"],
        ["validate", "nothing.yaml"],
        ["validate", "."],
        ["plan", "--diff", "nowhere"],
        ["scale"],
        ["scale", "worker"],
        ["scale", "worker="],
        ["scale", "worker=two"],
        ["scale", "worker=-1"],
        ["scale", "worker=1.5"],
        ["scale", "worker=1234567890"],
        ["scale", "=2"],
        ["scale", "worker=2", "--timeout", "0s"],
        ["restart"],
        ["logs", "--lines", "-1"],
        ["logs", "-n", "x"],
        ["ps", "a.yaml", "b.yaml"],
        ["ps", "nothing.yaml"],
        ["ps", "--run-dir", "nowhere"],
        ["logs", "--file", "nothing.yaml"],
        ["down", "nothing.yaml"],
        ["down", "--timeout", "5"],
    ],
    ids=" ".join,
)
def test_what_a_user_gets_wrong_is_exit_2_without_a_traceback(call, arguments):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_a_duration_without_a_unit_is_explained(call):
    assert "write 5s or 5ms" in call("run", "--timeout", "5")[2]


@pytest.mark.parametrize(
    ("arguments", "usual"), [(["run"], "10m"), (["scale", "a=1"], "5m"), (["down"], "1m")]
)
def test_no_time_at_all_is_explained(call, arguments, usual):
    assert f"leave it out for {usual}" in call(*arguments, "--timeout", "0s")[2]


def test_validate_counts_what_it_checked(call):
    assert call("validate") == (0, "topology.yaml: ok, 2 patterns, 5 nodes\n", "")


def test_validate_goes_through_all_files(call):
    Path("bad.yaml").write_text(TOPOLOGY.replace("replicas: 3", "replica: 3"))
    code, out, err = call("validate", "bad.yaml", "topology.yaml")
    assert (code, out) == (2, "topology.yaml: ok, 2 patterns, 5 nodes\n")
    assert err.startswith("bad.yaml:8:")
    assert "did you mean 'replicas'?" in err
    assert err.endswith("1 problem; nothing was started.\n")


def test_validate_for_machines(call):
    Path("bad.yaml").write_text(TOPOLOGY.replace("replicas: 3", "replica: 3"))
    code, out, err = call("validate", "--json", "bad.yaml", "topology.yaml")
    document = json.loads(out)
    assert (code, err, document["exit_code"]) == (2, "", 2)
    bad, good = document["files"]
    assert (bad["ok"], bad["problems"][0]["code"], bad["problems"][0]["line"]) == (False, "unknown-key", 8)
    assert (good["ok"], good["patterns"], good["nodes"], good["problems"]) == (True, 2, 5, [])


def test_validate_annotates_in_a_job(call, monkeypatch, folder):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    Path("bad.yaml").write_text(TOPOLOGY.replace("replicas: 3", "replica: 3"))
    _, out, err = call("validate", "--json", "bad.yaml", "topology.yaml")
    assert [entry["ok"] for entry in json.loads(out)["files"]] == [False, True]
    assert err == (
        f"::error file={folder.name}/bad.yaml,line=8,col=57,title=unknown-key::"
        "unknown key 'replica' (did you mean 'replicas'?)\n"
    )


def test_run_and_report_in_a_job(call, monkeypatch, folder):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "step.md")
    Path("topology.yaml").write_text(TOPOLOGY.replace("replicas: 3", "replica: 3"))
    code, _, err = call("run", "--junit", "out.xml", "--markdown", "out.md")
    assert code == 2
    assert "::error file=topology.yaml,line=8,col=57,title=unknown-key::" in err
    assert Path("step.md").read_bytes() == Path("out.md").read_bytes()
    assert Path("out.xml").read_text().startswith("<?xml ")


def test_plan_shows_the_order_derived_from_the_sockets(call):
    code, out, err = call("plan", "--pattern", "pipeline")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "pipeline: a batch"
    assert [line.split()[1] for line in lines[1:4]] == ["sink", "worker", "ventilator"]


def test_plan_takes_overrides(call):
    _, out, _ = call(
        "plan", "--pattern", "pipeline", "--set", "pipeline.nodes.worker.replicas=2", "--json", "-"
    )
    (plan,) = json.loads(out)["plans"]
    assert [process["name"] for process in plan["processes"] if process["node"] == "worker"] == [
        "worker-1",
        "worker-2",
    ]


def test_an_override_may_hold_the_sign_that_parts_it(call):
    _, out, _ = call("plan", "--pattern", "ask", "--set", "ask.description=a = b", "--json", "-")
    assert json.loads(out)["plans"][0]["description"] == "a = b"


def test_plan_in_a_file_and_to_read(call):
    code, out, _ = call("plan", "--json", "plan.json")
    assert code == 0
    assert "pipeline: a batch" in out
    assert len(json.loads(Path("plan.json").read_text())["plans"]) == 2


@pytest.mark.parametrize(("form", "first"), [("mermaid", "flowchart LR"), ("dot", "digraph topology {")])
def test_graph(call, form, first):
    code, out, _ = call("graph", "--format", form)
    assert (code, out.splitlines()[0]) == (0, first)


def test_schema_is_json(call):
    code, out, _ = call("schema")
    assert code == 0
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/")


def test_color_is_forced_or_forbidden(call, monkeypatch):
    assert "\x1b[" not in call("plan")[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in call("plan")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in call("plan")[1]


def test_a_reader_that_goes_away_is_no_fault():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", "graph"], stdout=gone, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupt_before_a_run_is_130(call, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.verbs.showing.load", interrupt)
    code, out, err = call("plan")
    assert (code, out) == (130, "")
    assert "nothing is running" in err
