import io
import itertools
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from fake_run import FakeRun, silent
from scenes import failing, passing

from orchestrator.observers.journal import Journal
from orchestrator.run.live import LIVE, withdraw
from orchestrator.run.requests import Answer, Down
from orchestrator.terminal import Terminal
from orchestrator.verbs import downing
from orchestrator.verbs.downing import down
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.finding import Wanted, find

LEAVES = "import time; print(flush=True); time.sleep(600)"
STAYS = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LEAVES}"
FORCED = "supervisord is told to end it"
GOING = Answer(ticket="", done=True, text="going down")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downing, "ANSWER_WITHIN_S", 20.0)
    for name in ("HURRIES_WITHIN_S", "TERM_WITHIN_S", "KILL_WITHIN_S"):
        monkeypatch.setattr(downing, name, 60.0)
    (tmp_path / "topology.yaml").write_text("")
    return tmp_path


@pytest.fixture
def impatient(monkeypatch):
    """Who does not answer is not waited for, for long."""
    monkeypatch.setattr(downing, "ANSWER_WITHIN_S", 0.5)


@pytest.fixture
def daemon():
    """Starts what stands in for supervisord."""
    with ExitStack() as stack:

        def started(code=LEAVES):
            process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            process.stdout.readline()
            return process

        yield started


@pytest.fixture
def start(folder):
    with ExitStack() as stack:

        def started(script, pattern="p", *, events=None, **more):
            run_dir = folder / ".runs" / pattern
            run = FakeRun(folder / "topology.yaml", run_dir, script, pattern=pattern, **more)
            with Journal(run_dir / "events.jsonl") as journal:
                for event in events or passing():
                    journal(event)
            return stack.enter_context(run)

        yield started


def ending(process):
    """A service that comes to its end as it is asked to."""

    def script(request):
        assert isinstance(request, Down)
        process.terminate()
        return GOING

    return script


def went(*, timeout_s=30.0, file="topology.yaml", **more):
    out, err = io.StringIO(), io.StringIO()
    code = down(Wanted(file=file, **more), timeout_s=timeout_s, terminal=Terminal(out=out, err=err))
    return code, out.getvalue(), err.getvalue()


def of_pattern(events, pattern):
    return [msgspec.structs.replace(events[0], pattern=pattern), *events[1:]]


def test_a_service_is_gone_and_reported_on(start, daemon):
    process = daemon()
    run = start(ending(process), service=True, pid=process.pid)
    code, out, err = went()
    assert (code, err) == (0, "p: going down\n")
    assert out.startswith("PROCESS")
    assert out.endswith("Report: .runs/p\n")
    assert process.wait(10) == -signal.SIGTERM
    assert not run.sockets.exists()
    assert not Path(run.live.run_dir, LIVE).exists()


def test_a_time_in_which_it_stood_still_itself_does_not_count(start, daemon, monkeypatch):
    """A laptop that sleeps, Ctrl-Z: the run has had no more of that time."""
    process, clock, looks = daemon(), itertools.count(step=100.0), itertools.count(1)

    def sleep(_):
        if next(looks) == 3:
            process.terminate()
            process.wait()

    start(lambda _: GOING, service=True, pid=process.pid)
    monkeypatch.setattr(downing, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=sleep))
    code, _, err = went(timeout_s=10.0)
    assert (code, err) == (0, "p: going down\n")


def test_the_exit_code_is_the_runs_own(start, daemon):
    process = daemon()
    start(ending(process), service=True, pid=process.pid, events=failing())
    code, out, _ = went()
    assert (code, "FAILED, exit 1. Log: .runs/p/logs/worker-3.log" in out) == (1, True)


def test_all_services_of_a_file_go_and_the_worst_exit_code_counts(start, daemon):
    for pattern, events in (("a", failing()), ("b", passing())):
        process = daemon()
        start(
            ending(process),
            pattern,
            service=True,
            pid=process.pid,
            events=of_pattern(events, pattern),
        )
    code, out, err = went()
    assert (code, err) == (1, "a: going down\nb: going down\n")
    assert "\na: FAILED, exit 1" in out
    assert "\nb: PASSED in 1.9 s" in out


