"""Services: brought up, looked at, changed, hurt and taken down."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import processes_with, wait_until

from orchestrator.run.live import PREFIX, base, live_runs

pytestmark = [pytest.mark.system, pytest.mark.slow]

STREAM = """
    p:
      settle: 3s  # a busy machine may take its time to find a receiver again
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 1000000000, rate: 20000}}
        worker:
          role: worker
          connect: [tasks, results]
          replicas: 3
          params: {call: "roles.functions:echo"}
          restart: {policy: on-failure, backoff: 50ms}
        sink: {role: sink, bind: results}
      expect: {tasks.lost: ">= 0", results.lost: ">= 0"}  # of a worker that is killed
"""


def test_a_service_is_brought_up_looked_at_changed_and_taken_down(project):
    project.topology(STREAM)
    service = project.up()
    assert "p is up: 5 processes. Record:" in service.said
    assert {process.state for process in service.states().values()} == {"running"}

    def shown() -> list[dict]:
        (run,) = json.loads(service.call("ps", "--json").stdout)["runs"]
        return run["processes"]

    assert [process["name"] for process in shown()] == [
        "sink-1", "worker-1", "worker-2", "worker-3", "ventilator-1",
    ]  # fmt: skip
    wait_until(lambda: all(process["rate_per_s"] > 0 for process in shown()), "all of them at work")

    scaled = service.call("scale", "worker=6")
    assert (scaled.returncode, scaled.stdout) == (
        0,
        "worker: 3 → 6 processes: worker-4, worker-5, worker-6 come\n",
    )

    os.kill(service.states()["worker-2"].pid, signal.SIGKILL)
    service.wait_for("ProcessLaunched", process="worker-2", incarnation=1)
    wait_until(lambda: service.states()["worker-2"].state == "running", "worker-2 to be back")

    restarted = service.call("restart", "sink")
    assert restarted.returncode == 0, restarted.stderr

    logs = service.call("logs", "-n", "5", "sink")
    assert logs.returncode == 0

    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.summary["verdict"] == "passed"
    links = outcome.links
    for link in links.values():
        assert link["sent"] - link["received"] == link["lost"]
    # The killed worker may have had some of both in its sockets, and nobody else has lost any. A task counts when the
    # next one is asked for.
    assert links["results"]["sent"] - links["tasks"]["received"] in (0, 1)
    lost = [note["text"] for note in outcome.summary["notes"] if " lost " in note["text"]]
    assert [text for text in lost if "worker-2" not in text] == []
    assert outcome.processes["worker-2"]["restarts"] == 1
    assert [life["signal"] for life in outcome.processes["worker-2"]["lives"]] == ["SIGKILL", None]
    assert {path.name for path in (service.run_dir / "logs").iterdir()} >= {"sink-1.log", "worker-6.log"}
    assert not (service.run_dir / "live.json").exists()


def test_its_coordinator_is_killed_20_times_and_nobody_notices(project):
    project.topology(
        STREAM.replace("restart: {policy: on-failure, backoff: 50ms}", "").replace('>= 0"', '== 0"')
    )
    service = project.up()
    pids = {name: process.pid for name, process in service.states().items()}

    def received() -> int:
        return service.states()["sink-1"].received

    before = 0
    for kill in range(20):
        pid = service.coordinator()
        wait_until(lambda before=before: received() > before, f"something more to arrive before kill {kill}")
        before = received()
        os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda times=kill + 1: len(service.events("RunResumed")) == times,
            f"another coordinator after kill {kill}",
        )
    states = service.states()
    assert {name: process.pid for name, process in states.items()} == pids
    assert {process.incarnation for process in states.values()} == {0}
    outcome = service.down().balanced()
    assert outcome.links["tasks"]["sent"] > before
    assert all(process["restarts"] == 0 for process in outcome.summary["processes"])
    assert project.call("report", str(service.run_dir)).returncode == 0


def test_a_coordinator_that_dies_while_workers_come_and_go(project):
    project.topology(STREAM)
    service = project.up()
    for replicas in (6, 2, 4):
        changes = len(service.events("RunChanged"))
        scaling = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "orchestrator",
                "scale",
                f"worker={replicas}",
                "--run-dir",
                str(service.run_dir),
            ],
            cwd=project.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda changes=changes: len(service.events("RunChanged")) > changes, "the change to begin")
        os.kill(service.coordinator(), signal.SIGKILL)
        scaling.communicate(timeout=60)
        wait_until(
            lambda replicas=replicas: (
                sum(
                    process.node == "worker" and process.state == "running"
                    for process in service.states().values()
                )
                == replicas
            ),
            f"{replicas} workers",
        )
    service.down().balanced()


def test_the_death_of_a_worker_is_seen_though_there_is_no_coordinator(project):
    project.topology(STREAM)
    service = project.up()
    coordinator, worker = service.coordinator(), service.states()["worker-1"].pid
    os.kill(coordinator, signal.SIGSTOP)  # or it would see it
    os.kill(worker, signal.SIGKILL)
    os.kill(coordinator, signal.SIGKILL)
    service.wait_for("ProcessEnded", process="worker-1", signal="SIGKILL")
    service.wait_for("ProcessLaunched", process="worker-1", incarnation=1)
    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr
    assert (
        outcome.links["tasks"]["sent"] - outcome.links["tasks"]["received"] == outcome.links["tasks"]["lost"]
    )


def test_nobody_outlives_supervisord_and_the_next_up_starts_clean(project):
    project.topology(STREAM)
    service = project.up()
    assert len(processes_with(service.marker)) >= 7
    os.kill(service.live.pid, signal.SIGKILL)
    wait_until(lambda: not processes_with(service.marker), "nobody left after supervisord's death")
    nothing = project.call("ps", environment=service.environment)
    assert nothing.returncode == 1
    assert "nothing of it is running" in nothing.stderr
    again = project.up()
    assert {process.state for process in again.states().values()} == {"running"}
    again.down().balanced()
    told = project.call("report", str(service.run_dir))
    assert "its orchestrator was ended" in told.stdout


HANGS = """
    p:
      endpoints: {tasks: ipc, results: ipc}
      nodes:
        ventilator: {role: ventilator, bind: tasks, params: {count: 1000, rate: 200}}
        worker: {role: worker, connect: [tasks, results], replicas: 2, params: {call: "work:work"}}
        sink: {role: sink, bind: results, params: {into: done.jsonl}}
