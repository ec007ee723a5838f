"""The coordinator in thousands of seeded orders of events, deaths at every state among them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from run.world import Drive, plan_of
from seeds import seeds

from orchestrator.engines.scripted import ScriptedWorld
from orchestrator.run import events
from orchestrator.run.coordinator import SIGTERM_DRAINS_WITHIN_S
from orchestrator.run.plan import Plan
from orchestrator.run.requests import Down
from roles.kit.messages import Connect, Go, Stop

PIPELINE = """
version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}, replicas: 2}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
"""
REQUESTS = """
version: 1
patterns:
  p:
    endpoints: {hello: ipc}
    nodes:
      client: {role: client, connect: hello, replicas: 3}
      server: {role: server, bind: hello, replicas: 2}
"""
TWO_STAGES = """
version: 1
patterns:
  p:
    endpoints: {a: ipc, b: ipc, c: ipc, d: ipc}
    nodes:
      first: {role: ventilator, bind: a, params: {count: 1}}
      left: {role: worker, connect: {tasks: a, results: b}, replicas: 2}
      right: {role: worker, bind: {tasks: b}, connect: {results: [c, d]}}
      one: {role: sink, bind: c}
      two: {role: sink, bind: d}
"""
PLANS = {
    name: plan_of(text)
    for name, text in {"pipeline": PIPELINE, "requests": REQUESTS, "two_stages": TWO_STAGES}.items()
}


def sound(drive: Drive, ended: events.RunEnded) -> None:
    """What must hold of every run, however it went."""
    where = f"seed {drive.seed}, kill {drive.kill} at step {drive.kill_at}"
    assert isinstance(drive.world.published[-1], events.RunEnded), where
    names = [spec.name for spec in drive.plan.processes]
    assert sorted(event.process for event in drive.published(events.ProcessEnded)) == sorted(names), where
    assert not [name for name, process in drive.world.processes.items() if process.alive], where
    for book, closed in zip(drive.plan.books, _books_in_order(drive), strict=True):
        sent = sum(drive.world.processes[name].sent.get(port, 0) for name, port in book.senders)
        received = sum(drive.world.processes[name].received.get(port, 0) for name, port in book.receivers)
        assert (closed.sent, closed.received) == (sent, received), where
        assert (closed.lost or 0) + (closed.unread or 0) == sent - received, where
    assert ended.exit_code in {"passed": (0,), "failed": (1,), "interrupted": (130, 143)}[ended.verdict], (
        where
    )


def _books_in_order(drive: Drive) -> list[events.BookClosed]:
    closed = {(event.book, event.replies): event for event in drive.published(events.BookClosed)}
    return [closed[book.name, book.replies] for book in drive.plan.books]


def stages_in_order(drive: Drive) -> None:
    stage = {spec.name: spec.stage for spec in drive.plan.processes}
    launched = [stage[event.process] for event in drive.published(events.ProcessLaunched)]
    assert launched == sorted(launched)


def nobody_goes_early(drive: Drive) -> None:
    """Go comes after everybody's Ready, and to all in one breath."""
    kinds = [type(event) for event in drive.world.published]
    if events.RunReady in kinds:
        ready = {
            e.process
            for e in drive.world.published[: kinds.index(events.RunReady)]
            if isinstance(e, events.ProcessReady)
        }
        assert ready == {spec.name for spec in drive.plan.processes}
    goes = [name for name, message in drive.world.told if isinstance(message, Go)]
    assert len(goes) in (0, len(drive.plan.processes))


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("block", seeds(6, few=2))
def test_a_run_passes_in_any_order(name: str, block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        drive = Drive(PLANS[name], seed)
        ended = drive.run()
        sound(drive, ended)
        stages_in_order(drive)
        nobody_goes_early(drive)
        assert ended.verdict == "passed", (seed, drive.published(events.ProblemFound))
        assert all(not event.lost and not event.unread for event in drive.published(events.BookClosed)), seed
        assert {e.outcome for e in drive.published(events.ProcessEnded)} == {"finished"}, seed


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("block", seeds(6, few=2))
def test_a_death_at_any_moment_ends_the_run_with_exact_books(name: str, block: int) -> None:
    plan = PLANS[name]
    for seed in range(block * 100, block * 100 + 100):
        chance = random.Random(seed)
        victim = chance.choice(plan.processes).name
        drive = Drive(plan, seed, kill=victim, kill_at=chance.randrange(0, 160))
        ended = drive.run()
        sound(drive, ended)
        assert drive.killed_s is None or killed_is_told(drive, victim, ended), (seed, victim)


def killed_is_told(drive: Drive, victim: str, ended: events.RunEnded) -> bool:
    end = next(event for event in drive.published(events.ProcessEnded) if event.process == victim)
    told = [event.process for event in drive.published(events.ProblemFound) if event.kind == "killed"]
    late_s = ended.at_s - (drive.killed_s or 0.0)
    return (
        (end.outcome, end.signal) == ("killed", "SIGKILL")
        and told == [victim]
        and ended.verdict == "failed"
        and late_s < 2.6
    )


@pytest.mark.slow
def test_a_death_during_every_step_of_one_run() -> None:
    plan = PLANS["pipeline"]
    for victim in (spec.name for spec in plan.processes):
        for step in range(0, 260, 3):
            drive = Drive(plan, seed=11, kill=victim, kill_at=step)
            sound(drive, drive.run())


@pytest.mark.parametrize("seed", seeds(120, few=20))
def test_an_interrupt_drains_and_loses_nothing(seed: int) -> None:
    drive = Drive(PLANS["pipeline"], seed, messages_each=50)
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunReady):
        drive.go_on()
    for _ in range(random.Random(seed).randrange(60)):
        drive.go_on()
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGINT"))
    ended = drive.run()
    sound(drive, ended)
    assert (ended.verdict, ended.exit_code) == ("interrupted", 130)
    assert all(not event.lost for event in drive.published(events.BookClosed))
    assert sum(event.unread or 0 for event in drive.published(events.BookClosed)) == 0


