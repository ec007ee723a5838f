"""The books of acknowledged delivery in the scripted world: deaths at any moment, and changes, end in a green run."""

from __future__ import annotations

import random

import msgspec
import pytest
from run.delivery_world import DeliveryWorld
from run.test_changing import ask_until_taken
from run.test_faults import plan_with, problems
from run.test_restarts import with_policy
from run.world import Drive
from seeds import seeds

from orchestrator.run import events
from orchestrator.run.commands import Publish
from orchestrator.run.difference import difference
from orchestrator.run.requests import Down, Restart, Scale
from roles.kit.messages import Failed, Gone, SetAside

TASKS = 20
PIPELINE = """
version: 1
patterns:
  p:
    endpoints: {tasks: {address: ipc, delivery: at_least_once}, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
"""


def plan(*, text=PIPELINE, **expects):
    made = plan_with(text, **expects)
    for node in ("ventilator", "worker", "sink"):
        made = with_policy(made, node, policy="on-failure", most=1000, backoff_s=0.05)
    return made


def drive_of(made, seed, **more):
    return Drive(made, seed, messages_each=TASKS, world_of=DeliveryWorld, **more)


def closed(drive):
    return {event.book: event for event in drive.published(events.BookClosed)}


def all_is_kept(drive, tasks=TASKS):
    """Every task once, and the books say so."""
    kept = drive.world.keepers["sink-1"].kept
    assert sorted(kept) == [("ventilator-1", number) for number in range(1, tasks + 1)], f"seed {drive.seed}"
    books = closed(drive)
    here = books["tasks"]
    assert (here.sent, here.received, here.lost, here.unread) == (tasks, tasks, 0, 0), f"seed {drive.seed}"
    results = books["results"]
    assert (results.received, results.lost, results.unread) == (tasks, 0, 0), f"seed {drive.seed}"
    assert results.redelivered is None
    assert here.redelivered is not None


@pytest.mark.parametrize("seed", seeds(18, few=6))
def test_without_deaths_nothing_is_given_twice(seed):
    drive = drive_of(plan(), seed)
    assert drive.run().verdict == "passed"
    all_is_kept(drive)
    assert closed(drive)["tasks"].redelivered == closed(drive)["results"].duplicates == 0


@pytest.mark.parametrize("seed", seeds(60, few=20))
@pytest.mark.parametrize("victim", ["worker-2", "sink-1", "ventilator-1"])
def test_whoever_dies_at_any_moment_the_run_is_green(seed, victim):
    drive = drive_of(plan(), seed, kill=victim, kill_at=(seed * 7) % 120)
    assert drive.run().verdict == "passed", f"seed {seed}: {problems(drive)}"
    assert problems(drive) == [], f"seed {seed}"
    all_is_kept(drive)


@pytest.mark.parametrize("seed", seeds(36, few=12))
def test_many_deaths_of_all(seed):
    drive = drive_of(plan(), seed)

    def kill(drive):
        names = [name for name, process in drive.world.processes.items() if process.step == "working"]
        if names:
            drive.feed(*drive.world.kill(drive.random.choice(names), drive.now_s))

    drive.at_step = dict.fromkeys(range(60, 1200, 60), kill)
    assert drive.run().verdict == "passed", f"seed {seed}: {problems(drive)}"
    all_is_kept(drive)


@pytest.mark.parametrize("seed", seeds(60, few=20))
def test_deaths_of_the_coordinator_among_those_of_all(seed):
    """What one coordinator has told a source of a death, and the source has not heard, another one tells."""
    drive = drive_of(plan(), seed)
    chance = random.Random(seed)

    def kill(drive):
        names = [name for name, process in drive.world.processes.items() if process.step == "working"]
        if names:
            drive.feed(*drive.world.kill(chance.choice(names), drive.now_s))
        drive.lose_coordinator(chance.randrange(6))

    drive.at_step = dict.fromkeys(range(60, 1200, 60), kill)
    assert drive.run().verdict == "passed", f"seed {seed}: {problems(drive)}"
    all_is_kept(drive)


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("sync", ["barrier", "none"])
def test_a_coordinator_that_dies_as_it_lets_them_go(sync, number):
    """It has made known that the so-manieth begins, and that one has not heard it."""
    drive = drive_of(plan(text=PIPELINE.replace("    endpoints", f"    sync: {sync}\n    endpoints")), number)
    begun = []

    def dies_after(command):
        if isinstance(command, Publish) and isinstance(command.event, events.ProcessBegan):
            begun.append(command.event.process)
        return len(begun) == number

    drive.dies_after = dies_after
    assert drive.run().verdict == "passed", problems(drive)
    assert len(drive.published(events.RunResumed)) == 1
    all_is_kept(drive)


