"""The order in which the runner makes things known to the coordinator."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engines.base import EngineError
from orchestrator.run import events
from orchestrator.run.commands import Launch, Tell
from orchestrator.run.coordinator import Phase
from orchestrator.run.plan import Plan
from orchestrator.run.requests import Look
from orchestrator.run.runner import Runner
from roles.kit.messages import Finished, Hello, Message, Stop
from roles.kit.slot import Reading, State
from roles.kit.spec import Place, ProcessSpec

NAMES = ("first", "second")
PLAN = Plan(
    topology="topology.yaml",
    pattern="p",
    processes=tuple(
        ProcessSpec(name=name, node=name, role="worker", stage=number, slot=number - 1)
        for number, name in enumerate(NAMES, start=1)
    ),
)

PLACE = Place(
    run_id="r",
    pattern="p",
    folder="/",
    control="ipc:///s/control",
    slots="/s/slots",
    sockets="/s",
    logs="/s",
    seed=0,
)


class Machine:
    """Engine, control channel and slots in one: a process says Hello before its start is over."""

    is_guarded = False

    def __init__(self) -> None:
        self.news: list[events.Event] = []
        self.said: list[tuple[str, int, Message]] = []
        self.state = State.STARTING

    def start(self, spec: ProcessSpec, *, incarnation: int) -> None:
        self.said.append((spec.name, incarnation, Hello(pid=1)))
        self.news.append(events.Launched(at_s=0.0, process=spec.name, pid=1))

    def poll(self) -> list[events.Event]:
        news, self.news = self.news, []
        return news

    def hear(self) -> list[tuple[str, int, Message]]:
        said, self.said = self.said, []
        return said

    def read(self, *_: Any) -> Reading:
        return Reading(state=self.state)

    def tell(self, *_: Any) -> None:
        pass

    def grow(self, slots: int) -> None:
        pass

    def ring(self, slot: int) -> None:
        pass


class Recorder:
    """A coordinator that launches the second process as soon as the first is launched."""

    phase = Phase.WORKING
    doubted: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def handle(self, event: Any) -> tuple[Launch, ...]:
        self.told.append((type(event).__name__, event.process))
        launched_first = self.told[-1] == ("Launched", "first")
        return (Launch("second", 0, {}),) if launched_first else ()


def runner(machine: Machine, recorder: Recorder) -> Any:
    made: Any = Runner(
        plan=PLAN,
        place=None,  # type: ignore[arg-type]
        engine=machine,  # type: ignore[arg-type]
        coordinator=recorder,  # type: ignore[arg-type]
        observers=(),
        clock=lambda: 0.0,
        interrupts=None,  # type: ignore[arg-type]
        run_dir=Path(),
    )
    made._control = made._slots = machine
    return made


def test_nobody_is_heard_before_its_launch_is_known() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    machine.start(PLAN.processes[0], incarnation=0)
    for _ in range(2):
        made._take_news()
    assert recorder.told == [
        ("Launched", "first"),
        ("Heard", "first"),
        ("Launched", "second"),
        ("Heard", "second"),
    ]


def test_what_a_process_says_waits_until_its_launch_is_known() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    made._carry_out(Launch("first", 0, {}))
    launched = machine.poll()
    for _ in range(2):
        made._take_news()
    assert recorder.told == []
    machine.news += launched
    machine.said.append(("first", 0, Finished()))
    made._take_news()
    assert recorder.told == [("Launched", "first"), ("Heard", "first"), ("Heard", "first")]


def test_a_process_that_could_not_be_launched_has_said_nothing() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    made._carry_out(Launch("first", 0, {}))
    machine.news = [events.LaunchFailed(at_s=0.0, process="first", text="gone")]
    for _ in range(2):
        made._take_news()
    assert recorder.told == [("LaunchFailed", "first")]


def test_an_end_comes_after_all_that_was_said() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    machine.news.append(events.Exited(at_s=0.0, process="first", exit_code=0))
    made._take_news()
    machine.said.append(("first", 0, Finished()))
    made._take_news()
    assert recorder.told == [("Heard", "first"), ("Exited", "first")]


def test_an_end_waits_for_the_last_word_of_a_process_whose_slot_says_that_it_has_finished() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    machine.state = State.FINISHED
    machine.news.append(events.Exited(at_s=0.0, process="first", exit_code=0))
    for _ in range(5):
        made._take_news()
    assert recorder.told == []
    machine.said.append(("first", 0, Finished()))
    made._take_news()
    assert recorder.told == [("Heard", "first"), ("Exited", "first")]


def test_an_end_does_not_wait_for_ever() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    machine.state = State.FINISHED
    machine.news.append(events.Exited(at_s=0.0, process="first", exit_code=0))
    for number in range(12):
        made._clock = lambda now_s=0.1 * number: now_s
        made._take_news()
    assert recorder.told == [("Exited", "first")]


def test_a_last_word_may_come_after_a_time_in_which_nobody_listened() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    machine.state = State.FINISHED
    machine.news.append(events.Exited(at_s=0.0, process="first", exit_code=0))
    made._take_news()
    made._clock = lambda: 15.0
    made._take_news()
    assert recorder.told == []
    machine.said.append(("first", 0, Finished()))
    made._take_news()
    assert recorder.told == [("Heard", "first"), ("Exited", "first")]


def test_one_that_was_told_to_stop_has_no_last_word() -> None:
    machine, recorder = Machine(), Recorder()
    made = runner(machine, recorder)
    machine.state = State.FINISHED
    made._carry_out(Tell("first", Stop()))
    machine.news.append(events.Exited(at_s=0.0, process="first", exit_code=0))
    for _ in range(2):
        made._take_news()
    assert recorder.told == [("Exited", "first")]


class NoEngine:
    """An engine of which it is known whether it is open."""

    is_open = False

    def open(self, *_: Any) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def test_where_there_is_no_room_for_the_counts_nothing_is_left_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("orchestrator.run.runner.SlotFile", full)
    engine = NoEngine()
    one = runner(Machine(), Recorder())
    one._engine, one._place = engine, PLACE
    with pytest.raises(EngineError, match=r"cannot keep counts in /s/slots: No space left .*set TMPDIR"):
        one.run()
    assert not engine.is_open


def test_a_launch_that_fails_is_told_when_all_else_has_been_done() -> None:
    """What was decided before is carried out before, also where the failure is known at once."""
    machine, recorder = Machine(), Recorder()
    machine.grow = lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))  # type: ignore[method-assign]
    one = runner(machine, recorder)
    one._place = PLACE
    one._launch(Launch("first", 0, {}))
    assert recorder.told == []
    (failed,) = one._unlaunched
    assert failed.text == "cannot start first: /s/slots cannot grow: full (make room there)"


def test_the_slots_are_read_before_a_question_is_answered() -> None:
    """A coordinator that has just taken a run over would tell that nothing has been counted."""
    machine, recorder = Machine(), Recorder()
    one = runner(machine, recorder)
    told: list[str] = []
    recorder.handle = lambda event: told.append(type(event).__name__) or ()  # type: ignore[method-assign,assignment,func-returns-value]
    recorder.wants_slots_every_s = 1.0  # type: ignore[attr-defined]
    one._poller = SimpleNamespace(poll=lambda _: [])
    one._interrupts = SimpleNamespace(take=list)
    one._reception = SimpleNamespace(hear=lambda: [Look(ticket="t")])
    one._states_due_s = 1e9
    one._go_round()
    assert told == ["Read", "Asked"]
