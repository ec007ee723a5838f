import pytest

from orchestrator.cells import ansi
from orchestrator.run.live import Live
from orchestrator.run.requests import Answer, ProcessState
from orchestrator.verbs.statetable import heading, rates, state_lines

SERVER = ProcessState(
    name="server-1", node="server", role="server", state="running", pid=4711, since_s=7380.0, restarts=1,
    received=81204, sent=81204,
)  # fmt: skip
LIVE = Live(
    run_id="1",
    file="/t.yaml",
    pattern="p",
    engine="supervisor",
    pid=1,
    sockets="/s",
    run_dir="/r",
    service=True,
)


def process(name, state="running", **more):
    fields = {"pid": 7, "since_s": 4.25, "received": 10, "sent": 10} if state == "running" else {}
    return ProcessState(name=name, node=name.rpartition("-")[0], role="worker", state=state, **fields | more)


def answer(at_s, *processes):
    return Answer(ticket="t", done=True, at_s=at_s, processes=processes)


def test_a_service_as_it_is():
    assert state_lines([SERVER], {"server-1": 12.4}) == [
        "PROCESS   STATE    PID   UP     RESTARTS  RECEIVED  SENT    RATE/s",
        "server-1  running  4711  2h03m  1         81,204    81,204  12",
    ]


def test_who_comes_later_stands_with_its_node_and_who_has_left_last():
    states = [
        process("sink-1", sent=None),
        process("worker-1"),
        process("worker-2", "gone", received=3, sent=3),
    ]
    states += [
        process("ventilator-1", "finished", received=None, sent=20),
        process("worker-4", "called off"),
        process("worker-3", "setting up", pid=8),
    ]
    told = {"sink-1": 2.25, "worker-1": 0.0, "ventilator-1": None}
    assert state_lines(states, told) == [
        "PROCESS       STATE       PID  UP    RESTARTS  RECEIVED  SENT  RATE/s",
        "sink-1        running     7    4.2s  0         10        –     2.2",
        "worker-1      running     7    4.2s  0         10        10    0",
        "worker-3      setting up  8    –     0         –         –     –",
        "ventilator-1  finished    –    –     0         –         20    –",
        "worker-2      gone        –    –     0         3         3     –",
        "worker-4      called off  –    –     0         –         –     –",
    ]


@pytest.mark.parametrize(
    ("state", "code"), [("running", "32"), ("killed", "31"), ("paused", "33"), ("gone", "2")]
)
def test_states_are_coloured(state, code):
    assert f"\x1b[{code}m{state}\x1b[0m" in state_lines([process("a-1", state)], {}, style=ansi)[1]


def test_who_has_left_is_dim_from_end_to_end():
    line = state_lines([process("a-1", "gone", received=3)], {}, style=ansi)[1]
    assert line.count("\x1b[2m") == 8
    assert "\x1b[1m" not in line


def test_the_heading_says_which_run_it_is():
    assert heading(LIVE, "draining") == "p: service, supervisor, draining"
    assert heading(LIVE, "working", style=ansi) == "\x1b[1mp\x1b[0m: service, supervisor, working"


def test_rates_are_of_what_is_received_or_of_what_is_sent_where_nothing_is():
    before = answer(10.0, process("a-1", received=100, sent=7), process("b-1", received=None, sent=50))
    now = answer(10.5, process("a-1", received=110, sent=90), process("b-1", received=None, sent=51))
    assert rates(before, now) == {"a-1": 20.0, "b-1": 2.0}


def test_where_there_is_nothing_to_tell_there_is_no_rate():
    before = answer(10.0, process("out-1", "gone", received=3), process("idle-1"), process("dying-1"))
    now = answer(
        11.0,
        process("out-1", "gone", received=3),
        process("idle-1"),
        process("dying-1", "gone", received=12),
        process("new-1"),
        process("other-1", received=None, sent=None),
    )
    assert rates(before, now) == {
        "out-1": None, "idle-1": 0.0, "dying-1": 2.0, "new-1": None, "other-1": None,
    }  # fmt: skip


def test_one_look_makes_no_rate_and_a_count_never_goes_back():
    one = answer(10.0, process("a-1"))
    assert rates(one, one) == {"a-1": None}
    assert rates(one, answer(11.0, process("a-1", received=9))) == {"a-1": 0.0}
