"""Changes of a run in the scripted world, in hundreds of seeded orders: nothing is lost by them, whoever dies meanwhile."""

from __future__ import annotations

import random

import msgspec
import pytest
from run.test_faults import PIPELINE, books_are_right, fault, plan_with, problems
from run.test_restarts import with_policy
from run.world import Drive, plan_of
from seeds import seeds

from orchestrator.engines.scripted import ScriptedWorld
from orchestrator.run import events
from orchestrator.run.requests import Answer, Become, Down, Look, Restart, Scale

SEEDS = range(28)
EACH_SEED = pytest.mark.parametrize("seed", seeds(len(SEEDS), few=8))
TWO_SOURCES = """
version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
      other: {role: ventilator, connect: {tasks: results}, params: {count: 1}}
      worker: {role: worker, connect: [tasks, results], replicas: 2}
      sink: {role: sink, bind: results}
"""
CLIENTS = """
version: 1
patterns:
  p:
    endpoints: {front: ipc, back: ipc}
    nodes:
      client: {role: client, connect: front, replicas: 3}
      proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: queue}}
      server: {role: server, connect: back, replicas: 2}
"""


def ask(request):
    return lambda drive: drive.feed(events.Asked(at_s=drive.now_s, request=request))


def ask_until_taken(request):
    """Asks again as long as the run has not begun; what is not taken is put off by a few steps."""

    def do(drive: Drive) -> None:
        if drive.coordinator.phase.name == "STARTING":
            step = min(number for number in drive.at_step if drive.at_step[number] is do)
            later = step + 7
            while later in drive.at_step:
                later += 1
            drive.at_step[later] = do
            del drive.at_step[step]
        else:
            drive.feed(events.Asked(at_s=drive.now_s, request=request))

    return do


def changed(plan, seed, *requests, messages_each=60, deaths=0, **options):
    """A run in which these are asked for, each some steps after the other; with `deaths` of the coordinator between."""
    drive = Drive(plan, seed, messages_each=messages_each, **options)
    chance = random.Random(f"changes {seed}")
    step = 80
    for request in requests:
        step += chance.randrange(1, 80)
        drive.at_step[step] = ask_until_taken(request)
        step += 1
    for _ in range(deaths):
        at = chance.randrange(1, step + 200)
        while at in drive.at_step:
            at += 1
        drive.at_step[at] = lambda drive: drive.lose_coordinator(chance.randrange(6))
    ended = drive.run()
    return drive, ended


def sound(drive, ended):
    where = f"seed {drive.seed}: {problems(drive)}"
    assert ended.verdict == "passed", where
    for closed in drive.published(events.BookClosed):
        assert (closed.lost or 0, closed.unread or 0) == (0, 0), where
        assert closed.sent == closed.received, where
    assert not [name for name, process in drive.world.processes.items() if process.alive], where


def answers(drive) -> list[Answer]:
    return list(drive.world.answers.values())


@EACH_SEED
def test_workers_come_and_go_and_nothing_is_lost(seed):
    requests = [Scale(ticket=str(n), node="worker", replicas=n) for n in (12, 2, 4)]
    drive, ended = changed(plan_of(PIPELINE), seed, *requests)
    sound(drive, ended)
    books_are_right(drive)
    assert drive.world.processes["ventilator-1"].sent["tasks"] == 60
    assert len(answers(drive)) == 3


@pytest.mark.slow
def test_a_change_that_is_made_is_made():
    """Somewhere among the seeds each of the changes is done before the run is over; else the test above shows nothing."""
    done = [0, 0, 0]
    for seed in SEEDS:
        requests = [Scale(ticket=str(n), node="worker", replicas=n) for n in (12, 2, 4)]
        drive, _ = changed(plan_of(PIPELINE), seed, *requests)
        for number, answer in enumerate(answers(drive)):
            done[number] += answer.done
    assert min(done) > len(SEEDS) / 2, done


@EACH_SEED
def test_a_sink_that_somebody_else_sends_to_as_well_is_quiet_before_a_worker_goes(seed):
    drive, ended = changed(plan_of(TWO_SOURCES), seed, Scale(ticket="a", node="worker", replicas=1))
    sound(drive, ended)


@pytest.mark.parametrize("target", ["worker", "worker-2", "sink", "ventilator"])
@pytest.mark.parametrize("seed", range(20))
def test_whoever_is_started_again_loses_nothing(seed, target):
    drive, ended = changed(plan_of(PIPELINE), seed, Restart(ticket="a", target=target))
    sound(drive, ended)
    books_are_right(drive)


@pytest.mark.parametrize("seed", range(30))
def test_servers_behind_a_proxy_come_and_go(seed):
    requests = [Scale(ticket=str(n), node="server", replicas=n) for n in (5, 1)]
    drive, ended = changed(plan_of(CLIENTS), seed, *requests, messages_each=20)
    sound(drive, ended)


