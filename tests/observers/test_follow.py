"""A journal that is read while somebody writes it, or has died as he wrote."""

from pathlib import Path

from scenes import passing

from orchestrator.observers.follow import JournalFollower
from orchestrator.observers.journal import Journal, mend_journal, read_journal
from orchestrator.run.events import Progress

EVENTS = [event for event in passing() if not isinstance(event, Progress)]


def written(path: Path) -> bytes:
    with Journal(path) as journal:
        for event in EVENTS:
            journal(event)
    return path.read_bytes()


def test_each_event_is_given_once_and_whole(tmp_path):
    data = written(tmp_path / "all.jsonl")
    path = tmp_path / "events.jsonl"
    follower = JournalFollower(path)
    assert follower.read() == []
    seen = []
    for end in range(0, len(data) + 1, 37):
        path.write_bytes(data[:end])
        seen += follower.read()
    path.write_bytes(data)
    seen += follower.read()
    assert seen == EVENTS


def test_a_torn_line_is_mended_and_the_journal_goes_on(tmp_path):
    path = tmp_path / "events.jsonl"
    data = written(path)
    path.write_bytes(data[:-20])
    mend_journal(path)
    assert read_journal(path) == EVENTS[:-1]
    with Journal(path, goes_on=True) as journal:
        journal(EVENTS[-1])
    assert read_journal(path) == EVENTS


def test_a_journal_without_a_whole_line_is_empty_once_mended(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event":"RunSta')
    mend_journal(path)
    assert path.read_bytes() == b""
    assert read_journal(path) == []
