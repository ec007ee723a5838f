import io
import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from fake_run import FakeRun, silent

from orchestrator.run.requests import Answer, Look, ProcessState
from orchestrator.terminal import Terminal
from orchestrator.verbs import looking
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.finding import Wanted
from orchestrator.verbs.looking import ps

TABLE = """\
PROCESS   STATE    PID   UP    RESTARTS  RECEIVED  SENT  RATE/s
worker-1  running  4711  2.5s  0         15        15    10
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(looking, "LOOK_WITHIN_S", 20.0)
    monkeypatch.setattr(looking, "_RATES_OVER_S", 0.01)
    (tmp_path / "topology.yaml").write_text("")
    return tmp_path


@pytest.fixture
def impatient(monkeypatch):
    """Who does not answer is not waited for, for long."""
    monkeypatch.setattr(looking, "LOOK_WITHIN_S", 2.0)


@pytest.fixture
def start(folder):
    with ExitStack() as stack:

        def started(script, pattern="p", **more):
            run = FakeRun(
                folder / "topology.yaml", folder / ".runs" / pattern, script, pattern=pattern, **more
            )
            return stack.enter_context(run)

        yield started


class Looks:
    """A run whose worker takes five messages between two looks, half a second apart; after `most` it is silent."""

    def __init__(self, *, phase="working", most=2):
        self.phase = phase
        self.most = most
        self.number = 0

    def __call__(self, request):
        assert isinstance(request, Look)
        self.number += 1
        if self.number > self.most:
            return None
        done = 5 + 5 * self.number
        worker = ProcessState(
            name="worker-1", node="worker", role="worker", state="running", pid=4711, since_s=1.5 + 0.5 * self.number,
            received=done, sent=done,
        )  # fmt: skip
        return Answer(ticket="", done=True, at_s=0.5 * self.number, phase=self.phase, processes=(worker,))


def looked(*, json=False, file="topology.yaml", **more):
    out, err = io.StringIO(), io.StringIO()
    code = ps(Wanted(file=file, **more), json=json, terminal=Terminal(out=out, err=err))
    return code, out.getvalue(), err.getvalue()


def test_one_run_is_a_table(start):
    start(Looks())
    assert looked() == (0, TABLE, "")


def test_several_runs_have_a_line_each(start):
    start(Looks(), "a")
    start(Looks(), "b", service=True)
    code, out, err = looked()
    assert (code, err) == (0, "")
    assert out == f"a: run, local, working\n{TABLE}\nb: service, supervisor, working\n{TABLE}"


def test_a_run_that_is_not_at_its_work_says_so(start):
    start(Looks(phase="draining"))
    assert looked() == (0, f"p: run, local, draining\n{TABLE}", "")


def test_for_machines(start, folder):
    run = start(Looks())
    code, out, err = looked(json=True)
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "version": 1,
        "problems": [],
        "runs": [
            {
                "run_id": run.live.run_id,
                "file": str(folder / "topology.yaml"),
                "pattern": "p",
                "engine": "local",
                "service": False,
                "phase": "working",
                "at_s": 1.0,
                "run_dir": str(folder / ".runs" / "p"),
                "processes": [
                    {
                        "name": "worker-1", "node": "worker", "role": "worker", "state": "running", "pid": 4711,
                        "since_s": 2.5, "incarnation": 0, "restarts": 0, "received": 15, "sent": 15,
                        "rate_per_s": 10.0,
                    }
                ],
            }
        ],
    }  # fmt: skip


def test_one_that_does_not_answer_keeps_no_other_from_it(impatient, start, monkeypatch):
    def deaf(_):
        monkeypatch.setattr(looking, "LOOK_WITHIN_S", 20.0)  # for the other

    start(deaf, "a", service=True)
    start(Looks(), "b")
    code, out, err = looked()
    assert (code, out) == (1, f"b: run, local, working\n{TABLE}")
    assert err == (
        "topology.yaml: error: cannot look at a: no answer within 2 s "
        "(its coordinator may be on its way back; try again) [no-answer]\n"
    )


def test_machines_hear_of_one_that_does_not_answer(impatient, start):
    start(silent)
    code, out, err = looked(json=True)
    document = json.loads(out)
    assert (code, document["runs"], document["problems"][0]["code"]) == (1, [], "no-answer")
    assert "(try again) [no-answer]" in err


def test_one_that_ends_between_two_looks_is_told_as_it_was(start, monkeypatch):
    looks = Looks(most=1)

    def once(request):
        monkeypatch.setattr(looking, "LOOK_WITHIN_S", 2.0)  # for the second look, which has no answer
        return looks(request)

    start(once)
    code, out, err = looked()
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "worker-1  running  4711  2.0s  0         10        10    –"


def test_nothing_runs():
    with pytest.raises(CommandError, match="nothing of it is running") as error:
        looked()
    assert error.value.exit_code == 1


def test_machines_have_a_document_whatever_the_exit():
    out = io.StringIO()
    with pytest.raises(CommandError):
        ps(Wanted(file="topology.yaml"), json=True, terminal=Terminal(out=out, err=io.StringIO()))
    document = json.loads(out.getvalue())
    assert (document["runs"], document["problems"][0]["code"]) == ([], "not-running")


def test_ctrl_c_says_no_more_than_that(start, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    start(Looks())
    monkeypatch.setattr("orchestrator.verbs.looking.time.sleep", interrupt)
    with pytest.raises(CommandError) as error:
        looked()
    assert (error.value.exit_code, error.value.text) == (130, "interrupted")


def test_a_directory_names_the_run(start):
    run = start(Looks())
    assert looked(file="nothing.yaml", run_dir=Path(run.live.run_dir)) == (0, TABLE, "")
