import msgspec
from scenes import always, expecting, failing, line, not_ready, passing, request_reply, retrying, scaled

from orchestrator.cells import ansi
from orchestrator.outcome.remarks import SHOWN_EXPECTATIONS, SHOWN_PROBLEMS
from orchestrator.outcome.summary import summarise
from orchestrator.outcome.tables import MANY
from orchestrator.outcome.text import report_text
from orchestrator.run.events import (
    BookClosed,
    FaultFired,
    ProblemFound,
    ProcessEnded,
    ProcessFailed,
    RunEnded,
    RunStarted,
)
from roles.kit.slot import Count

PASSED = """\
PROCESS       OUTCOME   EXIT  RECEIVED  SENT  RATE  SHARE  BUSY   CPU    MEMORY
sink-1        finished  0     100       –     58/s  –      0.0 s  0.0 s  21 MB
worker-1      finished  0     34        34    20/s  34 %   1.7 s  0.0 s  21 MB
worker-2      finished  0     33        33    19/s  33 %   1.6 s  0.0 s  21 MB
worker-3      finished  0     33        33    19/s  33 %   1.7 s  0.0 s  21 MB
ventilator-1  finished  0     –         100   58/s  –      0.0 s  0.0 s  21 MB

LINK     SENT  RECEIVED  LOST
tasks    100   100       0
results  100   100       0

sink-1  elapsed_s: 1.78, tasks: 100
PASSED in 1.9 s: 5.0 s of work in 1.8 s, speed-up 2.8
Next: set worker replicas to 8 in topology.yaml. Report: .runs/latest
"""

FAILED = """\
PROCESS       OUTCOME   EXIT     RECEIVED  SENT  RATE  SHARE  BUSY   CPU    MEMORY
sink-1        finished  0        88        –     51/s  –      0.0 s  0.0 s  21 MB
worker-1      finished  0        50        50    29/s  57 %   1.7 s  0.0 s  21 MB
worker-2      killed    SIGKILL  20        20    28/s  23 %   0.7 s  0.0 s  21 MB
worker-3      failed    1        18        18    10/s  20 %   0.3 s  0.0 s  21 MB
ventilator-1  stopped   0        –         100   58/s  –      0.0 s  0.0 s  21 MB

LINK     SENT  RECEIVED  LOST
tasks    100   88        12
results  88    88        0

✗ worker-3 failed: ValueError: no number               topology.yaml:31
✗ worker-2 killed by SIGKILL at 0.84 s (restart: no)   topology.yaml:31
✗ tasks lost 12 of 100: worker-2 held 1 unfinished, 11 were on their way to it
  worker-2, last lines of its log:
    taking 7
    \\x1b[31mred\\x1b[0m
  worker-3 was handling 'x'
  worker-3 raised:
    Traceback (most recent call last):
      File "work.py", line 3, in work
    ValueError: no number
FAILED, exit 1. Log: .runs/latest/logs/worker-3.log
"""


def text_of(events, **more):
    return report_text(summarise(events), **{"logs": {}, "place": ".runs/latest"} | more)


def last_lines(events, **more):
    return text_of(events, **more).splitlines()[-2:]


def test_a_run_that_passed():
    assert text_of(passing()) == PASSED


def test_a_run_that_failed():
    logs = {
        "worker-2": ["taking 7", "\x1b[31mred\x1b[0m"],
        "worker-3": ["Traceback (most recent call last):", "ValueError: no number"],
        "sink-1": ["is of no interest: it did not fail"],
    }
    assert text_of(failing(), logs=logs) == FAILED


def test_a_log_that_says_more_than_the_traceback_is_shown_beside_it():
    assert "  worker-3, last lines of its log:\n    taking x\n" in text_of(
        failing(), logs={"worker-3": ["taking x"]}
    )


def test_a_log_that_says_no_more_than_the_problem_is_left_out():
    def without_traceback(event):
        return msgspec.structs.replace(event, traceback="") if isinstance(event, ProcessFailed) else event

    text = text_of(map(without_traceback, failing()), logs={"worker-3": ["ValueError: no number"]})
    assert "last lines of its log" not in text


def test_a_start_that_did_not_come_about():
    lines = text_of(not_ready()).splitlines()
    assert lines[-3].startswith(
        "✗ not ready after 10 s: worker-3 has not finished its handshake with results   topology"
    )
    assert lines[-2:] == ["  nothing was sent.", "FAILED, exit 1. Report: .runs/latest"]


def test_of_very_many_problems_the_first_are_told():
    found = next(event for event in failing() if isinstance(event, ProblemFound))
    text = text_of([*failing()[:-1], *[found] * 100, failing()[-1]])
    assert text.count("✗") == SHOWN_PROBLEMS
    assert "… and 73 more problems in summary.json" in text


def test_requests_and_replies_have_a_row_each():
    lines = text_of(request_reply()).splitlines()
    assert "hello            30    30        0" in lines
    assert "hello (replies)  30    30        0" in lines
    assert "PASSED in 0.6 s: 60 messages received in 0.4 s" in lines


def test_a_node_of_many_processes_is_one_row_of_sums():
    lines = text_of(request_reply(MANY + 1)).splitlines()
    rows = [line for line in lines if line.startswith("client")]
    assert len(rows) == 1
    assert rows[0].split()[:6] == ["client", "×41", "finished", "0", "410", "410"]


def test_forty_processes_are_still_told_one_by_one():
    assert text_of(request_reply(MANY)).count("\nclient-") == MANY


def test_failed_ones_among_many_are_listed():
    events = [
        msgspec.structs.replace(event, outcome="killed", exit_code=None, signal="SIGKILL")
        if isinstance(event, ProcessEnded) and event.process == "client-17"
        else event
        for event in request_reply(MANY + 1)
    ]
    text = text_of(events)
    assert "40 finished, 1 killed" in text
    assert text.count("\nclient-") == 1
    assert "\nclient-17  " in text


