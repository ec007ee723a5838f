"""The edge to the disk: topology files, sources of roles and functions, inputs. Nothing is ever imported."""

import sys
from pathlib import Path

import pytest

from orchestrator.sources import SourceFinder, check_file, read_topology
from orchestrator.topology.problem import TopologyError, headline

TOPOLOGY = """\
version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      source: {role: ventilator, bind: tasks, params: {SOURCE}}
      worker: {role: worker, connect: [tasks, results], params: {WORK}}
      sink: {role: sink, bind: results, params: {INTO}}
"""


def told(folder, *, source="count: 1", work="", into="", **files):
    """The first lines of all problems of a topology in a folder with these files."""
    text = TOPOLOGY.replace("SOURCE", source).replace("WORK", work).replace("INTO", into)
    (folder / "topology.yaml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".py").write_text(content, encoding="utf-8")
    try:
        check_file(folder / "topology.yaml", environment={"PATH": ""})
    except TopologyError as error:
        return [headline(problem, file="t") for problem in error.problems]
    return []


def test_a_right_topology_is_checked(tmp_path):
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"source": "lines: none.txt"},
            "t:6:63: error: cannot read 'none.txt': there is no such file [no-file]",
        ),
        ({"source": "lines: ."}, "t:6:63: error: cannot read '.': it is a folder [no-file]"),
        ({"source": "files: '*.none'"}, "t:6:63: error: no file matches '*.none' [no-files]"),
        ({"source": "files: /nowhere/*"}, "t:6:63: error: no file matches '/nowhere/*' [no-files]"),
        (
            {"into": "into: gone/out.json"},
            "t:8:56: error: cannot write 'gone/out.json': its folder is not there (create gone) [no-folder]",
        ),
        ({"into": "into: ."}, "t:8:56: error: cannot write '.': it is a folder [no-folder]"),
        (
            {"work": "call: 'nowhere:work'"},
            (
                "t:7:72: error: cannot find the module 'nowhere' "
                "(it is looked for beside the topology, then among what is installed) [no-module]"
            ),
        ),
        (
            {"work": "call: {function: 'mine:wrok'}", "mine": "def work(x): ..."},
            "t:7:83: error: 'mine' has no 'wrok' (did you mean 'work'?) [no-function]",
        ),
        (
            {"work": "call: 'mine:work'", "mine": "def work(x:\n"},
            "t:7:72: error: cannot read 'mine': line 1: '(' was never closed [source-syntax]",
        ),
    ],
)
def test_what_is_not_there_is_told_at_its_place(tmp_path, params, said):
    assert told(tmp_path, **params) == [said]


@pytest.mark.parametrize("value", ["~nobody-of-this-name/x", "x" * 5000, '"\\0"', "''"])
def test_paths_that_no_system_takes_are_problems_too(tmp_path, value):
    for param in ("lines", "files"):
        (line,) = told(tmp_path, source=f"{param}: {value}")
        assert "error: " in line


@pytest.mark.parametrize(
    ("work", "files"),
    [
        ("call: 'mine:work'", {"mine": "def work(x): ..."}),
        ("call: 'mine:work'", {"mine": "from functools import partial as work"}),
        ("call: 'mine:work'", {"mine": "from elsewhere import *"}),
        ("call: 'mine:work'", {"mine": "try:\n    work = 1\nexcept ImportError:\n    pass\n"}),
        ("call: 'mine:Work.do'", {"mine": "class Work: ..."}),
        ("call: 'pack.mine:work'", {"pack__mine": "async def work(x): ..."}),
        ("call: 'json:loads'", {}),
        ("call: 'math:sqrt'", {}),
        ("call: 'os.path:basename'", {}),
        ("call: 'roles.functions:sleep_ms'", {}),
    ],
)
def test_functions_are_found_where_the_role_will_find_them(tmp_path, work, files):
    assert told(tmp_path, work=work, **files) == []


def test_inputs_are_looked_for_from_the_folder_of_the_topology(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path.parent)
    assert told(tmp_path, source="files: in/**/*.txt", into="into: in/out.json") == []
    assert told(tmp_path, source=f"lines: {tmp_path}/in/a.txt") == []


def test_nothing_is_imported(tmp_path):
    mark = tmp_path / "imported"
    source = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\ndef work(x): ...\n"
    assert told(tmp_path, work="call: 'sinister:work'", sinister=source) == []
    assert not mark.exists()
    assert "sinister" not in sys.modules


def test_a_program_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "topology.yaml"
    path.write_text(
        "version: 1\npatterns: {p: {nodes: {a: {command: no-such-program -v}}}}\n", encoding="utf-8"
    )
    with pytest.raises(TopologyError, match="cannot find the program 'no-such-program'"):
        check_file(path, environment={"PATH": "/bin:/usr/bin"})


def test_a_program_beside_the_topology_is_found_by_its_path(tmp_path):
    path = tmp_path / "topology.yaml"
    path.write_text("version: 1\npatterns: {p: {nodes: {a: {command: ./run.sh}}}}\n", encoding="utf-8")
    program = tmp_path / "run.sh"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o700)
    assert check_file(path, environment={"PATH": ""}).warnings == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"version: 1\n\xff\xfe", "line 2 is not UTF-8"),
        (bytes(range(256)) * 4, "is not UTF-8"),
        (b"#" * 300_000, "more than 256 KiB"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, said):
    path = tmp_path / "topology.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TopologyError, match=said):
        check_file(path, environment={})


def test_a_folder_is_no_topology(tmp_path):
    with pytest.raises(TopologyError, match="it is a folder"):
        read_topology(tmp_path)


def test_a_path_that_no_system_takes_is_refused():
    with pytest.raises(TopologyError, match="cannot read"):
        read_topology(Path("a\0b"))


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "topology.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\n")
    assert read_topology(path) == "version: 1\n"


def test_the_folder_comes_before_what_is_installed_but_not_before_the_project(tmp_path):
    (tmp_path / "json.py").write_text("mine = 1", encoding="utf-8")
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "worker.py").write_text("mine = 1", encoding="utf-8")
    finder = SourceFinder(tmp_path)
    assert finder.read("json") == "mine = 1"
    assert "class Worker" in (finder.read("roles.worker") or "")
    assert finder.read("math") is None
    assert finder.exists("math")
