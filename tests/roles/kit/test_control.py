"""A process's end of the control channel: what a message changes, in the role and in its slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from roles.kit import messages
from roles.kit.control import Control
from roles.kit.slot import SlotFile, State

DEADLINE_MS = 10_000


@pytest.fixture
def slots(tmp_path: Path) -> SlotFile:
    return SlotFile(tmp_path / "slots", slots=1)


@pytest.fixture
def told(slots: SlotFile) -> Iterator[Callable[[messages.Down], Control]]:
    """A control channel, and what gives it a message and has it heard."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    orchestrator, process = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
    orchestrator.bind("inproc://control")
    process.connect("inproc://control")
    control = Control(process, slots.words(0))

    def tell(message: messages.Down) -> Control:
        orchestrator.send(messages.encode(message))
        assert process.poll(DEADLINE_MS)
        control.hear()
        return control

    yield tell
    context.destroy(linger=0)


def test_who_is_told_to_go_runs(slots: SlotFile, told: Callable[[messages.Down], Control]) -> None:
    """Also one that need not wait for its first message: should it die, it held what it was handling."""
    assert slots.read(0, ()).state is State.STARTING
    assert told(messages.Go()).going
    assert slots.read(0, ()).state is State.RUNNING