def test_the_second_interrupt_kills() -> None:
    drive = Drive(PLANS["pipeline"], 1, messages_each=1000)
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunReady):
        drive.go_on()
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGTERM"))
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGTERM"))
    assert {process.step for process in drive.world.processes.values()} == {"dying SIGKILL"}
    ended = drive.run()
    assert (ended.verdict, ended.exit_code) == ("interrupted", 143)


@pytest.mark.parametrize("how", ["asked at once", "signal twice", "signal, and time passes"])
@pytest.mark.parametrize("seed", range(20))
def test_a_service_that_does_not_drain_is_broken_off_with_its_books(seed: int, how: str) -> None:
    drive = Drive(PLANS["pipeline"], seed, messages_each=5000, serves=True)
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunReady):
        drive.go_on()
    if how == "asked at once":
        drive.feed(events.Asked(at_s=drive.now_s, request=Down(ticket="d")))
        drive.feed(events.Asked(at_s=drive.now_s, request=Down(ticket="e", at_once=True)))
    else:
        drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGTERM"))
        if how == "signal twice":
            drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGTERM"))
        else:
            assert not [message for _, message in drive.world.told if isinstance(message, Stop)]
            drive.now_s += SIGTERM_DRAINS_WITHIN_S
    drive.feed(events.Tick(at_s=drive.now_s))
    stopped = {name for name, message in drive.world.told if isinstance(message, Stop)}
    assert stopped == {spec.name for spec in drive.plan.processes}
    ended = drive.run()
    sound(drive, ended)
    assert (ended.verdict, ended.exit_code) == ("interrupted", 143)


def test_nobody_ready_in_time_is_named_and_nothing_is_sent() -> None:
    drive = Drive(PLANS["pipeline"], 1)
    deaf = drive.world.processes["worker-2"]
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunEnded):
        deaf.step = "bound" if deaf.step == "connecting" else deaf.step
        drive.go_on()
    (told,) = [event.text for event in drive.published(events.ProblemFound)]
    assert told.startswith("not ready after 10 s: worker-2 has not finished its handshake with tasks (ipc://")
    assert "and has not finished its handshake with results (ipc://" in told
    assert not [message for _, message in drive.world.told if isinstance(message, Go)]


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("block", seeds(4, few=2))
def test_a_run_that_stands_still_now_and_then_passes(name: str, block: int) -> None:
    """The whole machine stands still, and of all that runs on it the coordinator is the first to go on."""

    def stand_still(drive: Drive) -> None:
        drive.now_s += 20
        first = drive.random.choice((drive.world.read, lambda at_s: events.Tick(at_s=at_s), None))
        if first is not None:
            drive.feed(first(drive.now_s))

    for seed in range(block * 50, block * 50 + 50):
        steps = random.Random(seed).sample(range(160), 8)
        drive = Drive(PLANS[name], seed, at_step=dict.fromkeys(steps, stand_still))
        ended = drive.run()
        sound(drive, ended)
        assert ended.verdict == "passed", (seed, drive.published(events.ProblemFound))
        assert all(not event.lost and not event.unread for event in drive.published(events.BookClosed)), seed
        assert {e.outcome for e in drive.published(events.ProcessEnded)} == {"finished"}, seed


