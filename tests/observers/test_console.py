import io

from scenes import PIPELINE, failing, launch, passing, retrying, scaled

from orchestrator.cells import ansi
from orchestrator.observers.console import Console
from orchestrator.observers.tail import LogTail
from orchestrator.run.events import (
    FaultFired,
    ProblemFound,
    ProcessContinued,
    ProcessEnded,
    ProcessStopped,
    Progress,
    RunEnded,
)
from roles.kit.slot import Count, Reading

HEAD = """\
pipeline: a batch of tasks, worked in parallel
  1 sink        binds results
  2 worker ×3   connects tasks, results
  3 ventilator  binds tasks; who receives came first
ready in 0.12 s: 6 connections in place
"""


class Sheet:
    """A canvas that keeps what is drawn and written."""

    def __init__(self):
        self.drawn = []
        self.written = []
        self.closed = False

    def draw(self, rows):
        self.drawn.append(rows)

    def write(self, line):
        self.written.append(line)

    def close(self):
        self.closed = True


def progress(at_s, handled):
    task, result = Count(received=handled), Count(sent=handled)
    return Progress(
        at_s=at_s,
        readings={
            "sink-1": Reading(ports={"results": Count(received=3 * handled)}),
            **{f"worker-{n}": Reading(ports={"tasks": task, "results": result}) for n in (1, 2, 3)},
            "ventilator-1": Reading(ports={"tasks": Count(sent=100)}),
        },
    )


def shown(events, folder, **more):
    stream = io.StringIO()
    console = Console(stream, tail=LogTail(folder), **more)
    for event in events:
        console(event)
    return stream.getvalue()


def test_stages_and_readiness_are_told(tmp_path):
    assert shown(passing(), tmp_path) == HEAD


def test_without_a_terminal_progress_is_a_line_now_and_then(tmp_path):
    looks = [progress(at_s, int(at_s)) for at_s in (1.0, 2.0, 5.2, 6.0, 10.0, 10.4, 11.0)]
    assert shown([*launch(), *looks], tmp_path).removeprefix(HEAD).splitlines() == [
        "  5.2 s: sink 15 received (2.8/s); worker 15 received, 15 sent (2.8/s); ventilator 100 sent",
        "  10.4 s: sink 30 received (2.7/s); worker 30 received, 30 sent (2.7/s); ventilator 100 sent",
    ]


def test_what_roles_print_bears_their_names(tmp_path):
    (tmp_path / "worker-1.log").write_text("taking 7\n")
    (tmp_path / "ventilator-1.log").write_text("no end")
    text = shown([*launch(), progress(1.0, 1), passing()[-2], passing()[-1]], tmp_path)
    assert text.removeprefix(HEAD) == "worker-1     | taking 7\nventilator-1 | no end\n"


def test_prefixes_are_coloured_by_node(tmp_path):
    (tmp_path / "worker-1.log").write_text("one\n")
    (tmp_path / "worker-2.log").write_text("two\n")
    (tmp_path / "sink-1.log").write_text("three\n")
    lines = shown([*launch(), progress(1.0, 1)], tmp_path, style=ansi).splitlines()[-3:]
    colours = {line.split("m")[1].split()[0]: line.split("m")[0] for line in lines}
    assert colours["worker-1"] == colours["worker-2"] != colours["sink-1"]


def test_all_is_flushed_when_a_run_ends_without_its_processes(tmp_path):
    (tmp_path / "worker-1.log").write_text("last word")
    end = RunEnded(at_s=1.0, verdict="failed", exit_code=1, work_s=None)
    assert "worker-1     | last word\n" in shown([*launch(), end], tmp_path)


def test_a_problem_is_told_at_once_only_where_the_run_goes_on(tmp_path):
    problem = ProblemFound(at_s=1.0, kind="killed", process="worker-2", text="worker-2 killed by SIGKILL")
    assert "killed" not in shown([*launch(), problem, progress(1.5, 1)], tmp_path)
    assert "killed" not in shown(failing(), tmp_path)
    assert "✗ worker-2 killed by SIGKILL\n" in shown([*launch(), problem, progress(2.1, 1)], tmp_path)


def test_a_death_is_told_before_the_fault_that_comes_after_it(tmp_path):
    death = ProblemFound(at_s=1.0, kind="killed", text="worker-2 killed by SIGKILL", expected=True)
    fault = FaultFired(at_s=1.3, fault=1, text="kill sink", processes=("sink-1",))
    lines = shown([*launch(), death, fault], tmp_path).splitlines()
    assert lines[-2:] == ["· worker-2 killed by SIGKILL", "fault: kill sink: sink-1"]


