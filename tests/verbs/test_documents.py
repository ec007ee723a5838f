import io
import json
from pathlib import Path

import pytest
from junit_rules import faults
from scenes import failing

from orchestrator.outcome.entries import Run
from orchestrator.outcome.summary import summarise
from orchestrator.terminal import Terminal
from orchestrator.verbs.codes import worst
from orchestrator.verbs.documents import Outcome, on_stdout, outcome_documents, write_documents
from orchestrator.verbs.fault import CommandError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(**targets):
    return outcome_documents(**{"json": None, "junit": None, "markdown": None} | targets)


def written(documents):
    out, err = io.StringIO(), io.StringIO()
    outcome = Outcome(codes=[1], entries=[Run(summary=summarise(failing()))])
    code = write_documents(documents, outcome, Terminal(out=out, err=err))
    return code, out.getvalue(), err.getvalue()


def test_what_is_not_asked_for_is_not_written(folder):
    assert written(asked()) == (0, "", "")
    assert list(folder.iterdir()) == []


def test_each_document_goes_where_it_is_wanted():
    assert written(asked(json="a.json", junit="a.xml", markdown="a.md")) == (0, "", "")
    assert json.loads(Path("a.json").read_text())["verdict"] == "failed"
    assert faults(Path("a.xml").read_text()) == []
    assert Path("a.md").read_text().startswith("## ✗ pipeline")


@pytest.mark.parametrize(("name", "begin"), [("json", "{"), ("junit", "<?xml"), ("markdown", "## ")])
def test_each_may_take_stdout(name, begin):
    documents = asked(**{name: "-"})
    assert on_stdout(documents)
    code, out, err = written(documents)
    assert (code, out[: len(begin)], err) == (0, begin, "")


@pytest.mark.parametrize("name", ["json", "junit", "markdown"])
@pytest.mark.parametrize(("target", "why"), [("nowhere/x", "no such folder"), (".", "it is a folder")])
def test_a_target_that_cannot_be_is_told_at_once(name, target, why):
    with pytest.raises(CommandError, match=rf"cannot write the \w+ document: {why}") as error:
        asked(**{name: target})
    assert error.value.exit_code == 2
    assert error.value.problems[0]["code"] == f"{name}-path"


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [("-", "-", "stdout"), ("x", "x", "x"), ("x", "./x", "./x")],
)
def test_no_two_may_go_to_one_place(one, other, where):
    with pytest.raises(CommandError) as error:
        asked(json=one, markdown=other)
    assert error.value.text == (
        f"--markdown: error: cannot write both --json and --markdown to {where} "
        "(name a file for one of them) [same-target]"
    )


def test_one_that_cannot_be_written_keeps_no_other_from_it():
    Path("gone").mkdir()
    documents = asked(json="gone/a.json", junit="a.xml")
    Path("gone").rmdir()
    code, out, err = written(documents)
    assert (code, out) == (3, "")
    assert err == (
        "gone/a.json: error: cannot write the JSON document: No such file or directory (name another file) [json-path]\n"
    )
    assert faults(Path("a.xml").read_text()) == []


def test_the_worst_exit_code_counts():
    assert [worst(codes) for codes in ([], [0, 1], [1, 2, 3], [3, 143], [143, 130])] == [0, 1, 3, 143, 130]
