import io
import threading
from pathlib import Path

import pytest
from fake_run import FakeRun, silent
from harness import wait_until

from orchestrator.run.live import withdraw
from orchestrator.run.plan import Plan
from orchestrator.run.planfile import keep_plan
from orchestrator.terminal import Terminal
from orchestrator.verbs import following
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.finding import Wanted
from orchestrator.verbs.following import logs
from roles.kit.spec import ProcessSpec


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text("")
    return tmp_path


def process(name):
    return ProcessSpec(name=name, node=name.rpartition("-")[0], replica=int(name.rpartition("-")[2]), slot=0)


def record(
    place, *, pattern="p", topology="topology.yaml", processes=("sink-1", "worker-1", "worker-2"), **texts
):
    """A run's directory: its plan, and a log for each process that has printed something."""
    place = Path(place)
    (place / "logs").mkdir(parents=True, exist_ok=True)
    keep_plan(place, Plan(topology=topology, pattern=pattern, processes=tuple(map(process, processes))))
    for name, text in texts.items():
        (place / "logs" / f"{name.replace('_', '-')}.log").write_text(text)
    return place


def write(place, name, text):
    with (Path(place) / "logs" / f"{name}.log").open("a") as file:
        file.write(text)


def read(*names, lines=20, file="topology.yaml", **more):
    out, err = io.StringIO(), io.StringIO()
    code = logs(
        Wanted(file=file, **more), names=names, follow=False, lines=lines, terminal=Terminal(out=out, err=err)
    )
    return code, out.getvalue(), err.getvalue()


def live(folder, place, **more):
    return FakeRun(folder / "topology.yaml", folder / place, silent, **more)


def latest(name="1"):
    Path(".runs/latest").symlink_to(name)


def test_the_last_lines_of_each_in_launch_order(folder):
    record("out", worker_2="a\nb\nc\n", worker_1="d\n", sink_1="one\ntwo, no end")
    with live(folder, "out"):
        assert read(lines=2) == (
            0, "sink-1   | one\nsink-1   | two, no end\nworker-1 | d\nworker-2 | b\nworker-2 | c\n", "",
        )  # fmt: skip
        assert read(lines=1)[1] == "sink-1   | two, no end\nworker-1 | d\nworker-2 | c\n"
        assert read(lines=0) == (0, "", "")


def test_the_order_is_that_of_the_plan_and_who_came_later_comes_later(folder):
    texts = {"a_1": "1\n", "z_1": "2\n", "b_10": "3\n", "b_9": "4\n"}
    record("out", processes=("z-1", "a-1"), **texts)
    with live(folder, "out"):
        assert read()[1] == "z-1  | 2\na-1  | 1\nb-9  | 4\nb-10 | 3\n"


def test_nodes_and_processes_are_named(folder):
    record("out", worker_1="d\n", worker_2="c\n", worker_10="j\n", sink_1="one\n", worker_two_1="x\n")
    with live(folder, "out"):
        assert read("worker")[1] == "worker-1  | d\nworker-2  | c\nworker-10 | j\n"
        assert read("worker-2", "sink")[1] == "sink-1   | one\nworker-2 | c\n"


def test_a_process_that_has_printed_nothing_is_known(folder):
    record("out", sink_1="one\n")
    with live(folder, "out"):
        assert read("worker-2") == read("worker") == (0, "", "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("wroker", "did you mean 'worker'?"),
        ("wroker-2", "did you mean 'worker-2'?"),
        ("x", "nodes: sink, worker"),
        ("run-cordinator", "did you mean 'run-coordinator'?"),
    ],
)
def test_an_unknown_name_is_told(folder, name, hint):
    record("out", run_coordinator="mine\n")
    with live(folder, "out"), pytest.raises(CommandError) as error:
        read("sink", name)
    assert error.value.exit_code == 2
    assert error.value.text == (
        f"topology.yaml: error: cannot show the log of '{name}': there is no such node or process "
        f"({hint}) [unknown-process]"
    )


def test_the_coordinators_own_log_is_shown_where_it_is_named(folder):
    record("out", sink_1="one\n", run_coordinator="mine\n")
    with live(folder, "out"):
        assert read()[1] == "sink-1 | one\n"
        assert read("run-coordinator")[1] == "run-coordinator | mine\n"


def test_what_would_steer_a_terminal_is_escaped(folder):
    record("out", sink_1="\x1b[2J\n")
    with live(folder, "out"):
        assert read()[1] == "sink-1 | \\x1b[2J\n"


def test_of_a_run_that_is_over_the_last_one_is_read_and_told(folder):
    record(".runs/1", sink_1="one\n")
    latest()
    assert read("sink") == (
        0, "sink-1 | one\n", "nothing of topology.yaml is running; these are the logs of .runs/latest\n",
    )  # fmt: skip


@pytest.mark.parametrize("asked", [{"pattern": "q"}, {"file": "other.yaml"}])
def test_a_last_run_of_something_else_is_not_meant(folder, asked):
    (folder / "other.yaml").write_text("")
    record(".runs/1", sink_1="one\n")
    latest()
    with pytest.raises(CommandError, match="is running") as error:
        read(**asked)
    assert error.value.exit_code == 1


def test_without_any_run_that_is_told():
    with pytest.raises(CommandError, match="nothing of it is running") as error:
        read()
    assert error.value.exit_code == 1


