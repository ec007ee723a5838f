"""Many processes: a thousand clients of one server, the machine's limits, an end in the middle of their launch."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Outcome, Project, Run, wait_until

from orchestrator.run.launcher import AT_A_TIME

EXAMPLE = Path(__file__).parents[2] / "examples" / "thousand_clients.yaml"
FEW_FILES = 256


def start(project: Project, clients: int) -> Run:
    return project.start(str(EXAMPLE), environment={"CLIENTS": str(clients)})


@pytest.mark.slow
def test_a_thousand_clients(project: Project) -> None:
    """Each of them is answered ten times; seconds, of which most go into the launch."""
    outcome = start(project, 1000).outcome(150).balanced()
    print(f"{outcome.summary['elapsed_s']:.1f} s, ready after {outcome.summary['ready_s']:.1f} s")  # noqa: T201
    assert len(outcome.of_node("client")) == 1000
    assert all(process["exit_code"] == 0 for process in outcome.summary["processes"])
    assert all(process["ports"]["server"]["received"] == 10 for process in outcome.of_node("client"))
    link = outcome.links["hello"]
    assert (link["sent"], link["received"]) == (10_000, 10_000)
    assert link["replies"] == {"sent": 10_000, "received": 10_000, "lost": 0}


def limited(project: Project, clients: int, *, soft: int, hard: int) -> Outcome:
    """Run with these limits of open files."""
    run_dir = project.folder / f"limited-{soft}"
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "run",
        str(EXAMPLE),
        "--run-dir",
        str(run_dir),
        "--json",
        "-",
    ]
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=os.environ | {"CLIENTS": str(clients)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    return Outcome(done.returncode, done.stdout, done.stderr, run_dir)


def test_too_few_files(project: Project) -> None:
    """Told beforehand, with what to do; nothing is started."""
    outcome = limited(project, 1000, soft=FEW_FILES, hard=FEW_FILES)
    assert outcome.exit_code == 3, outcome.stderr
    assert outcome.document["runs"] == []
    (problem,) = outcome.document["problems"]
    assert "cannot start 1001 processes: they need " in problem["text"]
    assert f"the limit is {FEW_FILES} (raise it: ulimit -n " in problem["text"]
    assert problem["text"] in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list((outcome.run_dir / "logs").glob("*"))


def test_what_is_asked_for_is_enough(project: Project) -> None:
    """A run with exactly as many files as the message asks for."""
    text = limited(project, 100, soft=FEW_FILES, hard=FEW_FILES).document["problems"][0]["text"]
    need = int(text.rpartition("ulimit -n ")[2].rstrip(")"))
    assert limited(project, 100, soft=need, hard=need).balanced().links["hello"]["sent"] == 1000


def test_a_low_soft_limit_is_raised(project: Project) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    outcome = limited(project, 100, soft=FEW_FILES, hard=hard)
    assert outcome.balanced().links["hello"]["sent"] == 1000


def test_an_interrupt_while_launching(project: Project) -> None:
    """It need not wait for the rest to be launched."""
    run = start(project, 1000)
    run.wait_for("ProcessLaunched", process="client-20")
    run.signal(signal.SIGINT)
    outcome = run.outcome()
    assert (outcome.exit_code, outcome.summary["verdict"]) == (130, "interrupted"), outcome.stderr
    outcomes = {process["outcome"] for process in outcome.summary["processes"]}
    assert "not_started" in outcomes
    assert outcomes <= {"not_started", "stopped"}, outcomes


def test_a_death_while_launching(project: Project) -> None:
    """A run that cannot become anything any more ends at once."""
    run = start(project, 1000)
    run.wait_for("ProcessLaunched", process="client-20")
    os.kill(run.pid("client-3"), signal.SIGKILL)
    outcome = run.outcome()
    assert outcome.exit_code == 1
    events = run.events()
    (died,) = run.events("ProcessEnded", process="client-3")
    launched_later = [event for event in events[events.index(died) :] if event["event"] == "ProcessLaunched"]
    assert len(launched_later) <= AT_A_TIME
    assert [problem["process"] for problem in outcome.problems] == ["client-3"], outcome.stderr
    assert outcome.processes["client-1000"]["outcome"] == "not_started"


def test_the_fork_server_dies_while_launching(project: Project) -> None:
    """Whoever kills it takes the processes along; the run says so and nobody is left."""
    run = start(project, 1000)
    run.wait_for("ProcessLaunched", process="client-20")
    parent = int(Path(f"/proc/{run.pid('server-1')}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    outcome = run.outcome()
    assert outcome.exit_code in (1, 3), outcome.stderr
    assert "Traceback" not in outcome.stderr
    wait_until(lambda: not run.living(), "everybody gone", 5)
