"""A process's end of the control channel: what a message changes, in the role and in its slot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from roles.kit import messages
from roles.kit.control import Control, Finish
from roles.kit.slot import WAITED_NS, SlotFile, State

DEADLINE_MS = 60_000


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


def test_who_pauses_goes_on_by_itself_and_counts_as_busy(
    slots: SlotFile, told: Callable[[messages.Down], Control]
) -> None:
    control = told(messages.Go())
    seen: list[State] = []

    def look() -> None:
        while State.SLEEPING not in seen:
            seen.append(slots.read(0, ()).state)

    looking = threading.Thread(target=look)
    looking.start()
    while looking.is_alive():
        control.pause(0.01)
    assert slots.read(0, ()).state is State.RUNNING
    assert slots.words(0)[WAITED_NS] == 0


def test_a_pause_before_go_is_part_of_the_start(
    told: Callable[[messages.Down], Control], slots: SlotFile
) -> None:
    control = told(messages.Joined())
    control.pause(0.001)
    assert slots.read(0, ()).state is State.STARTING


def test_that_somebody_has_joined_is_passed_on(told: Callable[[messages.Down], Control]) -> None:
    control, times = told(messages.Go()), []
    control.on_joined = lambda: times.append(1)
    told(messages.Joined())
    assert times == [1]


def test_who_waits_hears_what_has_come_though_the_bell_has_not_rung(slots: SlotFile) -> None:
    """Whoever sends the message may be held up before it rings; not to hear it would be to spin until then."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    orchestrator, process, other = (context.socket(zmq.DEALER) for _ in range(3))
    orchestrator.bind("inproc://control")
    process.connect("inproc://control")
    control = Control(process, slots.words(0))
    try:
        for pollees in ([(process, zmq.POLLIN)], [(process, zmq.POLLIN), (other, zmq.POLLIN)]):
            orchestrator.send(messages.encode(messages.Joined()))
            control.wait(pollees, State.RECEIVING, 0, DEADLINE_MS)
            assert not process.poll(0)
            assert control.heard == slots.bell(0) + 1  # until the bell rings it goes on to look
            slots.ring(0)
    finally:
        context.destroy(linger=0)


def test_who_is_to_leave_as_its_port_is_released_sends_no_more(
    told: Callable[[messages.Down], Control],
) -> None:
    """Both come at once where a source leaves. Whoever is beside it leaves as well, and may not be there any more."""
    control = told(messages.Hold(port="tasks", number=1))

    def say_both(*_: object) -> None:
        told(messages.Finish())
        told(messages.Release(port="tasks"))

    control.wait = say_both  # type: ignore[method-assign]
    with pytest.raises(Finish):
        control.await_release("tasks", 0)
    assert not control.held


def test_where_to_connect_is_kept_with_who_is_late(told: Callable[[messages.Down], Control]) -> None:
    control = told(messages.Connect(addresses={"a": ["x", "y"]}, late=["y"]))
    assert control.addresses == {"a": ["x", "y"]}
    assert control.late == {"y"}