@EACH_SEED
def test_another_plan_touches_only_what_is_different(seed):
    other = plan_of(PIPELINE.replace("replicas: 3}", "replicas: 4, environment: {A: b}}"))
    drive, ended = changed(plan_of(PIPELINE), seed, Become(ticket="a", plan=other))
    sound(drive, ended)
    launches = [event.process for event in drive.published(events.ProcessLaunched)]
    if answers(drive)[0].done:
        assert sorted(launches) == sorted(
            ["sink-1", "ventilator-1", *2 * ["worker-1", "worker-2", "worker-3"], "worker-4"]
        )


@EACH_SEED
def test_everybody_may_be_touched_at_once(seed):
    other = plan_of(
        PIPELINE.replace("bind: results}", "bind: results, environment: {A: b}}")
        .replace("replicas: 3}", "replicas: 3, environment: {A: b}}")
        .replace("bind: tasks,", "bind: tasks, environment: {A: b},")
    )
    drive, ended = changed(plan_of(PIPELINE), seed, Become(ticket="a", plan=other), messages_each=300)
    sound(drive, ended)
    assert answers(drive)[0].done or drive.published(events.RunDraining)


@EACH_SEED
def test_a_new_stage_is_put_in(seed):
    """A second sink at the same endpoint, and a source of its own for the workers."""
    other = plan_of(PIPELINE.replace("sink:", "audit: {role: sink, connect: tasks}\n      sink:"))
    drive, ended = changed(plan_of(PIPELINE), seed, Become(ticket="a", plan=other))
    sound(drive, ended)


@pytest.mark.parametrize("deaths", [1, 3])
@EACH_SEED
def test_another_coordinator_takes_over(seed, deaths):
    drive, ended = changed(plan_of(PIPELINE), seed, deaths=deaths)
    sound(drive, ended)
    books_are_right(drive)
    launches = [event.process for event in drive.published(events.ProcessLaunched)]
    assert len(launches) == len(set(launches)), f"seed {seed}: somebody was started twice"


@EACH_SEED
def test_another_coordinator_takes_over_in_the_middle_of_a_change(seed):
    requests = [Scale(ticket=str(n), node="worker", replicas=n) for n in (6, 2, 4)]
    drive, ended = changed(
        plan_of(PIPELINE), seed, *requests, Restart(ticket="r", target="worker-1"), deaths=5, serves=True
    )
    sound(drive, ended)
    books_are_right(drive)
    came_back = any("2 → 4" in event.text and event.done for event in drive.published(events.ChangeEnded))
    assert drive.launches_of("worker-3") == 1 + came_back, f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_a_service_goes_down_when_it_is_asked_to(seed):
    drive, ended = changed(
        plan_of(PIPELINE), seed, Down(ticket="d"), messages_each=10_000, serves=True, deaths=1
    )
    sound(drive, ended)
    assert drive.published(events.RunDraining)[-1].why == "down"


