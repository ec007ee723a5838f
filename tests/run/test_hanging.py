"""Who is at one item for too long, and who is stopped: with values, and in the scripted world."""

from __future__ import annotations

import msgspec
import pytest
from run.test_faults import PIPELINE, books_are_right, fault, plan_with, problems
from run.world import Drive
from seeds import seeds

from orchestrator.run import events
from orchestrator.run.commands import Signal
from orchestrator.run.crew import Crew
from orchestrator.run.hanging import Hanging, at_hand
from orchestrator.run.member import Member, Step
from orchestrator.run.plan import Plan
from roles.kit.slot import Count, Reading, State
from roles.kit.spec import PortSpec, Restart

EACH_SEED = pytest.mark.parametrize("seed", seeds(16, few=6))
DEATH = {"tasks.lost": ">= 0", "results.lost": ">= 0", "worker.exit_code": "one of 0, SIGKILL"}
TIMEOUT_S = 3.0
"""In the scripted world somebody may not be chosen for a while: a second is not enough."""


def timed(plan: Plan, node: str = "worker", timeout_s: float = TIMEOUT_S, **policy: object) -> Plan:
    processes = tuple(
        msgspec.structs.replace(spec, task_timeout_s=timeout_s, restart=Restart(**policy))  # type: ignore[arg-type]
        if spec.node == node
        else spec
        for spec in plan.processes
    )
    return msgspec.structs.replace(plan, processes=processes)


