import io
import json

import msgspec
import pytest
from scenes import failing, passing

from orchestrator.observers.journal import Journal
from orchestrator.outcome.summary import summarise, to_json
from orchestrator.terminal import Terminal
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.reporting import report


def recorded(folder, events):
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "worker-2.log").write_text("its last word\n")
    with Journal(folder / "events.jsonl") as journal:
        for event in events:
            journal(event)
    return folder


def reported(folder, **documents):
    out = io.StringIO()
    code = report(folder, terminal=Terminal(out=out, err=io.StringIO()), **documents)
    return code, out.getvalue()


def test_everything_is_rebuilt_from_the_journal(tmp_path):
    folder = recorded(tmp_path / "run", failing())
    code, text = reported(folder)
    assert code == 0
    assert "    its last word\n" in text
    assert text.endswith(f"FAILED, exit 1. Log: {folder}/logs/worker-3.log\n")
    assert (folder / "summary.json").read_bytes() == to_json(summarise(failing()))


def test_json_says_how_the_run_ended(tmp_path):
    code, text = reported(recorded(tmp_path / "run", failing()), json="-")
    document = json.loads(text)
    assert (code, document["exit_code"], document["verdict"]) == (0, 1, "failed")


@pytest.mark.parametrize(("name", "begin"), [("junit", "<?xml "), ("markdown", "## ✗ pipeline")])
def test_other_documents_take_stdout_too(tmp_path, name, begin):
    code, text = reported(recorded(tmp_path / "run", failing()), **{name: "-"})
    assert (code, text[: len(begin)]) == (0, begin)
    assert "its last word" in text


def test_a_document_that_cannot_be_is_told_before_any_work(tmp_path):
    folder = recorded(tmp_path / "run", failing())
    with pytest.raises(CommandError, match="cannot write the JUnit document: it is a folder"):
        reported(folder, junit=str(tmp_path))
    assert not (folder / "summary.json").exists()


def test_runs_of_a_second_are_told_in_the_order_of_the_file(tmp_path):
    for name, line in (("b", 3), ("c", 30), ("a", 300)):
        folder = recorded(
            tmp_path / "out" / name, [msgspec.structs.replace(failing()[0], pattern=name), *failing()[1:]]
        )
        (folder / "plan.json").write_text(json.dumps({"lines": {"nodes": line, "nodes.x": 400}}))
    _, text = reported(tmp_path / "out", json="-")
    assert [run["pattern"] for run in json.loads(text)["runs"]] == ["b", "c", "a"]


def test_a_later_run_comes_later_and_a_broken_plan_is_no_matter(tmp_path):
    late = msgspec.structs.replace(failing()[0], pattern="a", started_at="2026-01-01T00:00:01Z")
    recorded(tmp_path / "out" / "a", [late, *failing()[1:]])
    folder = recorded(tmp_path / "out" / "pipeline", failing())
    (folder / "plan.json").write_text("nonsense")
    _, text = reported(tmp_path / "out", json="-")
    assert [run["pattern"] for run in json.loads(text)["runs"]] == ["pipeline", "a"]


def test_the_record_of_a_killed_orchestrator_is_a_failed_run(tmp_path):
    _, text = reported(recorded(tmp_path / "run", passing()[:-4]))
    assert "✗ the record ends early" in text


def test_the_runs_of_several_patterns_are_reported_together(tmp_path):
    recorded(tmp_path / "out" / "a", passing())
    recorded(tmp_path / "out" / "b", failing())
    _, text = reported(tmp_path / "out", json="-")
    assert [run["verdict"] for run in json.loads(text)["runs"]] == ["passed", "failed"]


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(CommandError, match=r"it has no events\.jsonl \(name the directory of a run") as error:
        reported(tmp_path)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("content", "why"), [("nonsense\n", "line 1 is no event"), ("", "cannot summarise")])
def test_a_broken_record_is_told(tmp_path, content, why):
    (tmp_path / "events.jsonl").write_text(content)
    with pytest.raises(CommandError, match=why):
        reported(tmp_path)