def test_one_pattern_of_several_goes(start, daemon):
    stays = start(silent, "a", service=True, pid=daemon().pid)
    process = daemon()
    start(ending(process), "b", service=True, pid=process.pid)
    assert went(pattern="b")[0] == 0
    assert (stays.asked, stays.sockets.exists()) == ([], True)


def over(run):
    """Ends a run in the foreground as its own terminal does: the record goes, then the summary comes."""

    def script(request):
        withdraw(run[0].live)
        Path(run[0].live.run_dir, "summary.json").write_text("{}")
        return GOING

    return script


def test_a_run_in_the_foreground_goes_too(start):
    run = []
    run.append(start(over(run), events=failing()))
    code, out, err = went()
    assert (code, err) == (1, "p: going down\n")
    assert "FAILED, exit 1" in out
    assert run[0].sockets.exists(), "its own orchestrator removes it"


def test_a_run_is_not_over_as_long_as_its_record_is_there(start):
    run, timers = [], []

    def script(request):
        Path(run[0].live.run_dir, "summary.json").write_text("{}")
        timers.append(threading.Timer(0.2, withdraw, [run[0].live]))
        timers[0].start()
        return GOING

    run.append(start(script))
    assert went()[0] == 0
    assert not Path(run[0].live.run_dir, LIVE).exists()
    timers[0].join()


def test_a_run_in_the_foreground_that_is_cut_short_is_over_with_its_orchestrator(start, daemon):
    process = daemon()
    start(ending(process), pid=process.pid, events=passing()[:-4])
    code, out, _ = went()
    assert (code, "✗ the record ends early" in out) == (1, True)


def test_where_there_is_a_service_the_foreground_is_left_alone(start, daemon):
    mine = start(silent, "a")
    process = daemon()
    start(ending(process), "b", service=True, pid=process.pid)
    code, _, err = went()
    assert (code, mine.asked) == (0, [])
    assert err.startswith("a runs in the foreground, too, and goes on (--run-dir .runs/a brings it down)\n")


def test_nothing_to_bring_down_is_no_failure():
    assert went() == (0, "", "nothing of topology.yaml is running\n")


def test_how_the_last_run_of_the_file_ended_is_told(start):
    def left(topology):
        Path(".runs/latest/summary.json").write_bytes(
            msgspec.json.encode({"topology": topology, "pattern": "p", "verdict": "failed"})
        )

    Path(".runs/latest").mkdir(parents=True)
    left("./topology.yaml")
    how = "orchestrator report .runs/latest tells how p failed"
    assert went() == (0, "", f"nothing of topology.yaml is running ({how})\n")
    with pytest.raises(CommandError) as error:
        find(Wanted(file="topology.yaml"))
    assert f"({how}; orchestrator up topology.yaml brings it up)" in error.value.text
    left("other.yaml")
    assert went() == (0, "", "nothing of topology.yaml is running\n")


def test_a_pattern_that_does_not_run_is_told_with_those_that_do(start):
    assert went(pattern="a") == (0, "", "nothing of pattern 'a' of topology.yaml is running\n")
    run = start(silent, "pipeline")
    told = "nothing of pattern 'pipelin' of topology.yaml is running (did you mean 'pipeline'?)\n"
    assert went(pattern="pipelin") == (0, "", told)
    assert run.asked == []


def test_a_file_that_is_not_there_is_a_mistake():
    with pytest.raises(CommandError) as error:
        went(file="nothing.yaml")
    assert error.value.exit_code == 2


def test_a_service_that_does_not_answer_is_made_to_end(impatient, start, daemon):
    process = daemon()
    run = start(silent, service=True, pid=process.pid)
    code, out, err = went()
    assert (code, out.endswith("Report: .runs/p\n")) == (1, True)
    assert err == (
        f"topology.yaml: error: cannot bring p down: no answer within 0.5 s ({FORCED}) [not-down]\n"
    )
    assert process.wait(10) == -signal.SIGTERM
    assert not run.sockets.exists()