"""


@pytest.mark.parametrize("how", ["down", "SIGTERM twice"])
def test_a_service_that_cannot_drain_ends_all_the_same_with_its_books(project, how):
    project.write(
        "work.py", "import time\n\ndef work(task):\n    time.sleep(1000 * (task == 21))\n    return task\n"
    )
    project.topology(HANGS)
    service = project.up()
    wait_until(lambda: service.states()["sink-1"].received >= 20, "somebody to hang at 21")
    if how == "down":
        called = service.call("down", "--timeout", "1s")
        assert called.returncode == 143, called.stderr
        assert "cannot bring p down: it has not drained after 1s (it ends at once)" in called.stderr
    else:
        pid = service.live.pid
        os.kill(service.coordinator(), signal.SIGTERM)
        service.wait_for("RunDraining")
        os.kill(service.coordinator(), signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "supervisord gone")
    wait_until(lambda: not processes_with(service.marker), "everybody gone", 5)
    summary = json.loads((service.run_dir / "summary.json").read_text())
    assert (summary["verdict"], summary["exit_code"]) == ("interrupted", 143)
    links = {link["endpoint"]: link for link in summary["links"]}
    assert links["tasks"]["sent"] - links["tasks"]["received"] == links["tasks"]["lost"]
    assert links["results"]["received"] >= 20


@pytest.mark.parametrize("how", ["supervisorctl shutdown", "SIGTERM"])
def test_supervisord_that_is_told_to_leave_lets_the_run_drain(project, how):
    project.topology(STREAM)
    service = project.up()
    pid, conf = service.live.pid, Path(service.live.sockets) / "supervisord.conf"
    if how == "SIGTERM":
        os.kill(pid, signal.SIGTERM)
    else:
        ctl = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(conf)]
        status = subprocess.run([*ctl, "status"], capture_output=True, text=True, check=False, timeout=30)
        assert "worker:worker-2" in status.stdout
        assert status.stdout.count("RUNNING") == 6
        subprocess.run([*ctl, "shutdown"], capture_output=True, check=True, timeout=30)
    wait_until(lambda: not processes_with(service.marker), "everybody gone")
    summary = json.loads((service.run_dir / "summary.json").read_text())
    assert (summary["verdict"], summary["exit_code"]) == ("passed", 0)
    assert all(link["sent"] == link["received"] for link in summary["links"])


def test_what_does_not_come_up_is_told(project, free_port):
    project.topology(f"""
        p:
          allow: [never-ends]
          endpoints: {{tasks: ipc, results: "tcp://127.0.0.1:{free_port()}"}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 10}}}}
            stranger: {{external: true, connect: results, ready_within: 10s}}
            worker: {{role: worker, connect: [tasks, results]}}
            sink: {{role: sink, bind: results}}
    """)
    called = project.call("up")
    assert called.returncode == 1, called.stderr
    assert "sink-1 has 1 of 2 peers" in called.stdout
    assert "expected there: stranger-1 (external)" in called.stdout
    assert not [live for live in live_runs() if Path(live.file).parent == project.folder]


def test_up_again_applies_what_has_changed_and_nothing_else(project):
    path = project.topology(STREAM)
    service = project.up()
    pids = {name: process.pid for name, process in service.states().items()}
    same = project.call("up", environment=service.environment)
    assert same.returncode == 0
    assert same.stdout.startswith("p runs already; 0 changes\nnothing to do: it runs so already\n")
    path.write_text(
        path.read_text().replace("replicas: 3", "replicas: 4").replace("rate: 20000", "rate: 30000")
    )
    diff = project.call("plan", "--diff", str(service.run_dir), environment=service.environment)
    wanted = (
        "  worker: 3 → 4 processes: worker-4 comes\n  ventilator: params changed: ventilator-1 starts again\n"
    )
    assert diff.stdout == wanted
    changed = project.call("up", environment=service.environment)
    assert changed.returncode == 0, changed.stderr
    assert wanted in changed.stdout
    now = {name: process.pid for name, process in service.states().items()}
    assert {name: now[name] for name in pids if name != "ventilator-1"} == {
        name: pid for name, pid in pids.items() if name != "ventilator-1"
    }
    assert now["ventilator-1"] != pids["ventilator-1"]
    service.down().balanced()


def test_a_pattern_that_has_another_name_now_runs_on_and_is_told(project):
    text = STREAM.replace("rate: 20000", "rate: 100")
    path = project.topology(text)
    service = project.up()
    path.write_text(path.read_text().replace("  p:", "  q:"))
    other = project.up(environment=service.environment)
    told = "p is no longer in topology.yaml, and runs on (orchestrator down topology.yaml --pattern p brings it down)"
    assert told in other.said
    assert other.call("down").returncode == 0
    service.down().balanced()


STRANGE = "a b;c #d%e'f\"gü"


def test_strange_names_paths_and_values_arrive_whole(project, tmp_path):
    folder = tmp_path / STRANGE
    folder.mkdir()
    project.folder = folder
    project.write(
        "tell.py",
        "import json, os, sys\nprint(json.dumps([sys.argv[1:], os.getcwd(), os.environ['SAID']]), flush=True)\nsys.stdin.read()\nimport time\ntime.sleep(1000)\n",
    )
    project.write(
        "work.py", "import os\n\ndef work(task):\n    print(task, os.environ['SAID'])\n    return task\n"
    )
    project.topology(f"""
        p:
          endpoints: {{tasks: ipc, results: ipc}}
          nodes:
            ventilator: {{role: ventilator, bind: tasks, params: {{count: 1000000, rate: 100}}}}
            worker: {{role: worker, connect: [tasks, results], params: {{call: "work:work"}}, environment: {{SAID: {json.dumps(STRANGE)}}}}}
            sink: {{role: sink, bind: results}}
            teller: {{command: [{json.dumps(sys.executable)}, tell.py, {json.dumps(STRANGE)}], environment: {{SAID: {json.dumps(STRANGE)}}}}}
    """)
    service = project.up(environment={"FROM_OUTSIDE": STRANGE})
    log = service.run_dir / "logs" / "teller-1.log"
    told = json.loads(wait_until(log.read_text, "what the command says"))
    assert told == [[STRANGE], str(folder), STRANGE]
    worker = service.run_dir / "logs" / "worker-1.log"
    wait_until(lambda: f"1 {STRANGE}" in worker.read_text(), "what the role says")
    service.down().balanced("tasks", "results")


def patched(project, name, text):
    """An environment in which each Python first runs `text`."""
    project.write(f"{name}/sitecustomize.py", text)
    return {"PYTHONPATH": str(project.folder / name)}


@pytest.mark.parametrize("verb", [("up",), ("run", "--engine", "supervisor")])
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("raise m.PackageNotFoundError(name)", "the package supervisor is not installed (pip install 'supervisor>=4.3')"),
        ("return '4.2.5'", "supervisor 4.2.5 is too old (pip install 'supervisor>=4.3')"),
    ],
)  # fmt: skip
def test_a_supervisord_that_is_missing_or_too_old_is_exit_3(project, verb, answer, text):
    project.topology(STREAM)
    environment = patched(
        project,
        "patch",
        f"""
        import importlib.metadata as m

        version = m.version

        def other(name):
            if name == "supervisor":
                {answer}
            return version(name)

        m.version = other
    """,
    )
    called = project.call(*verb, environment=environment)
    assert called.returncode == 3
    assert f"cannot use the engine 'supervisor': {text}" in called.stderr
    assert "Traceback" not in called.stderr


@pytest.mark.slow
def test_a_supervisord_that_answers_no_more_is_exit_3(project):
    project.topology(STREAM)
    run = project.start("--engine", "supervisor")
    run.wait_for("RunReady")
    (supervisord,) = [
        pid for pid in run.living() if b"supervisord/leash.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(supervisord, signal.SIGSTOP)
    os.kill(run.pid("worker-1"), signal.SIGKILL)
    outcome = run.outcome(100)
    assert outcome.exit_code == 3
    assert "supervisord" in outcome.problems[-1]["text"]


def usable_python(user: int) -> str | None:
    """A Python of this version that another user can run."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, shutil.which(name, path="/usr/bin:/usr/local/bin")):
        if candidate is None:
            continue
        try:
            ran = subprocess.run(
                [candidate, "-c", ""],
                user=user,
                group=user,
                extra_groups=[],
                check=False,
                capture_output=True,
            )
        except PermissionError:
            continue
        if ran.returncode == 0:
            return candidate
    return None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", ["run", "up"])
