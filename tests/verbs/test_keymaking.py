"""The verb `keys`, and where a run finds them."""

import io
from pathlib import Path

import pytest

from orchestrator.engines.choice import choose
from orchestrator.terminal import Terminal
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.keymaking import KeysOptions, folder_of_keys, make_keys
from orchestrator.verbs.loading import load, make_plans
from orchestrator.verbs.running import RunOptions, run
from orchestrator.verbs.showing import plan
from roles.kit.keys import named, read_pair

TOPOLOGY = """\
version: 1
patterns:
  first:
    security: curve
    endpoints: {tasks: ipc, results: "tcp://127.0.0.1:5555"}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 100}}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
  second:
    endpoints: {hello: ipc}
    nodes:
      server: {role: server, bind: hello}
      client: {role: client, connect: hello, params: {requests: 1}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    return tmp_path


def terminal():
    return Terminal(out=io.StringIO(), err=io.StringIO())


def made(**options):
    told = terminal()
    assert make_keys(KeysOptions(file="topology.yaml", **options), told) == 0
    return told.out.getvalue()


def first_plan():
    loaded = load("topology.yaml", ())
    return make_plans(loaded, "first")[0], loaded


def test_keys_are_made_for_each_node_under_curve_and_kept_the_next_time():
    assert made() == "".join(
        f"made .keys/first/{node}.key_secret\n" for node in ("sink", "worker", "ventilator")
    )
    before = read_pair(Path(".keys/first"), "worker")
    Path(".keys/first/sink.key_secret").unlink()
    assert made().splitlines()[:2] == [
        "made .keys/first/sink.key_secret",
        "kept .keys/first/worker.key_secret",
    ]
    assert read_pair(Path(".keys/first"), "worker") == before
    assert named(Path(".keys/first")) == ["sink", "ventilator", "worker"]
    assert not Path(".keys/second").exists()
    assert Path(".keys/.gitignore").read_text() == "*\n"
    assert {path.stat().st_mode & 0o777 for path in (Path(".keys"), Path(".keys/first"))} == {0o700}


def test_another_folder_may_be_named_and_another_value_set(tmp_path):
    told = made(pattern="second", overrides=[("second.security", "curve")], folder=tmp_path / "mine")
    assert told == "".join(f"made mine/second/{node}.key_secret\n" for node in ("server", "client"))


def test_where_nothing_is_under_curve_there_is_nothing_to_make():
    with pytest.raises(CommandError, match=r"no endpoint is under CURVE \(write security: curve") as caught:
        made(pattern="second")
    assert caught.value.exit_code == 2
    assert not Path(".keys").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"cannot make keys in file/mine: Not a directory"):
        made(folder=Path("file/mine"))


def test_a_run_makes_its_own_keys_as_long_as_nobody_has_made_any():
    planned, loaded = first_plan()
    assert folder_of_keys(planned, loaded, None) is None
    made()
    assert folder_of_keys(planned, loaded, None) == Path.cwd() / ".keys" / "first"
    second = make_plans(loaded, "second")[0]
    assert folder_of_keys(second, loaded, None) is None


def test_of_keys_that_were_made_or_named_none_may_be_missing():
    planned, loaded = first_plan()
    with pytest.raises(CommandError, match="mine/first: it is not there"):
        folder_of_keys(planned, loaded, Path("mine"))
    made()
    Path(".keys/first/worker.key").unlink()
    with pytest.raises(CommandError, match=r"worker\.key: it is not there .* \[keys\]"):
        folder_of_keys(planned, loaded, None)


def test_an_external_needs_a_key_that_stays_and_keeps_its_secret_to_itself():
    text = TOPOLOGY.replace("ventilator: {role: ventilator, bind: tasks, params: {count: 100}}", "")
    text = text.replace(
        "{role: worker, connect: [tasks, results], replicas: 3}", "{external: true, connect: results}"
    )
    Path("topology.yaml").write_text(text.replace("tasks: ipc, ", ""))
    planned, loaded = first_plan()
    with pytest.raises(
        CommandError, match=r"'worker' is started by somebody else, .*orchestrator keys topology.yaml"
    ):
        folder_of_keys(planned, loaded, None)
    made()
    Path(".keys/first/worker.key_secret").rename("taken-to-another-machine")
    assert folder_of_keys(planned, loaded, None) is not None


def test_a_run_is_told_where_the_keys_are_before_it_begins():
    asked = []

    def runner(planned, **options):
        asked.append((planned.pattern, options["keys"]))
        raise SystemExit

    made()
    with pytest.raises(SystemExit):
        run(RunOptions(file="topology.yaml", engine=choose("local")), terminal(), runner)
    assert asked == [("first", Path.cwd() / ".keys" / "first")]
    Path(".keys/first/worker.key_secret").chmod(0o644)
    told = terminal()
    code = run(RunOptions(file="topology.yaml", pattern="first", engine=choose("local")), told, runner)
    assert code == 2
    assert (
        "worker.key_secret: others can get at it, its mode is 0644 (chmod 0600) [keys]" in told.err.getvalue()
    )
    assert len(asked) == 1


def test_the_plan_shows_whom_each_endpoint_lets_in():
    told = terminal()
    plan("topology.yaml", pattern="first", overrides=(), json=None, terminal=told)
    text = told.out.getvalue()
    assert "binds results under curve, for worker" in text
    assert text.count("connects tasks under curve  ") == 3
