"""Slots: what one process writes, another reads, whole."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from roles.kit.slot import (
    BELL,
    GO_NS,
    RECEIVED,
    SENT,
    STATE,
    WAIT_SINCE_NS,
    WAITED_NS,
    Count,
    Reading,
    SlotFile,
    State,
    port_base,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slots"


def test_what_is_written_in_one_mapping_is_read_in_another(path: Path) -> None:
    SlotFile(path, slots=3)
    words = SlotFile(path).words(1)
    words[port_base(0) + SENT] = 7
    words[port_base(1) + RECEIVED] = 2**63
    words[STATE] = State.RECEIVING | 1 << 8
    reading = SlotFile(path).read(1, ("results", "tasks"))
    assert reading.ports == {"results": Count(sent=7), "tasks": Count(received=2**63)}
    assert (reading.state, reading.port) == (State.RECEIVING, "tasks")
    assert SlotFile(path).read(0, ("results",)) == Reading(ports={"results": Count()})
    assert SlotFile(path).read(2, ()) == Reading()


def test_the_port_is_told_only_while_it_waits(path: Path) -> None:
    words = (slots := SlotFile(path, slots=1)).words(0)
    words[STATE] = State.RUNNING | 1 << 8
    assert slots.read(0, ("a", "b")).port == ""


def test_busy_is_the_time_since_go_less_the_waiting(path: Path) -> None:
    words = (slots := SlotFile(path, slots=1)).words(0)
    assert slots.read(0, ()).busy_s == 0.0
    now_ns = time.monotonic_ns()
    words[GO_NS], words[WAITED_NS], words[WAIT_SINCE_NS] = now_ns - 3_000_000_000, 1_000_000_000, now_ns
    assert slots.read(0, ()).busy_s == pytest.approx(2.0)


def test_the_bell_counts_and_a_cleared_slot_is_like_new(path: Path) -> None:
    slots = SlotFile(path, slots=2)
    slots.ring(1)
    slots.ring(1)
    assert (slots.words(0)[BELL], slots.words(1)[BELL]) == (0, 2)
    slots.clear(1)
    assert set(slots.words(1).tolist()) == {0}


def test_the_file_is_private_and_never_made_twice(path: Path) -> None:
    SlotFile(path, slots=1)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        SlotFile(path, slots=1)