def test_another_user_runs_it_as_well(project, mode):
    user = 100_000 + 2 * os.getpid() + (mode == "up")  # nobody else's, so that what is left is this test's
    python = usable_python(user)
    if python is None:
        pytest.skip("no Python of this version that another user can run")
    root = Path(__file__).resolve().parents[2]
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    home = base() / f"zmq-topology-test-{os.getpid()}-{mode}"
    home.mkdir(mode=0o755)
    try:
        os.chown(home, user, user)
        text = STREAM.replace("1000000000", "2000")
        project.topology(text)
        shutil.copyfile(project.folder / "topology.yaml", home / "topology.yaml")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{root}:{packages}", "HOME": str(home)}

        def call(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [python, "-m", "orchestrator", *arguments],
                cwd=home, env=environment, user=user, group=user, extra_groups=[],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip

        if mode == "run":
            ran = call("run", "--engine", "supervisor")
            assert ran.returncode == 0, ran.stderr
        else:
            up = call("up", "--set", "p.nodes.ventilator.params.count=1000000000")
            assert up.returncode == 0, up.stdout + up.stderr
            assert "running" in call("ps").stdout
            down = call("down")
            assert down.returncode == 0, down.stdout + down.stderr
        owners = {path.stat().st_uid for path in home.rglob("*")}
        assert owners <= {user, 0}
        assert not list(base().glob(f"{PREFIX}{user}-*"))
    finally:
        shutil.rmtree(home)