def test_on_a_terminal_progress_is_drawn_and_taken_away(tmp_path):
    sheet, stream = Sheet(), io.StringIO()
    console = Console(stream, tail=LogTail(tmp_path), canvas=lambda: sheet, totals={"sink-1": 60})
    for event in [*launch(), progress(1.0, 1)]:
        console(event)
    (tmp_path / "worker-1.log").write_text("a word\nanother")
    for event in [progress(1.05, 2), progress(2.0, 10), passing()[-1]]:
        console(event)
    assert len(sheet.drawn) == 2
    sink, worker = sheet.drawn[-1][0], sheet.drawn[-1][1]
    assert (sink.name, sink.done, sink.total, sink.rate_per_s) == ("sink-1", 30, 60, 27.0)
    assert (worker.name, worker.received, worker.sent, round(worker.share, 2)) == ("worker-1", 10, 10, 0.33)
    assert sheet.written == ["worker-1     | a word"]
    assert sheet.closed
    assert stream.getvalue() == HEAD + "worker-1     | another\n"


def test_many_processes_share_a_row_a_node(tmp_path):
    sheet = Sheet()
    outlines = tuple(
        type(PIPELINE.processes[1])(name=f"worker-{n}", node="worker", role="worker", receives=True)
        for n in range(1, 31)
    )
    start = type(PIPELINE)(
        **{name: getattr(PIPELINE, name) for name in type(PIPELINE).__struct_fields__}
        | {"processes": outlines}
    )
    readings = {outline.name: Reading(ports={"tasks": Count(received=2)}) for outline in outlines}
    shown([start, Progress(at_s=1.0, readings=readings)], tmp_path, canvas=lambda: sheet)
    assert [(row.name, row.replicas, row.received) for row in sheet.drawn[0]] == [("worker", 30, 60)]


class Broken(io.StringIO):
    def write(self, _):
        raise BrokenPipeError


def test_a_broken_stream_does_not_reach_the_run(tmp_path):
    console = Console(Broken(), tail=LogTail(tmp_path))
    for event in passing():
        console(event)


def test_a_log_that_cannot_be_read_does_not_reach_the_run(tmp_path):
    (tmp_path / "worker-1.log").mkdir()
    (tmp_path / "worker-1.log" / "x").write_text("")
    assert shown([*launch(), progress(1.0, 1), *passing()[-6:]], tmp_path).startswith(HEAD)


def test_the_drawing_is_closed_when_the_run_breaks_off(tmp_path):
    sheet = Sheet()
    console = Console(io.StringIO(), tail=LogTail(tmp_path), canvas=lambda: sheet)
    for event in [*launch(), progress(1.0, 1)]:
        console(event)
    console.close()
    assert sheet.closed


def test_events_of_processes_unknown_to_the_console_are_borne(tmp_path):
    stray = next(event for event in passing() if isinstance(event, ProcessEnded))
    (tmp_path / "sink-1.log").write_text("word\n")
    assert shown([stray], tmp_path) == "sink-1 | word\n"


def test_a_fault_is_told_as_it_fires_with_whom_it_hits_where_its_words_do_not_say(tmp_path):
    kill = FaultFired(at_s=0.5, fault=0, text="kill worker-2 at 380 ms", processes=("worker-2",))
    pause = FaultFired(at_s=0.6, fault=1, text="pause any worker at 480 ms", processes=("worker-3",))
    assert shown([*launch(), kill, pause], tmp_path).removeprefix(HEAD).splitlines() == [
        "fault: kill worker-2 at 380 ms",
        "fault: pause any worker at 480 ms: worker-3",
    ]


def test_who_is_stopped_is_told_with_what_lets_it_go_on(tmp_path):
    stopped = ProcessStopped(at_s=0.5, process="worker-2", pid=4712)
    continued = ProcessContinued(at_s=0.6, process="worker-2", pid=4712)
    assert shown([*launch(), stopped, continued], tmp_path).removeprefix(HEAD).splitlines() == [
        "worker-2 is stopped by a signal (kill -CONT 4712 lets it go on)",
        "worker-2 goes on",
    ]


def test_who_joins_is_told_and_takes_part_in_what_is_shown(tmp_path):
    (tmp_path / "worker-4.log").write_text("here\n")
    joined = {"worker-4": Reading(ports={"tasks": Count(received=7), "results": Count(sent=7)})}
    events = [*scaled()[:18], progress(5.2, 10), Progress(at_s=10.4, readings=joined)]
    assert shown(events, tmp_path).removeprefix(HEAD).splitlines() == [
        "fault: scale worker to 4 at 880 ms: worker-4",
        "worker-4     | here",
        "  5.2 s: sink 30 received; worker 30 received, 30 sent; ventilator 100 sent",
        "  10.4 s: sink 30 received; worker 37 received, 37 sent (1.3/s); ventilator 100 sent",
    ]


def test_who_is_started_again_is_told(tmp_path):
    assert "server-1 is started again\n" in shown(retrying(), tmp_path)


def test_an_expected_death_is_no_failure(tmp_path):
    later = Progress(at_s=2.0, readings={})
    text = shown([*retrying()[:10], later], tmp_path)
    assert "· server-1 killed by SIGKILL at 0.31 s\n" in text
    assert "✗" not in text
