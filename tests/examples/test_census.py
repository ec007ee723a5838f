"""The census gives what a plain loop over the same files gives."""

import ast
import json
import sysconfig
import textwrap
from pathlib import Path

import pytest

LIBRARY = Path(sysconfig.get_path("stdlib"))


def library_files(below=""):
    """Our own listing, written another way than the example's."""
    found = [path.relative_to(LIBRARY).as_posix() for path in LIBRARY.glob(f"{below or '.'}/**/*.py")]
    return sorted(
        name
        for name in found
        if "/site-packages/" not in f"/{name}"
        and "/dist-packages/" not in f"/{name}"
        and (LIBRARY / name).is_file()
    )


def sequential(census, names):
    """The plain loop: no processes, no sockets."""
    total = None
    for name in names:
        total = census.add(total, census.examine(name))
    return json.loads(json.dumps(total))


def counted_by_walking(names):
    """The sums again, without the example's functions: files, lines, functions, classes."""
    sources = [(LIBRARY / name).read_bytes() for name in names]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    lines = sum(len(source.splitlines()) for source in sources)
    functions = sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
    classes = sum(isinstance(node, ast.ClassDef) for node in nodes)
    return len(names), lines, functions, classes


@pytest.fixture
def census(example):
    return example("census")


@pytest.fixture
def run_census(run_example, tmp_path):
    def run(*overrides):
        into = tmp_path / "census.json"
        outcome = run_example("census.yaml", f"census.nodes.sink.params.into={into}", *overrides)
        assert outcome.exit_code == 0, outcome.stderr
        return json.loads(into.read_text(encoding="utf-8")), outcome

    return run


def test_one_package_equals_a_plain_loop(census, run_census):
    names = library_files("email")
    assert len(names) > 20
    only = 'census.nodes.ventilator.params.call={function: "census:modules", with: {below: email}}'
    total, outcome = run_census(only)
    assert total == sequential(census, names)
    assert sorted(total["modules"]) == names
    sums = total["files"], total["lines"], total["functions"], total["classes"]
    assert sums == counted_by_walking(names)
    assert outcome.sent == {"tasks": len(names), "results": len(names)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_library_equals_a_plain_loop(census, run_census):
    names = library_files()
    assert len(names) > 500
    total, outcome = run_census()
    assert total == sequential(census, names)
    assert sorted([*total["modules"], *total["not_parsed"]]) == names
    assert outcome.sent == {"tasks": len(names), "results": len(names)}
    told = outcome.log("sink-1").splitlines()
    largest = sorted(total["modules"], key=lambda name: -total["modules"][name]["lines"])[:10]
    assert [line.split()[-1] for line in told[1:11]] == largest
    assert f"{len(names):,} files" in told[11]


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("", (0, 0, 0)),
        ("x = 1\n", (0, 0, 0)),
        ("def f():\n    pass\n", (1, 0, 1)),
        ("class A:\n    async def f(self):\n        def g(): pass\n", (2, 1, 3)),
        ("if a:\n    pass\nelif b:\n    pass\nelif c:\n    x = 1\nelse:\n    y = 1\n", (0, 0, 1)),
        ("if a:\n    pass\nelse:\n    if b:\n        pass\n", (0, 0, 2)),
        ("try:\n    pass\nexcept E:\n    for x in y:\n        pass\nfinally:\n    pass\n", (0, 0, 2)),
        ("match x:\n    case 1:\n        pass\n", (0, 0, 1)),
        ("f = lambda: 1 if a else 2\n", (0, 0, 0)),
        ("if a:\n" + "elif b:\n".join(["    pass\n"] * 3000), (0, 0, 1)),
    ],
)
def test_examine_counts_a_module(census, tmp_path, monkeypatch, source, counts):
    monkeypatch.setattr(census, "_library", lambda: tmp_path)
    (tmp_path / "one.py").write_text(source)
    counted = census.examine("one.py")
    if "error" in counted:  # this Python's own limit; what matters is that nothing crashes
        assert "Recursion" in counted["error"] or "Memory" in counted["error"]
        assert len(source) > 10_000
        return
    assert counted == {
        "module": "one.py",
        "lines": source.count("\n"),
        "functions": counts[0],
        "classes": counts[1],
        "nesting": counts[2],
    }


@pytest.mark.parametrize(
    "source",
    [
        b"print 'two'\n",
        b"x = \0\n",
        b"# coding: no-such\n",
        b"\xff\xfe\n",
        b"(" * 500 + b"\n",
        b"-" * 100_000 + b"1\n",
    ],
    ids=["python 2", "null byte", "unknown encoding", "not UTF-8", "too many brackets", "too deep"],
)
def test_what_does_not_parse_is_counted_as_such(census, tmp_path, monkeypatch, source):
    monkeypatch.setattr(census, "_library", lambda: tmp_path)
    (tmp_path / "bad.py").write_bytes(source)
    (tmp_path / "good.py").write_text("class A: pass\n")
    assert list(census.modules()) == ["bad.py", "good.py"]
    total = sequential(census, census.modules())
    assert (total["files"], list(total["not_parsed"]), list(total["modules"])) == (2, ["bad.py"], ["good.py"])
    assert (total["lines"], total["classes"]) == (2, 1)
    assert "1 files do not parse" in census.report(total)


def test_the_order_of_the_results_does_not_matter(census):
    names = library_files("email")
    assert sequential(census, names) == sequential(census, names[::-1])


def test_what_others_installed_is_no_part_of_the_library(census, tmp_path, monkeypatch):
    monkeypatch.setattr(census, "_library", lambda: tmp_path)
    for name in ("a.py", "site-packages/b.py", "x/dist-packages/c.py", "x/d.py", "e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert list(census.modules()) == ["a.py", "x/d.py"]


def test_the_report_of_nothing(census):
    assert textwrap.dedent(census.report(None)) == "no modules"
