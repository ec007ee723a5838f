"""Rules of the source that no run would show: no pickle on any wire, no wall clock in anything that decides."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for top in ("orchestrator", "roles") for path in (ROOT / top).rglob("*.py"))

PICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
PICKLING = {"send_pyobj", "recv_pyobj", "ForkingPickler", "send_serialized", "recv_serialized"}
WALL_CLOCKS = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "strftime"},
    "datetime": {"now", "today", "utcnow"},
}
TELLS_THE_TIME = {"orchestrator/rundir.py": "make_run_dir", "orchestrator/run/runner.py": "wall_clock_now"}
"""The name of a run's directory and its `started_at`: to be read by people, and compared with nothing."""


def name_of(path):
    return str(path.relative_to(ROOT))


def uses(tree, names):
    """Where a module or a name of one of these is used."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and {alias.name.partition(".")[0] for alias in node.names} & names:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in names:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & names:
            yield node.lineno
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_pickled(path):
    """Multiprocessing pickles its process objects, for children of ours alone; `roles/kit/forked.py` says where."""
    assert list(uses(ast.parse(path.read_text(encoding="utf-8")), PICKLERS | PICKLING)) == []


def test_what_multiprocessing_pickles_is_text_and_bytes_of_ours():
    """The only way to a child that is not an order: its arguments are JSON, a number and a path."""
    users = {name_of(path) for path in SOURCES if "ForkServerProcess(" in path.read_text(encoding="utf-8")}
    assert users == {"orchestrator/engines/local.py"} | {
        name for name in users if "class" in _lines_with(name, "ForkServerProcess(")
    }
    text = (ROOT / "orchestrator/engines/local.py").read_text(encoding="utf-8")
    assert "arguments = (encode(spec), self._place_json, incarnation, log)" in text


def _lines_with(name, word):
    return "".join(line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if word in line)


def wall_clock_users(tree):
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                base = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                if node.attr in WALL_CLOCKS.get(base, ()):
                    yield getattr(function, "name", ""), node.lineno
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                taken = {alias.name for alias in node.names} & WALL_CLOCKS["time"]
                if taken:
                    yield getattr(function, "name", ""), node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nobody_asks_the_wall_clock(path):
    found = {who for who, _ in wall_clock_users(ast.parse(path.read_text(encoding="utf-8"))) if who}
    assert found <= {TELLS_THE_TIME.get(name_of(path))}


def test_the_rules_see_what_they_forbid():
    tree = ast.parse(
        "import time, pickle\ndef f():\n    return time.time()\n\nclass A:\n    def g(s):\n        s.recv_pyobj()\n"
    )
    assert list(wall_clock_users(tree)) == [("", 3), ("f", 3)]
    assert sorted(uses(tree, PICKLERS | PICKLING)) == [1, 7]


@pytest.mark.parametrize("verb", [["validate"], ["plan"], ["graph"], ["validate", "--json"]])
def test_looking_runs_nothing_of_the_users(tmp_path, verb):
    """Its modules, and the packages that they stand in, write a file when they are imported."""
    trap = f"from pathlib import Path\nPath({str(tmp_path / 'sprung')!r}).touch()\n"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(trap)
    (tmp_path / "conftest.py").write_text(trap)
    for name in ("mine", "package/inner"):
        role = "from roles.kit import Pull, Push, Role\n\nclass Thing(Role):\n    tasks = Pull()\n    results = Push()\n"
        (tmp_path / f"{name}.py").write_text(f"{trap}{role}\n\ndef work(task):\n    return task\n")
    (tmp_path / "topology.yaml").write_text(
        "version: 1\npatterns:\n  p:\n    endpoints: {tasks: ipc, results: ipc}\n    nodes:\n"
        "      ventilator: {role: ventilator, bind: tasks, params: {call: 'package.inner:work'}}\n"
        "      one: {role: 'mine:Thing', connect: [tasks, results]}\n"
        "      two: {role: 'package.inner:Thing', connect: [tasks, results]}\n"
        "      three: {role: worker, connect: [tasks, results], params: {call: 'mine:work'}}\n"
        "      sink: {role: sink, bind: results}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *verb],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "sprung").exists()