@pytest.mark.parametrize("away_s", [11.0, 3600.0])
def test_while_nobody_looks_nobody_is_late(away_s: float) -> None:
    """The coordinator was stopped while its processes came into place, and again while they finished."""
    drive = Drive(PLANS["pipeline"], 1, messages_each=50)
    drive.feed(events.Began(at_s=0.0))

    def be_away() -> None:
        drive.now_s += away_s
        drive.feed(events.Tick(at_s=drive.now_s))
        assert not drive.published(events.ProblemFound)

    while not any(isinstance(message, Connect) for _, message in drive.world.told):
        drive.go_on()
    be_away()
    while not drive.published(events.RunReady):
        drive.go_on()
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGINT"))
    be_away()
    while not any(isinstance(message, Stop) for _, message in drive.world.told):
        drive.go_on()
    be_away()
    assert drive.run().exit_code == 130
    assert [ended.signal for ended in drive.published(events.ProcessEnded) if ended.signal] == []


def test_who_is_late_was_looked_for_all_the_time() -> None:
    """An absence is excused once: what is left of one's time begins to run again."""
    drive, away = Drive(PLANS["pipeline"], 1), False
    deaf = drive.world.processes["worker-2"]
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunEnded):
        deaf.step = "bound" if deaf.step == "connecting" else deaf.step
        if deaf.step == "bound" and not away:
            away = True
            drive.now_s += 60
        drive.go_on()
    (told,) = [event.text for event in drive.published(events.ProblemFound)]
    assert told.startswith("not ready after 10 s: worker-2 has not finished its handshake with tasks (ipc://")


def test_stop_goes_in_reverse_launch_order() -> None:
    drive = Drive(PLANS["pipeline"], 3)
    drive.run()
    stage = {spec.name: spec.stage for spec in drive.plan.processes}
    stops = [stage[name] for name, message in drive.world.told if isinstance(message, Stop)]
    assert stops == sorted(stops, reverse=True)


def test_the_plans_are_what_they_seem() -> None:
    plan: Plan = PLANS["two_stages"]
    assert [book.name for book in plan.books] == ["a", "b", "c+d"]
    assert [stage.nodes for stage in plan.stages] == [("one", "two"), ("right",), ("left",), ("first",)]


class SlowClient(ScriptedWorld):
    """One client takes twelve seconds, and its server hears of it a while later."""

    def possible(self) -> list[tuple[str, Callable[[float], list[events.Event]]]]:
        late = {"client-2": 12.0, "server-1": 12.5}
        connecting = {name for name in late if self.processes[name].step == "connecting"}
        held = {name for name in connecting if self._read_s < late[name]}
        return [(name, happen) for name, happen in super().possible() if name not in held]


def test_who_only_awaits_its_peers_has_their_time() -> None:
    text = """
version: 1
patterns:
  p:
    endpoints: {hello: ipc}
    nodes:
      client: {role: client, connect: hello, replicas: 3, ready_within: 1m}
      server: {role: server, bind: hello}
"""
    drive = Drive(plan_of(text), 1, world_of=SlowClient)
    assert drive.run().verdict == "passed", drive.published(events.ProblemFound)


def test_an_external_that_does_not_come_is_named_once_its_own_time_has_passed() -> None:
    text = """
version: 1
patterns:
  p:
    endpoints: {tasks: 'tcp://127.0.0.1:5557', results: 'tcp://127.0.0.1:5558'}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
      worker: {external: true, connect: [tasks, results], ready_within: 3s}
      sink: {role: sink, bind: {results: results}}
    duration: 1m
"""
    drive = Drive(plan_of(text), 1)
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunEnded):
        for process in drive.world.processes.values():
            process.step = "bound" if process.step == "connecting" else process.step
        drive.go_on()
    told = [event.text for event in drive.published(events.ProblemFound)]
    assert len(told) == 2
    assert all(text.startswith("not ready after 3 s: ") for text in told)
    assert all(text.endswith("; expected there: worker-1 (external)") for text in told)