@pytest.mark.parametrize("seed", seeds(24, few=8))
def test_sources_are_told_of_each_worker_that_takes_no_more(seed):
    drive = drive_of(plan(), seed, kill="worker-2", kill_at=90 + seed)
    drive.run()
    told = {
        (message.process, message.incarnation)
        for name, message in drive.world.told
        if isinstance(message, Gone) and name == "ventilator-1"
    }
    ended = {(event.process, event.incarnation) for event in drive.published(events.ProcessEnded)}
    finished = {(event.process, event.incarnation) for event in drive.published(events.ProcessFinished)}
    went_s = drive.published(events.RunReady)[0].at_s
    late = {
        (event.process, event.incarnation)
        for event in drive.published(events.ProcessEnded)
        if event.at_s > went_s and event.signal == "SIGKILL"
    }
    workers = {one for one in told if one[0].startswith("worker")}
    assert told == workers <= ended | finished
    assert {one for one in late if one[0].startswith("worker")} <= told


@pytest.mark.parametrize("seed", seeds(36, few=12))
@pytest.mark.parametrize("to", [1, 5])
def test_workers_come_and_go(seed, to):
    drive = drive_of(plan(), seed)
    request = Scale(ticket="t", node="worker", replicas=to)
    drive.at_step = {60 + seed: ask_until_taken(request)}
    assert drive.run().verdict == "passed", f"seed {seed}: {problems(drive)}"
    all_is_kept(drive)
    assert closed(drive)["tasks"].redelivered == 0, f"seed {seed}"


@pytest.mark.parametrize("seed", seeds(36, few=12))
@pytest.mark.parametrize("target", ["worker", "sink", "ventilator"])
def test_a_new_start_that_is_asked_for(seed, target):
    drive = drive_of(plan(), seed)
    drive.at_step = {60 + seed: ask_until_taken(Restart(ticket="t", target=target))}
    assert drive.run().verdict == "passed", f"seed {seed}: {problems(drive)}"
    all_is_kept(drive)


@pytest.mark.parametrize("seed", seeds(24, few=8))
def test_taken_down_it_ends_with_what_was_given(seed):
    drive = drive_of(plan(), seed, kill="worker-2", kill_at=70 + seed)
    drive.at_step = {80 + seed: ask_until_taken(Down(ticket="t"))}
    assert drive.run().verdict == "passed", f"seed {seed}: {problems(drive)}"
    all_is_kept(drive, tasks=drive.world.sources["ventilator-1"].given)


@pytest.mark.parametrize("seed", seeds(20, few=5))
def test_a_worker_that_fails_for_good_fails_the_run_and_its_tasks_are_done_by_others(seed):
    drive = drive_of(plan_with(PIPELINE), seed, kill="worker-2", kill_at=120 + seed)
    ended = drive.run()
    if drive.killed_s is None:
        return
    assert (ended.verdict, ended.exit_code) == ("failed", 1)
    here = closed(drive)["tasks"]
    assert (here.sent, here.lost) == (here.received, 0), f"seed {seed}"


@pytest.mark.parametrize("expected", [False, True])
def test_a_task_that_is_set_aside_is_told_of_once(expected):
    drive = drive_of(plan(expects={"tasks.lost": ">= 0"}) if expected else plan(), 1)
    told = SetAside(port="tasks", position=7, deaths=3, item="7")

    def tell(drive):
        for _ in range(2):
            drive.feed(events.Heard(at_s=drive.now_s, process="ventilator-1", message=told, incarnation=0))
        drive.take_over()
        drive.feed(events.Heard(at_s=drive.now_s, process="ventilator-1", message=told, incarnation=0))

    drive.at_step = {100: tell}
    ended = drive.run()
    text = "tasks: task 7 of ventilator-1 is set aside: 3 workers died with it in hand (7)"
    assert problems(drive, expected=expected) == [text]
    assert ended.verdict == ("passed" if expected else "failed")


def test_a_source_is_told_what_a_dead_worker_had_in_hand():
    drive = drive_of(plan(), 3)
    in_hand = 5 << 40 | 9

    def die(drive):
        exited = drive.world.kill("worker-1", drive.now_s)[0]
        ports = dict(exited.reading.ports)
        ports["tasks"] = msgspec.structs.replace(ports["tasks"], hand=in_hand)
        reading = msgspec.structs.replace(exited.reading, ports=ports)
        drive.feed(msgspec.structs.replace(exited, reading=reading))

    drive.at_step = {100: die}
    drive.run()
    assert ("ventilator-1", Gone(process="worker-1", incarnation=0, hand=in_hand)) in drive.world.told


def test_what_fails_with_a_task_in_hand_is_told_when_it_has_ended():
    drive = drive_of(plan(), 3)

    def fail(drive):
        told = Failed(kind="raised", text="no", item="9")
        drive.feed(events.Heard(at_s=drive.now_s, process="worker-1", message=told, incarnation=0))

    drive.at_step = {100: fail}
    assert drive.run().verdict == "passed"
    assert any(isinstance(m, Gone) and m.process == "worker-1" for _, m in drive.world.told)
    all_is_kept(drive)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"params": {"count": 9}}, "what ventilator-1 has had acknowledged would be other tasks than before"),
        ({"params": {"count": 1, "rate": 5.0}}, ""),
    ],
)
def test_a_source_keeps_the_meaning_of_its_positions(change, why):
    old = plan()
    processes = tuple(
        msgspec.structs.replace(spec, **change) if spec.node == "ventilator" else spec
        for spec in old.processes
    )
    assert difference(old, msgspec.structs.replace(old, processes=processes)).why_not == why