def test_a_directory_names_a_run_that_is_over():
    record("out", sink_1="one\n", topology="other.yaml")
    assert read(run_dir=Path("out")) == (
        0, "sink-1 | one\n", "nothing of out is running; these are the logs of out\n",
    )  # fmt: skip


def test_a_directory_of_several_runs_needs_a_pattern():
    record("out/a", pattern="a", sink_1="one\n")
    record("out/b", pattern="b", sink_1="two\n")
    assert read(run_dir=Path("out"), pattern="b")[1] == "sink-1 | two\n"
    with pytest.raises(CommandError, match=r"it holds several \(say which with --pattern: a, b\)") as error:
        read(run_dir=Path("out"))
    assert error.value.exit_code == 2


def test_of_several_that_run_one_must_be_named(folder):
    record("a", pattern="a", sink_1="one\n")
    record("b", pattern="b", sink_1="two\n")
    with live(folder, "a", pattern="a"), live(folder, "b", pattern="b"):
        assert read(pattern="b")[1] == "sink-1 | two\n"
        with pytest.raises(CommandError, match="say which with --pattern: a, b"):
            read()


def test_a_log_that_cannot_be_read_is_told(folder):
    (record("out") / "logs" / "sink-1.log").mkdir()
    with (
        live(folder, "out"),
        pytest.raises(CommandError, match="cannot read the logs: Is a directory") as error,
    ):
        read()
    assert error.value.exit_code == 3


class Following:
    """`logs -f` in a thread of its own."""

    def __init__(self, *names, lines=20, out=None, file="topology.yaml"):
        self.out = out or io.StringIO()
        self.codes = []
        terminal = Terminal(out=self.out, err=io.StringIO())

        def follow():
            self.codes.append(
                logs(Wanted(file=file), names=names, follow=True, lines=lines, terminal=terminal)
            )

        self.thread = threading.Thread(target=follow)
        self.thread.start()

    def wait_for(self, text):
        wait_until(lambda: self.out.getvalue() == text, f"{text!r} in the output", 20)

    def ended(self):
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.codes


def test_what_follows_is_shown_until_the_run_is_over(folder):
    record("out", worker_1="a\nb\n", sink_1="no ")
    with live(folder, "out") as run:
        shown = Following("worker", "sink", lines=1)
        text = "worker-1 | b\n"
        shown.wait_for(text)
        write("out", "sink-1", "end\n")
        text += "sink-1   | no end\n"
        shown.wait_for(text)
        write("out", "worker-3", "joined\n")
        write("out", "run-coordinator", "not asked for\n")
        text += "worker-3 | joined\n"
        shown.wait_for(text)
        write("out", "worker-1", "its last word")
        withdraw(run.live)
        assert shown.ended() == [0]
    assert shown.out.getvalue() == f"{text}worker-1 | its last word\n"


def test_a_log_that_is_put_away_is_followed_into_the_next(folder):
    place = record("out", sink_1="1\n")
    with live(folder, "out") as run:
        shown = Following()
        shown.wait_for("sink-1 | 1\n")
        log = place / "logs" / "sink-1.log"
        write("out", "sink-1", "2\n")
        log.rename(place / "logs" / "sink-1.log.1")
        write("out", "sink-1", "3\n")
        shown.wait_for("sink-1 | 1\nsink-1 | 2\nsink-1 | 3\n")
        withdraw(run.live)
        assert shown.ended() == [0]


def test_a_run_that_is_killed_is_followed_no_longer(folder, monkeypatch):
    monkeypatch.setattr(following, "_ALIVE_EVERY_S", 0.05)
    record("out", sink_1="1\n")
    with live(folder, "out") as run:
        shown = Following()
        shown.wait_for("sink-1 | 1\n")
        run.leave()
        assert shown.ended() == [0]


class Closed(io.StringIO):
    """A pipe whose reader leaves after the first line."""

    def __init__(self, device):
        super().__init__()
        self.device = device

    def write(self, text):
        if self.getvalue():
            raise BrokenPipeError
        return super().write(text)

    def fileno(self):
        return self.device


def test_nobody_writes_for_a_reader_who_has_gone(folder):
    record("out", sink_1="1\n")
    with (folder / "pipe").open("w") as pipe, live(folder, "out"):
        shown = Following(out=Closed(pipe.fileno()))
        shown.wait_for("sink-1 | 1\n")
        write("out", "sink-1", "2\n")
        assert shown.ended() == [0]


def test_ctrl_c_is_the_way_to_leave(folder, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    record("out", sink_1="1\n")
    monkeypatch.setattr(following.time, "sleep", interrupt)
    out = io.StringIO()
    with live(folder, "out"):
        terminal = Terminal(out=out, err=io.StringIO())
        assert logs(Wanted(file="topology.yaml"), names=(), follow=True, lines=1, terminal=terminal) == 0
    assert out.getvalue() == "sink-1 | 1\n"


def test_of_a_run_that_is_over_nothing_follows():
    record("out", sink_1="1\n")
    terminal = Terminal(out=io.StringIO(), err=io.StringIO())
    wanted = Wanted(file="topology.yaml", run_dir=Path("out"))
    assert logs(wanted, names=(), follow=True, lines=1, terminal=terminal) == 0
    assert terminal.out.getvalue() == "sink-1 | 1\n"
