import io
from pathlib import Path

import msgspec
import pytest
from scenes import failing, request_reply

from orchestrator.outcome.annotations import Annotation
from orchestrator.outcome.entries import Run
from orchestrator.outcome.markdown import markdown_text
from orchestrator.outcome.summary import summarise
from orchestrator.outcome.values import ProblemSummary
from orchestrator.terminal import Terminal
from orchestrator.verbs.github import SUMMARY_BYTES, Actions, actions

ENTRY = Run(summary=summarise(failing()))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "job").mkdir()
    monkeypatch.chdir(tmp_path / "job")
    return tmp_path


@pytest.fixture
def terminal():
    return Terminal(out=io.StringIO(), err=io.StringIO())


def test_it_is_known_by_its_environment():
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/w", "GITHUB_STEP_SUMMARY": "/s"}
    assert actions(environment) == Actions(workspace="/w", summary="/s")
    assert actions({"GITHUB_ACTIONS": "true"}) == Actions()
    assert actions(environment | {"GITHUB_ACTIONS": "false"}) is None
    assert actions({}) is None


def test_files_are_told_from_the_workspace(folder):
    (folder / "link").symlink_to(folder / "job")
    for workspace in (folder, folder / "job", folder / "link"):
        shown = Actions(workspace=str(workspace)).shown_file("a/../topology.yaml")
        assert (workspace / shown).resolve() == folder / "job" / "topology.yaml"
        assert not Path(shown).is_absolute()


def test_a_file_elsewhere_is_told_as_it_is(folder):
    for file in ("../topology.yaml", "/nowhere/topology.yaml"):
        assert Actions(workspace=str(folder / "job")).shown_file(file) == file
    assert Actions().shown_file("topology.yaml") == "topology.yaml"


def test_annotations_leave_stdout_alone(folder, terminal):
    step = Actions(workspace=str(folder))
    step.annotate([Annotation(level="error", text="x", title="t", file="topology.yaml", line=7)], terminal)
    step.annotate([], terminal)
    assert terminal.err.getvalue() == "::error file=job/topology.yaml,line=7,title=t::x\n"
    assert terminal.out.getvalue() == ""


def test_the_summary_is_appended_to(terminal):
    Path("step.md").write_text("before\n")
    Actions(summary="step.md").summarise([ENTRY], terminal)
    assert Path("step.md").read_text() == f"before\n\n{markdown_text([ENTRY])}"
    assert terminal.err.getvalue() == ""


def test_a_summary_that_is_not_there_yet_is_made(terminal):
    Actions(summary="step.md").summarise([ENTRY], terminal)
    assert Path("step.md").read_text() == markdown_text([ENTRY])


def test_without_a_summary_nothing_is_written(terminal):
    Actions().summarise([ENTRY], terminal)
    assert list(Path().iterdir()) == []


def test_what_is_too_long_is_cut_and_says_so(terminal):
    problem = ProblemSummary(
        kind="lost", process=None, endpoint=None, text="x" * 30_000, code="lost", file=None, line=None
    )
    summary = msgspec.structs.replace(ENTRY.summary, problems=(problem,) * 40)
    entries = [Run(summary=summary), Run(summary=summarise(request_reply()))]
    assert len(markdown_text(entries)) > SUMMARY_BYTES
    Actions(summary="step.md").summarise(entries, terminal)
    text = Path("step.md").read_text()
    assert len(text.encode()) <= SUMMARY_BYTES
    assert "no room for it here: problems." in text
    assert "## ✓ request_reply" in text


def test_a_full_summary_is_left_alone(terminal):
    Path("step.md").write_bytes(b"x" * SUMMARY_BYTES)
    Actions(summary="step.md").summarise([ENTRY], terminal)
    assert Path("step.md").stat().st_size == SUMMARY_BYTES
    assert terminal.err.getvalue() == "cannot add to the step's summary: it holds 800,000 bytes already\n"


def test_a_summary_that_cannot_be_written_is_told(terminal):
    Actions(summary="nowhere/step.md").summarise([ENTRY], terminal)
    assert (
        "cannot add to the step's summary: No such file or directory: nowhere/step.md\n"
        in terminal.err.getvalue()
    )
