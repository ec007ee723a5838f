"""Ledgers: records that outlive their process, and files that know how much of them would outlive a loss of power."""

import os
import signal
import subprocess
import sys

import pytest

from roles.kit import failpoints
from roles.kit.ledger import File, Ledger


def records(path):
    return Ledger(path).records


def test_records_are_there_again(tmp_path):
    ledger = Ledger(tmp_path / "below" / "a")
    assert ledger.records == []
    for record in (b"one", b"", b"three" * 1000):
        ledger.append(record)
    assert records(tmp_path / "below" / "a") == [b"one", b"", b"three" * 1000]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_record_that_was_cut_off_is_none_and_others_follow(tmp_path, cut):
    path = tmp_path / "a"
    Ledger(path).append(b"whole")
    whole_bytes = path.stat().st_size
    Ledger(path).append(b"cut off")
    os.truncate(path, whole_bytes + cut)
    again = Ledger(path)
    assert again.records == [b"whole"]
    again.append(b"next")
    assert records(path) == [b"whole", b"next"]


def test_a_record_that_was_changed_is_none(tmp_path):
    path = tmp_path / "a"
    Ledger(path).append(b"first")
    Ledger(path).append(b"second")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert records(path) == [b"first"]


def test_compacted_it_has_the_new_records_and_takes_more(tmp_path, monkeypatch):
    monkeypatch.setattr("roles.kit.ledger.COMPACT_FROM_BYTES", 100)
    path = tmp_path / "a"
    ledger = Ledger(path)
    while not ledger.wants_compaction:
        ledger.append(b"old")
    ledger.compact([b"all"])
    assert not ledger.wants_compaction
    ledger.append(b"more")
    assert records(path) == [b"all", b"more"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_only_what_was_synced_outlives_a_loss_of_power(tmp_path):
    file = File(tmp_path / "a")
    file.write(b"kept")
    file.sync()
    file.write(b" lost")
    file.flush()
    assert (tmp_path / "a").read_bytes() == b"kept lost"
    file.forget_unsynced()
    assert (tmp_path / "a").read_bytes() == b"kept"


def test_sync_asks_the_system(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("roles.kit.ledger._sync", asked.append)
    ledger = Ledger(tmp_path / "a")
    ledger.append(b"one")
    assert not asked
    ledger.sync()
    assert len(asked) == 1
    ledger.sync()
    assert len(asked) == 1, "nothing has come since"


def test_a_cut_file_goes_on_from_there(tmp_path):
    file = File(tmp_path / "a")
    file.write(b"0123456789")
    file.cut(4)
    file.write(b"x")
    assert file.size_bytes == 5
    file.close()
    file.close()
    assert (tmp_path / "a").read_bytes() == b"0123x"


@pytest.mark.parametrize(
    ("written", "process", "incarnation"),
    [
        ("", "sink-1", 0),
        ("sink.after_ack:1=kill", "sink-1", 1),
        ("other-1@sink.after_ack:1=kill", "sink-1", 0),
    ],
)
def test_without_a_failpoint_there_is_nothing_to_call(written, process, incarnation):
    assert failpoints.armed({failpoints.VARIABLE: written}, process, incarnation) is None


@pytest.mark.parametrize(
    "written", ["sink.after_ack", "sink.nowhere:1=kill", "sink.after_ack:x=kill", "sink.after_ack:1=explode"]
)
def test_a_failpoint_that_cannot_be_read(written):
    with pytest.raises(ValueError, match="cannot read the failpoint"):
        failpoints.armed({failpoints.VARIABLE: written}, "sink-1", 0)


@pytest.mark.parametrize(("action", "left"), [("kill", b"synced, not synced"), ("power", b"synced")])
def test_a_failpoint_ends_its_process_at_the_step_and_the_time_that_it_names(tmp_path, action, left):
    program = f"""
import sys
from pathlib import Path
from roles.kit import failpoints
from roles.kit.ledger import File
file = File(Path({str(tmp_path / "a")!r}))
file.write(b"synced")
file.sync()
file.write(b", not synced")
file.flush()
passed = failpoints.armed({{failpoints.VARIABLE: "w-1@sink.before_ack:2={action}"}}, "w-1", 0)
passed("sink.before_sync")
passed("sink.before_ack")
print("once", flush=True)
passed("sink.before_ack")
print("twice", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "once\n"), done.stderr
    assert (tmp_path / "a").read_bytes() == left
