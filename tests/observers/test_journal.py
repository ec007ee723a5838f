import json

import pytest
from scenes import expecting, failing, line, passing, retrying, scaled

from orchestrator.observers.journal import Journal, JournalError, read_journal
from orchestrator.outcome.summary import summarise, to_json
from orchestrator.run.events import ProcessFinished, Progress


def write(path, events):
    with Journal(path) as journal:
        for event in events:
            journal(event)
    assert journal.fault is None


EXPECTED = expecting(retrying(), line("client.received", "== 10"), line("client.p99_ms", "<= 5"))
RUNS = {"passing": passing(), "failing": failing(), "retrying": EXPECTED, "scaled": scaled()}


@pytest.mark.parametrize("events", RUNS.values(), ids=RUNS)
def test_what_is_written_is_read_again(tmp_path, events):
    path = tmp_path / "events.jsonl"
    write(path, events)
    kept = [event for event in events if not isinstance(event, Progress)]
    assert read_journal(path) == kept
    assert to_json(summarise(read_journal(path))) == to_json(summarise(events))


def test_a_result_of_any_kind_gives_the_same_summary_again(tmp_path):
    path = tmp_path / "events.jsonl"
    result = {"bytes": b"x", "many": {1: (2, 3)}, "nan": float("nan"), "set": {4}}
    told = ProcessFinished(at_s=1.0, process="sink-1", pid=4710, result=result)
    lines = (
        line("sink.result.many.1", "!= 0"),
        line("sink.result.nan", "!= 0"),
        line("sink.result.bytes", "== x"),
    )
    events = expecting([*passing()[:-1], told, passing()[-1]], *lines)
    write(path, events)
    assert to_json(summarise(read_journal(path))) == to_json(summarise(events))


def test_each_event_is_a_line_as_it_comes_and_progress_is_none(tmp_path):
    path = tmp_path / "events.jsonl"
    with Journal(path) as journal:
        written = 0
        for event in passing():
            journal(event)
            written += not isinstance(event, Progress)
            assert path.read_bytes().count(b"\n") == written
    first, second = (json.loads(line) for line in path.read_text().splitlines()[:2])
    assert first["event"] == "RunStarted"
    assert second == {
        "event": "ProcessLaunched",
        "at_s": 0.03,
        "process": "sink-1",
        "pid": 4710,
        "incarnation": 0,
    }


def test_a_torn_last_line_is_left_out(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, passing())
    whole = read_journal(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert read_journal(path) == whole[:-1]


@pytest.mark.parametrize("broken", [b"{}", b'{"event":"Nonsense","at_s":1}', b"\xff\xfe", b"not json"])
def test_a_broken_line_is_named(tmp_path, broken):
    path = tmp_path / "events.jsonl"
    write(path, passing())
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], broken, *lines[2:]]))
    with pytest.raises(JournalError, match=r"events\.jsonl: line 3 is no event"):
        read_journal(path)


def test_a_missing_journal_is_told(tmp_path):
    with pytest.raises(JournalError, match="No such file"):
        read_journal(tmp_path / "events.jsonl")


def test_a_journal_does_not_write_over_another(tmp_path):
    write(tmp_path / "events.jsonl", passing())
    with pytest.raises(FileExistsError):
        Journal(tmp_path / "events.jsonl")


def test_a_journal_that_cannot_write_says_so_and_goes_on(tmp_path):
    journal = Journal(tmp_path / "events.jsonl")
    journal.close()
    for event in passing():
        journal(event)
    assert journal.fault


def test_a_journal_that_had_no_room_for_all_events_says_so_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.observers.journal.MOST_WAITING", 2)
    journal = Journal(tmp_path / "events.jsonl")
    (first, *others) = [event for event in passing() if not isinstance(event, Progress)]

    def full(line):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        for event in others[:5]:
            journal(event)
    with journal:
        journal(first)
    assert journal.fault == "3 events are missing in it"
    assert len(read_journal(tmp_path / "events.jsonl")) == 3
