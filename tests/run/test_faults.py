"""Faults in the scripted world: they fire once, when they are due, and the books stay right whatever they hit."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from run.world import Drive, plan_of
from seeds import seeds

from orchestrator.engines.scripted import ScriptedWorld
from orchestrator.engines.scripted_process import Scripted
from orchestrator.run import events
from orchestrator.run.addresses import AddressBook, binds
from orchestrator.run.crew import Crew
from orchestrator.run.member import Step
from orchestrator.run.plan import ExpectationPlan, FaultPlan, Plan
from roles.kit.messages import Finish, Joined
from roles.kit.slot import State

PIPELINE = """
version: 1
patterns:
  p:
    endpoints: {tasks: ipc, results: ipc}
    nodes:
      ventilator: {role: ventilator, bind: tasks, params: {count: 1}}
      worker: {role: worker, connect: [tasks, results], replicas: 3}
      sink: {role: sink, bind: results}
"""
REQUESTS = """
version: 1
patterns:
  p:
    endpoints: {hello: "tcp://127.0.0.1:*"}
    nodes:
      client: {role: client, connect: hello, replicas: 3}
      server: {role: server, bind: hello}
"""
EACH_SEED = pytest.mark.parametrize("seed", seeds(20, few=6))


def plan_with(text: str, *faults: FaultPlan, expects: dict[str, str] | None = None) -> Plan:
    expectations = tuple(
        ExpectationPlan(path=path, condition=condition) for path, condition in (expects or {}).items()
    )
    return msgspec.structs.replace(plan_of(text), faults=faults, expectations=expectations)


def fault(action: str, *targets: str, **more: object) -> FaultPlan:
    return FaultPlan(action=action, text=f"{action} {', '.join(targets)}", targets=targets, **more)  # type: ignore[arg-type]


def run(plan: Plan, seed: int, *, messages_each: int = 30) -> tuple[Drive, events.RunEnded]:
    drive = Drive(plan, seed, messages_each=messages_each)
    return drive, drive.run()


def problems(drive: Drive, *, expected: bool = False) -> list[str]:
    return [found.text for found in drive.published(events.ProblemFound) if found.expected is expected]


def books_are_right(drive: Drive) -> None:
    closed = {(event.book, event.replies): event for event in drive.published(events.BookClosed)}
    for book in drive.plan.books:
        processes = drive.world.processes
        here = closed[book.name, book.replies]
        senders = {(p.spec.node, port) for name, port in book.senders for p in [processes[name]]}
        receivers = {(p.spec.node, port) for name, port in book.receivers for p in [processes[name]]}
        sent = sum(
            p.total("sent", port) for p in processes.values() for n, port in senders if p.spec.node == n
        )
        received = sum(
            p.total("received", port) for p in processes.values() for n, port in receivers if p.spec.node == n
        )
        assert (here.sent, here.received) == (sent, received), f"seed {drive.seed}: {book.name}"
        assert (here.lost or 0) + (here.unread or 0) == sent - received, f"seed {drive.seed}: {book.name}"


@EACH_SEED
def test_a_killed_worker_fails_the_run_unless_that_is_expected(seed):
    kill = fault("kill", "worker-2", when={"worker-2.received": 2})
    drive, ended = run(plan_with(PIPELINE, kill), seed)
    assert (ended.verdict, ended.exit_code) == ("failed", 1)
    assert "worker-2 killed by SIGKILL" in problems(drive)[0]
    books_are_right(drive)

    drive, ended = run(
        plan_with(PIPELINE, kill, expects={"worker.exit_code": "one of 0, SIGKILL", "tasks.lost": ">= 0"}),
        seed,
    )
    assert problems(drive) == [], f"seed {seed}"
    assert ended.verdict == "passed", f"seed {seed}"
    assert "worker-2 killed by SIGKILL" in problems(drive, expected=True)[0]
    books_are_right(drive)
    # The others did all the rest: nobody was cut short.
    sent = drive.world.processes["ventilator-1"].total("sent", "tasks")
    assert sent == 30
    assert drive.published(events.RunDraining) == []


class SlowWire(ScriptedWorld):
    """Once worker-2 is gone nothing comes out at the sink for three seconds, though its workers have filled the way."""

    comes_s: float | None = None

    def _work(self, process: Scripted) -> Callable[[float], list[events.Event]] | None:
        if self.processes["worker-2"].step == "gone" and self.comes_s is None:
            self.comes_s = self._read_s + 3.0
        if process.spec.name == "sink-1" and not process.in_hand and self._read_s < (self.comes_s or 0.0):
            process.state, process.port = State.RECEIVING, "results"
            return None
        return super()._work(process)


def passed_after_a_death(
    seed: int, world_of: type[ScriptedWorld], *, results: int, messages_each: int
) -> Drive:
    """A run in which worker-2 is killed once so many results have come, and no other may have a loss of results."""
    kill = fault("kill", "worker-2", when={"sink.received": results})
    expects = {"worker-2.exit_code": "== SIGKILL", "tasks.lost": ">= 0", "results.lost": "== 0"}
    drive = Drive(
        plan_with(PIPELINE, kill, expects=expects), seed, messages_each=messages_each, world_of=world_of
    )
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    books_are_right(drive)
    return drive


@EACH_SEED
def test_what_is_slow_on_its_way_after_a_death_is_awaited(seed):
    drive = passed_after_a_death(seed, SlowWire, results=5, messages_each=60)
    assert drive.world.processes["ventilator-1"].total("sent", "tasks") == 60, f"seed {seed}"


class NoProcessor(ScriptedWorld):
    """Once worker-2 is gone worker-1, which seems to wait, does not come to its tasks for three seconds."""

    until_s: float | None = None

    def possible(self) -> list[tuple[str, Callable[[float], list[events.Event]]]]:
        if self.processes["worker-2"].step == "gone" and self.until_s is None:
            self.until_s = self._read_s + 3.0
            worker = self.processes["worker-1"]
            if worker.step == "working" and not worker.in_hand:
                worker.state, worker.port = State.RECEIVING, "tasks"
        return [(name, happen) for name, happen in super().possible() if name != "worker-1" or self.runs]

    @property
    def runs(self) -> bool:
        return self._read_s >= (self.until_s or 0.0)

    def read(self, at_s: float) -> events.Read:
        event = super().read(at_s)
        has_work = not self.runs and any(self.processes["worker-1"].waiting.values())
        return msgspec.structs.replace(event, awake=event.awake | {"worker-1"}) if has_work else event


@EACH_SEED
def test_who_has_had_no_processor_does_not_wait(seed):
    drive = passed_after_a_death(seed, NoProcessor, results=2, messages_each=14)
    worker = drive.world.processes["worker-1"]
    assert not any(worker.waiting.values()), f"seed {seed}: it has left tasks"


def test_an_expectation_of_one_process_speaks_for_that_process_alone():
    expects = {"worker-1.exit_code": "== SIGKILL", "tasks.lost": ">= 0"}
    _, ended = run(plan_with(PIPELINE, fault("kill", "worker-2", at_s=0.0), expects=expects), 1)
    assert ended.verdict == "failed"
    _, ended = run(plan_with(PIPELINE, fault("kill", "worker-1", at_s=0.0), expects=expects), 1)
    assert ended.verdict == "passed"


@EACH_SEED
def test_a_restarted_worker_takes_part_again_as_the_next_incarnation(seed):
    restart = fault("restart", "worker-2", when={"worker-2.received": 2})
    drive, ended = run(plan_with(PIPELINE, restart, expects={"tasks.lost": ">= 0"}), seed)
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    ends = [event for event in drive.published(events.ProcessEnded) if event.process == "worker-2"]
    assert [(event.incarnation, event.outcome) for event in ends] == [(0, "killed"), (1, "finished")]
    launches = [
        event.incarnation for event in drive.published(events.ProcessLaunched) if event.process == "worker-2"
    ]
    assert launches == [0, 1]
    books_are_right(drive)


@EACH_SEED
def test_a_restarted_server_binds_where_it_was_and_what_was_asked_meanwhile_is_lost(seed):
    restart = fault("restart", "server-1", when={"server-1.received": 4}, for_s=0.3)
    drive, ended = run(plan_with(REQUESTS, restart, expects={"hello.lost": ">= 0"}), seed)
    assert ended.verdict in ("passed", "failed")  # replies that never come are a loss of their own
    again = next(launch for launch in drive.launches if launch.incarnation == 1)
    assert again.spec.ports[0].attachments[0].address == "tcp://127.0.0.1:*#server-1"
    books_are_right(drive)


@EACH_SEED
def test_workers_that_a_fault_adds_join_the_books_and_their_senders_are_told(seed):
    plan = plan_with(
        PIPELINE, FaultPlan(action="scale", text="scale", scale={"worker": 5}, when={"sink.received": 3})
    )
    worker = next(spec for spec in plan.processes if spec.name == "worker-3")
    reserves = tuple(
        msgspec.structs.replace(worker, name=f"worker-{k}", replica=k, slot=10 + k) for k in (4, 5)
    )
    drive, ended = run(msgspec.structs.replace(plan, reserves=reserves), seed, messages_each=200)
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    added = [event.outline.name for event in drive.published(events.ProcessAdded)]
    assert added == ["worker-4", "worker-5"]
    outcomes = {event.process: event.outcome for event in drive.published(events.ProcessEnded)}
    assert outcomes["worker-4"] == outcomes["worker-5"] == "finished"
    assert {name for name, message in drive.world.told if isinstance(message, Joined)} == {
        "ventilator-1",
        "sink-1",
    }
    books_are_right(drive)
    assert drive.world.processes["sink-1"].total("received", "results") == 200


@EACH_SEED
def test_a_paused_worker_is_no_stall_and_goes_on(seed):
    pause = fault("pause", "worker-1", "worker-2", "worker-3", when={"sink.received": 2}, for_s=7.0)
    drive, ended = run(plan_with(PIPELINE, pause), seed)
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    assert ended.at_s > 7.0
    books_are_right(drive)


def test_a_worker_that_is_paused_for_good_is_a_stall_that_names_it():
    drive, ended = run(plan_with(PIPELINE, fault("pause", "worker-2", when={"sink.received": 2})), 1)
    assert ended.verdict == "failed"
    assert "stalled: worker-2 is paused, and no fault lets it go on" in problems(drive)


def test_a_paused_worker_that_a_later_fault_resumes_is_no_stall():
    _, ended = run(
        plan_with(PIPELINE, fault("pause", "worker-2", at_s=0.0), fault("resume", "worker-2", at_s=8.0)), 1
    )
    assert ended.verdict == "passed"


def test_a_fault_that_never_fired_fails_the_run_and_says_why():
    plan = plan_with(
        PIPELINE, fault("kill", "worker-2", at_s=60.0), fault("kill", "sink-1", when={"sink.received": 31})
    )
    drive, ended = run(plan, 1)
    assert (ended.verdict, ended.exit_code) == ("failed", 1)
    first, second = problems(drive)
    assert first.startswith("fault never fired: kill worker-2 (the run was over at ")
    assert second == "fault never fired: kill sink-1 (sink.received came to 30 of 31)"


def test_killing_who_has_ended_gets_a_clear_word():
    expects = {"worker-2.exit_code": "== SIGKILL", "tasks.lost": ">= 0"}
    plan = plan_with(
        PIPELINE,
        fault("kill", "worker-2", at_s=0.0),
        fault("kill", "worker-2", when={"sink.received": 15}),
        expects=expects,
    )
    drive, ended = run(plan, 3)
    assert ended.verdict == "failed"
    assert [text.split(" at ")[0] for text in problems(drive)] == ["cannot kill worker-2: worker-2 ended"]


def test_the_seed_draws_whom_any_hits():
    hit = {}
    for seed in range(12):
        one = fault("kill", "worker-1", "worker-2", "worker-3", at_s=0.0, one_of_them=True)
        drive, _ = run(plan_with(PIPELINE, one), seed)
        fired = drive.published(events.FaultFired)
        assert len(fired) == 1
        assert len(fired[0].processes) == 1
        hit[seed] = fired[0].processes[0]
    assert set(hit.values()) == {"worker-1", "worker-2", "worker-3"}
    drive, _ = run(
        plan_with(PIPELINE, fault("kill", "worker-1", "worker-2", "worker-3", at_s=0.0, one_of_them=True)), 7
    )
    assert drive.published(events.FaultFired)[0].processes[0] == hit[7]


@EACH_SEED
def test_a_late_worker_is_launched_after_go_and_ends_with_the_others(seed):
    late = PIPELINE.replace("replicas: 3}", "replicas: 3, start_delay: 500ms}")
    drive, ended = run(plan_of(late), seed)
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    ready_s = drive.published(events.RunReady)[0].at_s
    launched = [e.at_s for e in drive.published(events.ProcessLaunched) if e.process.startswith("worker")]
    assert min(launched) >= ready_s + 0.5
    books_are_right(drive)


@EACH_SEED
def test_clients_connect_to_a_server_that_comes_late(seed):
    late = REQUESTS.replace('"tcp://127.0.0.1:*"', "tcp://127.0.0.1:5999").replace(
        "bind: hello", "bind: hello, start_delay: 1s"
    )
    drive, ended = run(plan_of(late), seed)
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    told = [
        message
        for name, message in drive.world.told
        if name.startswith("client") and hasattr(message, "late")
    ]
    assert {tuple(message.late) for message in told} == {("tcp://127.0.0.1:5999",)}
    books_are_right(drive)


def test_who_has_not_come_when_the_run_is_interrupted_is_not_waited_for():
    late = PIPELINE.replace(
        "bind: results}",
        "bind: results}\n      watcher: {role: ventilator, connect: results, params: {count: 1}, start_delay: 50s}",
    )
    drive = Drive(plan_of(late), 5, messages_each=30)
    drive.feed(events.Began(at_s=0.0))
    while not drive.published(events.RunReady):
        drive.go_on()
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGINT"))
    while not drive.published(events.RunEnded):
        drive.go_on()
    assert drive.now_s < 40
    outcomes = {event.process: event.outcome for event in drive.published(events.ProcessEnded)}
    assert outcomes["watcher-1"] == "not_started"


@pytest.mark.parametrize("seed", range(150))
def test_any_mixture_of_faults_ends_with_right_books(seed):
    draw = random.Random(seed)
    names = ["ventilator-1", "worker-1", "worker-2", "worker-3", "sink-1"]
    faults = []
    for _ in range(draw.randint(1, 4)):
        action = draw.choice(["kill", "terminate", "pause", "restart"])
        when = (
            {"at_s": draw.random()}
            if draw.random() < 0.5
            else {"when": {"worker.received": draw.randint(1, 40)}}
        )
        for_s = draw.choice([0.1, 1.0]) if action in ("pause", "restart") else None
        faults.append(fault(action, draw.choice(names), for_s=for_s, **when))
    expects = {"tasks.lost": ">= 0", "results.lost": ">= 0"}
    if draw.random() < 0.7:
        expects |= {
            f"{node}.exit_code": "one of 0, SIGKILL, SIGTERM" for node in ("ventilator", "worker", "sink")
        }
    drive, _ = run(plan_with(PIPELINE, *faults, expects=expects), seed)
    books_are_right(drive)
    assert not [name for name, process in drive.world.processes.items() if process.alive], f"seed {seed}"
    told_finish = [name for name, message in drive.world.told if isinstance(message, Finish)]
    assert len(told_finish) <= 40


@EACH_SEED
def test_who_comes_when_its_stream_is_over_is_told_so(seed):
    late = PIPELINE.replace(
        "bind: results}",
        "bind: results}\n      late: {role: worker, connect: [tasks, results], start_delay: 3s}",
    )
    drive, ended = run(plan_of(late), seed, messages_each=3)
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    assert not drive.world.processes["late-1"].received
    books_are_right(drive)


@EACH_SEED
def test_who_is_on_its_way_when_the_run_is_interrupted_may_leave_before_it_has_begun(seed):
    late = PIPELINE.replace(
        "bind: results}",
        "bind: results}\n      watcher: {role: ventilator, connect: results, params: {count: 1}, start_delay: 1ms}",
    )
    drive = Drive(plan_of(late), seed, messages_each=30)
    drive.feed(events.Began(at_s=0.0))
    while not any(event.process == "watcher-1" for event in drive.published(events.ProcessLaunched)):
        drive.go_on()
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGINT"))
    interrupted_s = drive.now_s
    while not drive.published(events.RunEnded):
        drive.go_on()
    assert not problems(drive), f"seed {seed}"
    assert drive.now_s < interrupted_s + 9, f"seed {seed}"


def test_who_comes_again_does_so_at_once_when_the_run_is_interrupted():
    drive = Drive(
        plan_with(PIPELINE, fault("restart", "worker-1", at_s=0.0, for_s=60.0)), 3, messages_each=30
    )
    drive.feed(events.Began(at_s=0.0))
    while not drive.coordinator._crew.members["worker-1"].was_restarted:
        drive.go_on()
    drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGINT"))
    while not drive.published(events.RunEnded):
        drive.go_on()
    assert drive.now_s < 50
    launched = [event for event in drive.published(events.ProcessLaunched) if event.process == "worker-1"]
    assert [event.incarnation for event in launched] == [0, 1]


def test_a_resume_that_waits_for_a_counter_that_stands_still_is_a_stall():
    faults = (
        fault("pause", "worker-1", at_s=0.0),
        fault("resume", "worker-1", when={"sink.received": 10_000}),
    )
    drive, ended = run(plan_with(PIPELINE, *faults), 4)
    assert ended.verdict == "failed"
    assert any("worker-1 is paused" in text for text in problems(drive)), problems(drive)
    assert any("never fired" in text for text in problems(drive))


def test_the_last_pause_says_how_long_it_lasts():
    faults = (
        fault("pause", "ventilator-1", at_s=0.0, for_s=1.0),
        fault("resume", "ventilator-1", at_s=0.2),
        fault("pause", "ventilator-1", at_s=0.4, for_s=3.0),
    )
    drive = Drive(plan_with(PIPELINE, *faults), 6, messages_each=2_000)
    drive.feed(events.Began(at_s=0.0))
    while len(drive.published(events.FaultFired)) < 3:
        drive.go_on()
    paused_s = drive.now_s
    while drive.world.processes["ventilator-1"].stopped:
        drive.go_on()
    assert drive.now_s >= paused_s + 3.0


@pytest.mark.parametrize(
    ("text", "late", "binder", "step", "other"),
    [
        (REQUESTS, "role: client, connect: hello", "server-1", Step.ENDED, "client-1"),
        (PIPELINE, "role: ventilator, connect: results, params: {count: 1}", "sink-1", Step.DONE, "worker-1"),
    ],
)
def test_a_late_comer_waits_for_nobody_where_the_binder_has_gone(text, late, binder, step, other):
    crew = Crew(plan_of(f"{text}      late: {{{late}, start_delay: 5s}}\n"))
    book = AddressBook(crew, sockets="/s")
    for member in crew.members.values():
        for one in binds(member):
            book.place(member, one.endpoint, one.address)
    comer = crew.members["late-1"]
    assert book.connect(comer).late == []
    crew.members[binder].step = step
    told = book.connect(comer)
    assert told.late == [address for found in told.addresses.values() for address in found]
    assert book.connect(crew.members[other]).late == []


@pytest.mark.parametrize("allowed", ["== 0", "one of 0, 1"])
def test_no_line_on_exit_codes_allows_to_leave_early_with_0(allowed):
    lines = {"worker.exit_code": allowed, "tasks.lost": ">= 0", "results.lost": ">= 0"}
    drive = Drive(plan_with(PIPELINE, expects=lines), 8, messages_each=30)
    drive.feed(events.Began(at_s=0.0))
    while not drive.world.processes["worker-1"].received:
        drive.go_on()
    drive.feed(events.Exited(at_s=drive.now_s, process="worker-1", exit_code=0))
    drive.world.processes["worker-1"].step = "gone"
    while not drive.published(events.RunEnded):
        drive.go_on()
    assert "worker-1 left before its part was done (exit code 0)" in problems(drive)
