import io
import time

import pytest
from fake_run import FakeRun

from orchestrator.run.reception import Asker
from orchestrator.run.requests import Answer, Restart, Scale
from orchestrator.terminal import Terminal
from orchestrator.verbs import asking
from orchestrator.verbs.asking import restart, scale
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.finding import Wanted


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text("")
    return tmp_path


@pytest.fixture
def run(folder):
    """A run that can do anything to workers, and nothing to anybody else, and is silent to the sleeper."""
    with FakeRun(folder / "topology.yaml", folder / "out", answered) as made:
        yield made


def answered(request):
    name = request.node if isinstance(request, Scale) else request.target
    if name == "sleeper":
        return None
    done = name.startswith("worker")
    return Answer(
        ticket="", done=done, text=f"{name} is done" if done else f"cannot change '{name}': it will not"
    )


def asked(verb, what, *, timeout_s=10.0, **more):
    out, err = io.StringIO(), io.StringIO()
    wanted = Wanted(file="topology.yaml", **more)
    code = verb(wanted, what, timeout_s=timeout_s, terminal=Terminal(out=out, err=err))
    return code, out.getvalue(), err.getvalue()


def test_each_is_asked_for_in_turn(run):
    assert asked(scale, [("worker", 4), ("worker_two", 2)]) == (0, "worker is done\nworker_two is done\n", "")
    assert [(request.node, request.replicas) for request in run.asked] == [("worker", 4), ("worker_two", 2)]
    assert len({request.ticket for request in run.asked}) == 2


def test_nodes_and_processes_are_started_again(run):
    assert asked(restart, ["worker-2", "worker"]) == (0, "worker-2 is done\nworker is done\n", "")
    assert [type(request) for request in run.asked] == [Restart, Restart]
    assert [request.target for request in run.asked] == ["worker-2", "worker"]


@pytest.mark.parametrize(
    ("verb", "what"), [(scale, [("sink", 2), ("worker", 1)]), (restart, ["sink", "worker"])]
)
def test_a_refusal_is_told_and_the_next_one_is_asked_for(run, verb, what):
    assert asked(verb, what) == (
        1, "worker is done\n", "topology.yaml: error: cannot change 'sink': it will not [refused]\n",
    )  # fmt: skip


def test_an_answer_that_does_not_come_in_time(run):
    with pytest.raises(CommandError) as error:
        asked(scale, [("sleeper", 2), ("worker", 1)], timeout_s=0.25)
    assert error.value.exit_code == 1
    assert error.value.text == (
        "topology.yaml: error: cannot change p: no answer within 250ms "
        "(the change may still go on; orchestrator ps shows how it is, --timeout waits longer) [no-answer]"
    )
    assert {request.node for request in run.asked} <= {"sleeper"}


def test_an_answer_that_takes_long_is_waited_for(folder, monkeypatch):
    monkeypatch.setattr(asking, "_LOOK_EVERY_S", 0.05)
    began_s = time.monotonic()

    def slow(request):
        over = time.monotonic() - began_s > 0.3
        return Answer(ticket="", done=True, text="at last") if over else None

    with FakeRun(folder / "topology.yaml", folder / "slow", slow) as run:
        assert asked(restart, ["worker"], timeout_s=60.0) == (0, "at last\n", "")
        assert len({request.ticket for request in run.asked}) == 1


def test_nobody_waits_for_a_run_that_is_over(run, monkeypatch):
    monkeypatch.setattr(asking, "_LOOK_EVERY_S", 0.05)

    def ask(self, request, *, within_s):
        run.leave()
        return Asker.ask(self, request, within_s=within_s)

    monkeypatch.setattr(asking, "Asker", type("Leaving", (Asker,), {"ask": ask}))
    began_s = time.monotonic()
    with pytest.raises(CommandError, match="cannot change p: the run has come to its end") as error:
        asked(restart, ["sleeper"], timeout_s=60.0)
    assert error.value.exit_code == 1
    assert time.monotonic() - began_s < 30


def test_ctrl_c_says_that_it_goes_on(run, monkeypatch):
    def ask(self, request, *, within_s):
        raise KeyboardInterrupt

    monkeypatch.setattr(asking, "Asker", type("Interrupted", (Asker,), {"ask": ask}))
    with pytest.raises(CommandError, match="interrupted; what was asked for goes on") as error:
        asked(restart, ["worker"])
    assert error.value.exit_code == 130


def test_where_nothing_runs_nobody_is_asked():
    with pytest.raises(CommandError, match="nothing of it is running") as error:
        asked(scale, [("worker", 2)])
    assert error.value.exit_code == 1


def test_a_node_has_one_number(run):
    with pytest.raises(CommandError, match="cannot scale 'worker' to several numbers at once") as error:
        asked(scale, [("worker", 3), ("sink", 1), ("worker", 4)])
    assert (error.value.exit_code, run.asked) == (2, [])
