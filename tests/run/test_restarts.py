"""Restart policies, with values, and in the scripted world."""

import msgspec
import pytest
from run.test_faults import PIPELINE, books_are_right, plan_with, problems
from run.world import Drive

from orchestrator.run import events
from orchestrator.run.member import Member
from orchestrator.run.restarts import STABLE_TIMES, Again, Restarts
from roles.kit.spec import LONGEST_BACKOFF_S, ProcessSpec, Restart


def member(**policy):
    spec = ProcessSpec(name="worker-1", node="worker", role="worker", restart=Restart(**policy))
    return Member(spec)


@pytest.mark.parametrize(
    ("policy", "exit_code", "signal", "wanted"),
    [
        ("no", 1, None, False),
        ("no", None, "SIGKILL", False),
        ("on-failure", 1, None, True),
        ("on-failure", None, "SIGKILL", True),
        ("on-failure", 0, None, False),
        ("always", 0, None, True),
        ("always", 3, None, True),
        ("always", None, "SIGTERM", True),
    ],
)
def test_the_policy_says_which_ends_it_speaks_of(policy, exit_code, signal, wanted):
    assert Restarts().wants(member(policy=policy), exit_code, signal) is wanted


def test_the_delay_doubles_up_to_a_limit():
    restarts, one = Restarts(), member(policy="always", most=100, backoff_s=1.0, within_s=1e6)
    delays = []
    for number in range(8):
        again = restarts.again(one, at_s=float(number))
        delays.append(again.delay_s)
    assert delays == [1, 2, 4, 8, 16, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S]


def test_the_delay_begins_anew_after_a_stable_time():
    restarts, one = Restarts(), member(policy="always", most=100, backoff_s=1.0)
    assert restarts.again(one, at_s=0.0) == Again(delay_s=1.0, number=1)
    one.in_place_s = 1.0
    assert restarts.again(one, at_s=1.0 + STABLE_TIMES - 0.1) == Again(delay_s=2.0, number=2)
    one.in_place_s = 20.0
    assert restarts.again(one, at_s=20.0 + 2 * STABLE_TIMES) == Again(delay_s=1.0, number=3)


def test_more_than_max_within_a_span_is_too_often():
    restarts, one = Restarts(), member(policy="always", most=2, within_s=10.0, backoff_s=0.0)
    assert restarts.again(one, at_s=0.0)
    assert restarts.again(one, at_s=1.0)
    assert restarts.again(one, at_s=9.9) is None
    assert restarts.again(one, at_s=10.0) == Again(delay_s=0.0, number=2)


def test_what_an_earlier_coordinator_has_done_counts():
    restarts, one = Restarts(), member(policy="always", most=2, within_s=10.0)
    restarts.recall("worker-1", 0.0, 0.5)
    restarts.recall("worker-1", 1.0, 1.0)
    assert restarts.again(one, at_s=2.0) is None


def with_policy(plan, node, **policy):
    processes = tuple(
        msgspec.structs.replace(spec, restart=Restart(**policy)) if spec.node == node else spec
        for spec in plan.processes
    )
    return msgspec.structs.replace(plan, processes=processes)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("victim", ["worker-2", "sink-1", "ventilator-1"])
def test_whoever_dies_at_any_moment_comes_back_and_the_run_ends(seed, victim):
    """Before Go, too: then all wait for it as they did before, and nothing is lost."""
    node = victim.rpartition("-")[0]
    plan = with_policy(
        plan_with(PIPELINE, expects={"tasks.lost": ">= 0", "results.lost": ">= 0"}),
        node,
        policy="on-failure",
        backoff_s=0.05,
    )
    drive = Drive(plan, seed, messages_each=20, kill=victim, kill_at=(seed * 7) % 160)
    ended = drive.run()
    assert problems(drive) == [], f"seed {seed}"
    assert ended.verdict == "passed", f"seed {seed}"
    books_are_right(drive)
    if drive.killed_s is None:
        return
    notes = problems(drive, expected=True)
    went_s = drive.published(events.RunReady)[0].at_s
    if drive.killed_s < went_s:
        assert not [closed for closed in drive.published(events.BookClosed) if closed.lost], f"seed {seed}"
    planned = drive.published(events.RestartPlanned)
    assert len(planned) == ("started again" in " ".join(notes)), f"seed {seed}: {notes}"
    launches = [launch for launch in drive.launches if launch.process == victim]
    assert len(launches) == 1 + len(planned), f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_too_many_deaths_end_the_run(seed):
    plan = with_policy(plan_with(PIPELINE), "worker", policy="always", most=2, within_s=1e6, backoff_s=0.0)
    drive = Drive(plan, seed, messages_each=200)

    def kill(drive):
        if drive.world.processes["worker-1"].step == "working":
            drive.feed(*drive.world.kill("worker-1", drive.now_s))

    drive.at_step = dict.fromkeys(range(100, 3000, 40), kill)
    ended = drive.run()
    assert ended.verdict == "failed", f"seed {seed}"
    assert problems(drive)[0] == (
        "worker-1 was started again 2 times within 1e+06 s, and is not any more (restart: max allows more)"
    )
    assert drive.launches_of("worker-1") == 3