AT_ONCE = "cannot bring p down: it has not drained after 100ms (it ends at once) [not-down]"


def test_a_service_that_does_not_drain_is_asked_to_end_at_once(start, daemon):
    process = daemon()

    def script(request):
        if request.at_once:
            process.terminate()
        return GOING

    run = start(script, service=True, pid=process.pid)
    code, out, err = went(timeout_s=0.1)
    assert [request.at_once for request in run.asked] == [False, True]
    assert (code, out.endswith("Report: .runs/p\n")) == (1, True)
    assert err == f"p: going down\ntopology.yaml: error: {AT_ONCE}\n"


def test_a_service_that_does_not_even_end_at_once_is_made_to(start, daemon, monkeypatch):
    monkeypatch.setattr(downing, "HURRIES_WITHIN_S", 0.1)
    process = daemon()
    start(lambda _: GOING, service=True, pid=process.pid)
    code, _, err = went(timeout_s=0.1)
    assert code == 1
    assert err == (
        f"p: going down\ntopology.yaml: error: {AT_ONCE}\n"
        f"topology.yaml: error: cannot bring p down: it is not over after 0.1 s more ({FORCED}) [not-down]\n"
    )


def test_a_supervisord_that_does_not_leave_is_killed(impatient, start, daemon, monkeypatch):
    monkeypatch.setattr(downing, "TERM_WITHIN_S", 0.1)
    process = daemon(STAYS)
    run = start(silent, service=True, pid=process.pid, events=passing()[:-4])
    code, out, err = went()
    assert (code, "✗ the record ends early" in out) == (1, True)
    assert err.endswith(
        "cannot bring p down: supervisord is there 0.1 s after SIGTERM (it is killed, and all below it) [not-down]\n"
    )
    assert process.wait(10) == -signal.SIGKILL
    assert not run.sockets.exists()


def test_what_cannot_be_ended_is_left_and_told(impatient, start, daemon, monkeypatch):
    """A process that hangs in the kernel does not even heed SIGKILL."""
    monkeypatch.setattr(downing, "TERM_WITHIN_S", 0.1)
    monkeypatch.setattr(downing, "KILL_WITHIN_S", 0.1)
    monkeypatch.setattr(downing.Handle, "signal", lambda *_: None)
    process = daemon()
    run = start(silent, service=True, pid=process.pid)
    code, out, err = went()
    assert (code, out) == (1, "")
    assert err.endswith(
        f"supervisord is there 0.1 s after SIGKILL (process {process.pid} is left) [not-down]\n"
    )
    assert run.sockets.exists()


def test_a_run_in_the_foreground_is_never_forced(start, monkeypatch):
    monkeypatch.setattr(downing, "HURRIES_WITHIN_S", 0.1)
    start(lambda _: GOING, pid=os.getpid())
    code, out, err = went(timeout_s=0.1)
    assert (code, out) == (1, "")
    assert err == (
        f"p: going down\ntopology.yaml: error: {AT_ONCE}\n"
        "topology.yaml: error: cannot bring p down: it is not over after 0.1 s more "
        "(it goes on; Ctrl-C at its own terminal ends it, a second one at once) [not-down]\n"
    )


def test_a_record_that_cannot_be_read_is_told(start, daemon):
    process = daemon()
    run = start(ending(process), service=True, pid=process.pid)
    Path(run.live.run_dir, "events.jsonl").unlink()
    code, out, err = went()
    assert (code, out) == (2, "")
    assert "cannot read" in err


def test_ctrl_c_says_that_it_comes_to_its_end_all_the_same(start, daemon, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    start(lambda _: GOING, service=True, pid=daemon().pid)
    monkeypatch.setattr(downing.time, "sleep", interrupt)
    with pytest.raises(
        CommandError, match="interrupted; what was asked to come to its end still does"
    ) as error:
        went()
    assert error.value.exit_code == 130