def test_one_ticket_is_served_once():
    request = Scale(ticket="a", node="worker", replicas=4)
    drive, ended = changed(plan_of(PIPELINE), 3, request, request, request)
    sound(drive, ended)
    assert len(drive.published(events.RunChanged)) == 1


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (Scale(ticket="a", node="workr", replicas=4), "cannot scale 'workr': there is no such node (did you mean 'worker'?)"),
        (Scale(ticket="a", node="worker", replicas=0), "cannot scale 'worker': 0 is no number of processes (write 1 to 10,000)"),
        (Scale(ticket="a", node="sink", replicas=2), "cannot scale 'sink': it binds 'results', and nobody would know of another address (let it connect, others bind)"),
        (Scale(ticket="a", node="ventilator", replicas=2), "cannot scale 'ventilator': its processes share out one stream of items among as many as there are at the start"),
        (Scale(ticket="a", node="worker", replicas=3), "nothing to do: it runs so already"),
        (Restart(ticket="a", target="worker-9"), "cannot restart 'worker-9': there is no such node or process (did you mean 'worker'?)"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(request_, text):
    drive, ended = changed(plan_of(PIPELINE), 1, request_)
    sound(drive, ended)
    assert [answer.text for answer in answers(drive)] == [text]


def test_a_run_is_looked_at():
    drive, ended = changed(plan_of(PIPELINE), 1, Look(ticket="a"))
    sound(drive, ended)
    (answer,) = answers(drive)
    assert [process.name for process in answer.processes] == [
        *("sink-1", "worker-1", "worker-2", "worker-3", "ventilator-1"),
    ]
    assert answer.phase == "working"


@EACH_SEED
@pytest.mark.parametrize("deaths", [0, 2])
@pytest.mark.parametrize(
    "request_",
    [
        Restart(ticket="a", target="sink"),
        Restart(ticket="a", target="worker"),
        Scale(ticket="a", node="worker", replicas=1),
        Scale(ticket="a", node="worker", replicas=9),
        Become(
            ticket="a",
            plan=plan_of(
                PIPELINE.replace("sink:", "audit: {role: sink, connect: tasks}\n      sink:").replace(
                    "bind: results}", "bind: results, environment: {A: b}}"
                )
            ),
        ),
    ],
    ids=["sink", "worker", "fewer", "more", "new"],
)
def test_an_end_in_the_middle_of_a_change_drains_as_any_other(seed, deaths, request_):
    drive = Drive(plan_of(PIPELINE), seed, messages_each=10_000, serves=True)
    chance = random.Random(f"down {seed}")
    asked = 100 + chance.randrange(60)
    drive.at_step[asked] = ask_until_taken(request_)
    drive.at_step[asked + 1 + chance.randrange(60)] = ask_until_taken(Down(ticket="down"))
    for _ in range(deaths):
        at = asked + chance.randrange(150)
        while at in drive.at_step:
            at += 1
        drive.at_step[at] = lambda drive: drive.lose_coordinator(chance.randrange(4))
    # A Down that was asked of a coordinator which died is asked again.
    drive.at_step[asked + 900] = ask_until_taken(Down(ticket="again"))
    sound(drive, drive.run())


OTHERS = {
    "no barrier": PIPELINE.replace("    endpoints:", "    sync: none\n    endpoints:"),
    "a late sink": PIPELINE.replace(
        "sink: {role: sink, bind: results}",
        "sink: {role: sink, bind: results}\n      late: {role: sink, bind: results, start_delay: 300ms}",
    ).replace("    endpoints:", "    allow: [two-binders]\n    endpoints:"),
    "requests": CLIENTS,
}


@EACH_SEED
@pytest.mark.parametrize("kind", OTHERS)
def test_another_coordinator_takes_over_whatever_the_pattern(seed, kind):
    drive, ended = changed(plan_of(OTHERS[kind]), seed, deaths=4, messages_each=20, serves=True)
    sound(drive, ended)


@EACH_SEED
def test_deaths_of_workers_and_of_coordinators_and_changes_at_once(seed):
    """Messages may be lost with a worker, but the books say how many, and everybody ends as the last plan has it."""
    plan = with_policy(
        plan_with(PIPELINE, expects={"tasks.lost": ">= 0", "results.lost": ">= 0"}),
        "worker",
        policy="always",
        most=1000,
        backoff_s=0.05,
    )
    drive = Drive(plan, seed, messages_each=10_000, serves=True)
    chance = random.Random(f"all {seed}")

    def kill(drive: Drive) -> None:
        working = [
            name
            for name, process in drive.world.processes.items()
            if "worker" in name and process.step == "working"
        ]
        if working:
            drive.feed(*drive.world.kill(chance.choice(working), drive.now_s))

    for number, step in enumerate(range(100, 2500, 60)):
        drive.at_step[step] = chance.choice(
            [
                kill,
                lambda drive: drive.lose_coordinator(chance.randrange(5)),
                ask_until_taken(Scale(ticket=f"s{number}", node="worker", replicas=chance.randrange(1, 6))),
                ask_until_taken(
                    Restart(ticket=f"r{number}", target=chance.choice(["worker", "worker-1", "sink"]))
                ),
            ]
        )
    for step in (5000, 6000, 7000):
        drive.at_step[step] = ask_until_taken(Down(ticket=f"down{step}"))
    ended = drive.run()
    assert problems(drive) == [], f"seed {seed}"
    assert ended.verdict == "passed", f"seed {seed}"
    books = {event.book: event for event in drive.published(events.BookClosed)}
    for book in ("tasks", "results"):
        sent, received = (
            sum(process.total(way, port) for process in drive.world.processes.values())
            for way, port in (("sent", book), ("received", book))
        )
        assert (books[book].sent, books[book].received) == (sent, received), f"seed {seed}: {book}"
        assert books[book].lost == sent - received, f"seed {seed}: {book}"


def test_a_coordinator_gives_out_no_number_that_one_before_it_gave():
    """A late answer to a Hold of one that died must not be taken for one to its own."""
    drive = Drive(plan_of(PIPELINE), 1)
    drive.feed(events.Began(at_s=0.0))
    numbers = []
    for _ in range(3):
        numbers += [drive.coordinator._crew.next_number() for _ in range(1000)]
        drive.take_over()
    assert len(set(numbers)) == len(numbers)


class AlwaysBusy(ScriptedWorld):
    """A thread of worker-1's own has work whenever the kernel is asked."""

    def read(self, at_s: float) -> events.Read:
        event = super().read(at_s)
        return msgspec.structs.replace(event, awake=event.awake | {"worker-1"})


@EACH_SEED
def test_what_was_lost_once_and_who_is_always_busy_keep_nothing_from_being_changed(seed):
    kill = fault("kill", "worker-2", when={"sink.received": 5})
    expects = {"worker-2.exit_code": "== SIGKILL", "tasks.lost": ">= 0", "results.lost": ">= 0"}
    drive = Drive(
        plan_with(PIPELINE, kill, expects=expects), seed, messages_each=1_000_000, world_of=AlwaysBusy
    )
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.ProcessEnded):
        drive.go_on()
    drive.feed(events.Asked(at_s=drive.now_s, request=Scale(ticket="a", node="worker", replicas=4)))
    while not answers(drive):
        drive.go_on()
    drive.feed(events.Asked(at_s=drive.now_s, request=Restart(ticket="b", target="worker-1")))
    while len(answers(drive)) < 2:
        drive.go_on()
    assert [answer.text for answer in answers(drive) if not answer.done] == [], f"seed {seed}"