def test_unread_is_a_column_only_where_there_is_any():
    def unread(event):
        return (
            msgspec.structs.replace(event, unread=3, received=97) if isinstance(event, BookClosed) else event
        )

    assert "UNREAD" not in text_of(passing())
    assert "tasks    100   97        0     3" in text_of(map(unread, passing())).splitlines()


def test_an_interrupted_run_names_the_signal():
    def ended(verdict, code):
        return [*passing()[:-1], RunEnded(at_s=1.9, verdict=verdict, exit_code=code, work_s=None)]

    assert (
        last_lines(ended("interrupted", 130))[1]
        == "INTERRUPTED by SIGINT after 1.9 s, exit 130. Report: .runs/latest"
    )
    assert last_lines(ended("interrupted", 143))[1].startswith(
        "INTERRUPTED by SIGTERM after 1.9 s, exit 143."
    )


def test_one_of_several_patterns_is_named_by_its_verdict():
    assert last_lines(passing(), several=True) == [
        "pipeline: PASSED in 1.9 s: 5.0 s of work in 1.8 s, speed-up 2.8",
        "Report: .runs/latest",
    ]


def test_colours_change_nothing_else():
    coloured = text_of(failing(), style=ansi)
    assert "\x1b[31mFAILED, exit 1.\x1b[0m" in coloured
    plain = coloured
    for code in ("32", "31", "33", "2", "1", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == text_of(failing())


RETRIED = """\
PROCESS   OUTCOME   EXIT  RECEIVED  SENT  RETRIED  RESTARTS  RATE  SHARE  BUSY   CPU    MEMORY
server-1  stopped   0     11        10    –        1         14/s  –      0.2 s  0.0 s  21 MB
client-1  finished  0     10        11    1        0         12/s  –      0.1 s  0.0 s  20 MB

LINK             SENT  RECEIVED  LOST
hello            11    11        0
hello (replies)  10    10        0

client  10 round trips: p50 0.06 ms, p99 16.64 ms
✓ client.received == 10
✓ client.p99_ms <= 50, was 16.64
fault: restart server-1 at 200 ms: fired at 0.30 s, server-1
fault: kill client-1 once server-1.received is 1000: never fired
· server-1 killed by SIGKILL at 0.31 s   topology.yaml:9
✗ server.received == 10, was 11                                 topology.yaml:41
✗ hello.sent <= client.received, was 11 (client.received: 10)   topology.yaml:42
FAILED, exit 1. Report: .runs/latest
"""


def test_expectations_faults_and_notes_are_told_before_what_went_wrong():
    lines = (
        line("client.received", "== 10"),
        line("client.p99_ms", "<= 50"),
        line("server.received", "== 10", 41),
        line("hello.sent", "<= client.received", 42),
        always("server.exit_code"),
    )
    logs = {"server-1": ["of no interest: its death was expected"]}
    assert text_of(expecting(retrying(), *lines), logs=logs) == RETRIED


def test_the_log_of_a_process_whose_death_was_expected_is_not_shown():
    def excused(event):
        told = isinstance(event, ProblemFound) and event.process == "worker-2"
        return msgspec.structs.replace(event, expected=True) if told else event

    text = text_of(map(excused, failing()), logs={"worker-2": ["a word"], "worker-3": ["another"]})
    assert "· worker-2 killed by SIGKILL at 0.84 s" in text
    assert "a word" not in text
    assert "another" in text


def test_what_must_always_hold_is_not_praised():
    assert "✓" not in text_of(expecting(passing(), always("tasks.lost")))


def test_of_very_many_expectations_the_first_are_told():
    text = text_of(expecting(passing(), *[line("sink.received", "== 100")] * (SHOWN_EXPECTATIONS + 2)))
    assert text.count("✓") == SHOWN_EXPECTATIONS
    assert "… and 2 more expectations in summary.json" in text


def test_a_fault_that_hits_many_names_the_first_and_the_last():
    hit = tuple(f"worker-{n}" for n in range(4, 12))

    def widened(event):
        return msgspec.structs.replace(event, processes=hit) if isinstance(event, FaultFired) else event

    text = text_of(map(widened, scaled()))
    assert "fault: scale worker to 4 at 880 ms: fired at 1.00 s, worker-4 … worker-11 (8)\n" in text


def test_missed_updates_have_a_column_where_they_are_counted():
    def numbered(event):
        if isinstance(event, RunStarted):
            first = msgspec.structs.replace(
                event.processes[0], sequenced=("updates",), ports={"updates": "SUB"}
            )
            return msgspec.structs.replace(event, processes=(first, *event.processes[1:]))
        if isinstance(event, ProcessEnded) and event.process == "ventilator-1":
            return msgspec.structs.replace(event, ports={"updates": Count(received=90, missed=10)})
        return event

    assert "MISSED" not in text_of(passing())
    rows = [row.split() for row in text_of(map(numbered, passing())).splitlines()[:6]]
    assert rows[0][3:6] == ["RECEIVED", "SENT", "MISSED"]
    assert [row[3:6] for row in rows if row[0] in ("sink-1", "ventilator-1")] == [
        ["100", "–", "–"],
        ["90", "–", "10"],
    ]


def test_what_came_twice_has_a_column_where_anything_did():
    def twice(event):
        return msgspec.structs.replace(event, duplicates=4) if isinstance(event, BookClosed) else event

    assert "DUPLICATES" not in text_of(passing())
    lines = text_of(map(twice, passing())).splitlines()
    assert "LINK     SENT  RECEIVED  LOST  DUPLICATES" in lines
    assert "tasks    100   100       0     4" in lines