class Watched:
    """worker-1 of a crew, whose slot says what the test wants."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        self.crew = Crew(timed(plan_with(PIPELINE), timeout_s=timeout_s))
        self.member = self.crew.members["worker-1"]
        self.member.step, self.member.pid = Step.WORKING, 7
        self.goes_on = False
        self.busy_s, self.busy_share = 0.0, 1.0
        self.hanging = Hanging(self.crew, lambda _: self.goes_on)

    def see(self, at_s: float, state: State = State.RUNNING, received: int = 0) -> bool:
        """Whether it is killed on account of what its slot says at that time."""
        self.busy_s += (at_s - self.crew.now_s) * self.busy_share
        self.crew.now_s = at_s
        ports = {"tasks": Count(received=received), "results": Count(sent=received)}
        self.member.reading = Reading(state=state, ports=ports, busy_s=self.busy_s)
        self.hanging.look()
        return Signal("worker-1", "SIGKILL") in self.crew.take_commands()

    def seconds(self, first: int, last: int, state: State = State.RUNNING, received: int = 0) -> list[int]:
        return [second for second in range(first, last) if self.see(second, state, received)]


def test_one_item_for_longer_than_its_time():
    one = Watched()
    assert one.seconds(0, 100, received=4) == [10]
    assert one.member.hung == "hung at item 5 of port 'tasks' for 10.0 s (task_timeout: 10s), and was killed"
    assert one.member.doomed


@pytest.mark.parametrize("state", [s for s in State if s is not State.RUNNING])
def test_who_waits_sleeps_or_has_finished_does_not_hang(state):
    assert Watched().seconds(0, 1000, state) == []


def test_who_counts_does_not_hang_and_each_item_has_all_of_the_time():
    one = Watched()
    for item in range(50):
        assert one.seconds(item * 10, item * 10 + 10, received=item) == []
    assert one.seconds(500, 600, received=49) == [500]


def test_a_wait_begins_the_time_anew():
    one = Watched()
    assert one.seconds(0, 9) == []
    assert not one.see(9, State.RECEIVING)
    assert one.seconds(10, 30) == [20]


def test_waits_between_two_looks_do_not_count():
    """Each look happens to find it busy, and it is for a quarter of its time."""
    one = Watched()
    one.busy_share = 0.25
    assert one.seconds(0, 100) == [40]


def test_where_nobody_has_looked_nothing_is_counted():
    """The coordinator stood still, and perhaps all the others with it."""
    one = Watched()
    one.see(0)
    assert not one.see(1)
    one.busy_s += 499
    one.crew.come_to(500)
    assert not one.see(500)
    assert one.seconds(501, 600) == [500 + 10 - 1]


def test_who_is_stopped_hangs_though_its_slot_says_that_it_waits():
    one = Watched()
    one.member.stopped, one.busy_share = True, 0.0
    assert one.seconds(0, 100, State.RECEIVING) == [10]
    assert "hung at item 1 of port 'tasks', stopped by a signal, for" in one.member.hung


def test_a_pause_that_ends_is_no_hanging_and_one_that_never_does_is():
    one = Watched()
    one.member.paused, one.goes_on, one.busy_share = True, True, 0.0
    assert one.seconds(0, 100) == []
    one.goes_on = False
    assert one.seconds(100, 200) == [110]


@pytest.mark.parametrize("how", ["doomed", "awaited_back"])
def test_who_is_on_its_way_out_is_left_to_others(how):
    one = Watched()
    setattr(one.member, how, True)
    assert one.seconds(0, 100) == []


def member(*ports: PortSpec) -> Member:
    spec = plan_with(PIPELINE).processes[0]
    return Member(msgspec.structs.replace(spec, ports=ports))


@pytest.mark.parametrize(
    ("ports", "counts", "text"),
    [
        ([("tasks", "PUSH")], {"tasks": Count(sent=6)}, "item 7 for port 'tasks'"),
        ([("clients", "REP")], {"clients": Count(received=1999, sent=1999)}, "item 2,000 of port 'clients'"),
        (
            [("left", "PULL"), ("right", "PULL"), ("out", "PUSH")],
            {"left": Count(received=3), "right": Count(received=8)},
            "item 4 of port 'left' or item 9 of port 'right'",
        ),
        ([], {}, "its work"),
    ],
)
def test_the_item_is_told_by_its_number_at_its_port(ports, counts, text):
    one = member(*(PortSpec(name=name, kind=kind) for name, kind in ports))
    one.reading = Reading(state=State.RUNNING, ports=counts)
    assert at_hand(one) == text


def test_items_of_earlier_incarnations_count():
    one = member(PortSpec(name="tasks", kind="PULL"))
    one.past = {"tasks": Count(received=100)}
    one.reading = Reading(state=State.RUNNING, ports={"tasks": Count(received=3)})
    assert at_hand(one) == "item 104 of port 'tasks'"


def hang_once(drive: Drive) -> None:
    """worker-2 hangs as soon as it has an item in hand."""

    hung = []

    def hang(drive: Drive) -> None:
        if not hung and drive.world.hang("worker-2"):
            hung.append(drive.now_s)

    drive.at_step |= dict.fromkeys(range(40 + drive.seed, 1000), hang)


@EACH_SEED
def test_a_hung_worker_is_ended_and_another_takes_its_place(seed):
    plan = timed(plan_with(PIPELINE, expects={"tasks.lost": ">= 0"}), policy="on-failure", backoff_s=0.05)
    drive = Drive(plan, seed, messages_each=40)
    hang_once(drive)
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    (hung,) = drive.published(events.ProcessHung)
    assert (hung.process, hung.incarnation) == ("worker-2", 0)
    notes = [note for note in problems(drive, expected=True) if "hung" in note]
    assert notes == [f"worker-2 {hung.text}: started again after 0.05 s (1 of 5)"], f"seed {seed}"
    books_are_right(drive)
    # Fenced: it has ended before the next one is launched.
    told = [
        (type(event).__name__, event.incarnation)
        for event in drive.world.published
        if isinstance(event, events.ProcessHung | events.ProcessEnded | events.ProcessLaunched)
        and event.process == "worker-2"
    ]
    assert told == [
        ("ProcessLaunched", 0),
        ("ProcessHung", 0),
        ("ProcessEnded", 0),
        ("ProcessLaunched", 1),
        ("ProcessEnded", 1),
    ]


@EACH_SEED
def test_a_hung_worker_fails_the_run_where_it_is_not_to_be_restarted(seed):
    drive = Drive(timed(plan_with(PIPELINE)), seed, messages_each=40)
    hang_once(drive)
    ended = drive.run()
    assert (ended.verdict, ended.exit_code) == ("failed", 1), f"seed {seed}"
    (first, *_) = [event for event in drive.published(events.ProblemFound) if not event.expected]
    assert (first.kind, first.process) == ("hung", "worker-2")
    assert first.text.startswith("worker-2 hung at item ")
    books_are_right(drive)


@EACH_SEED
def test_one_that_hangs_while_there_is_no_coordinator_is_found_by_the_next(seed):
    plan = timed(plan_with(PIPELINE, expects={"tasks.lost": ">= 0"}), policy="on-failure", backoff_s=0.05)
    drive = Drive(plan, seed, messages_each=40, serves=True)

    def lose(drive: Drive) -> None:
        drive.lose_coordinator(steps=5)

    hang_once(drive)
    drive.at_step |= dict.fromkeys(range(100 + seed, 400, 50), lose)
    drive.at_step[2000] = lambda drive: drive.feed(events.Interrupted(at_s=drive.now_s, signal="SIGTERM"))
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    hung = drive.published(events.ProcessHung)
    assert {(one.process, one.incarnation) for one in hung} == {("worker-2", 0)}, f"seed {seed}"
    notes = [note for note in problems(drive, expected=True) if "worker-2 hung at" in note]
    assert len(notes) == 1, f"seed {seed}: {notes}"
    books_are_right(drive)


@EACH_SEED
def test_a_pause_by_the_file_is_not_taken_for_hanging(seed):
    """Paused for longer than the time limit of an item."""
    pause = fault("pause", "worker-2", when={"worker-2.received": 2}, for_s=3 * TIMEOUT_S)
    drive = Drive(timed(plan_with(PIPELINE, pause)), seed, messages_each=40)
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    assert drive.published(events.ProcessHung) == []
    assert drive.published(events.ProcessStopped) == []


def stop(drive: Drive) -> None:
    drive.world.stop("worker-2")


@EACH_SEED
def test_a_stopped_worker_stalls_the_run_and_is_named(seed):
    drive = Drive(plan_with(PIPELINE), seed, messages_each=40, at_step={60 + seed: stop})
    ended = drive.run()
    assert ended.verdict == "failed", f"seed {seed}"
    told = [(event.process, event.pid) for event in drive.published(events.ProcessStopped)]
    assert told == [("worker-2", 1)]
    stalled = [text for text in problems(drive) if "worker-2" in text and "stalled" in text]
    assert stalled == ["stalled: worker-2 is stopped (SIGCONT would resume it: kill -CONT 1)"], f"seed {seed}"


@EACH_SEED
def test_a_stopped_worker_that_goes_on_in_time_is_told_and_fails_nothing(seed):
    drive = Drive(plan_with(PIPELINE), seed, messages_each=40)
    drive.at_step = {60 + seed: stop, 120 + seed: lambda drive: drive.world.stop("worker-2", stopped=False)}
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    books_are_right(drive)
    times = len(drive.published(events.ProcessStopped))
    assert times == len(drive.published(events.ProcessContinued)) <= 1


@EACH_SEED
def test_a_stopped_worker_is_replaced_where_an_item_has_its_time(seed):
    plan = timed(plan_with(PIPELINE, expects={"tasks.lost": ">= 0"}), policy="on-failure", backoff_s=0.05)
    drive = Drive(plan, seed, messages_each=40, at_step={60 + seed: stop})
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    (hung,) = drive.published(events.ProcessHung)
    assert "stopped by a signal" in hung.text
    books_are_right(drive)


@EACH_SEED
def test_a_stopped_worker_that_is_killed_stops_nobody(seed):
    drive = Drive(plan_with(PIPELINE, expects=DEATH), seed, messages_each=40, at_step={60 + seed: stop})

    def kill(drive: Drive) -> None:
        drive.feed(*drive.world.kill("worker-2", drive.now_s))

    drive.at_step[160 + seed] = kill
    ended = drive.run()
    assert ended.verdict == "passed", f"seed {seed}: {problems(drive)}"
    books_are_right(drive)


@EACH_SEED
def test_who_is_stopped_before_it_is_ready_is_named(seed):
    """It is stopped as soon as it has been launched."""
    drive = Drive(plan_with(PIPELINE), seed, messages_each=40)

    def stop_early(drive: Drive) -> None:
        if drive.world.processes["worker-2"].step == "greeted":
            drive.world.stop("worker-2")

    drive.at_step = dict.fromkeys(range(200), stop_early)
    ended = drive.run()
    (first, *_) = problems(drive)
    assert ended.verdict == "failed"
    assert first.endswith("worker-2 is stopped (SIGCONT would resume it: kill -CONT 1)"), f"seed {seed}"
