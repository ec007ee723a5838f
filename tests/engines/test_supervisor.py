"""The supervisor engine on a real supervisord: starts, signals, ends, and whatever can go wrong between."""

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from harness import wait_until

from orchestrator.engines import handles
from orchestrator.engines.base import EngineError, Running
from orchestrator.engines.supervisord import config as supervisord_config
from orchestrator.engines.supervisord import daemon as supervisord
from orchestrator.engines.supervisord import rpc, watch
from orchestrator.engines.supervisord.files import write_files
from orchestrator.run.events import Exited, Launched, LaunchFailed

ROOT = Path(__file__).resolve().parents[2]
STRANGE = "a b 100% %(x)s 'q' \"d\" ;c #d ü \\n $HOME `x`"


def supervisorctl(bench, *words):
    config = str(bench.directory / "supervisord.conf")
    return subprocess.run(
        [sys.executable, "-m", "supervisor.supervisorctl", "-c", config, *words],
        check=False,
        cwd="/",
        capture_output=True,
        text=True,
    )


def pid_of_daemon(bench):
    return int((bench.directory / "supervisord.pid").read_text())


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def nobody(pids):
    return all(state(pid) in ("gone", "Z", "X") for pid in pids)


def nobody_is_left(bench):
    """Soon: a signal returns before whoever it kills is gone."""
    wait_until(lambda: bench.living() == [], "nobody left", 20)


# What reaches a process.


def test_a_process_gets_its_command_folder_and_environment(bench):
    spec = bench.command("worker-1", bench.TELL, "one", environment={"TOPOLOGY_PROCESS": "worker-1"})
    engine = bench.open(spec)
    engine.start(spec, incarnation=2)
    launched = bench.wait_for(engine, Launched, "worker-1")
    told = bench.told(engine, "worker-1")
    assert (launched.pid, launched.incarnation) == (told["pid"], 2)
    assert told["cwd"] == str(bench.folder)
    assert told["argv"] == ["one"]
    assert told["environment"]["TOPOLOGY_PROCESS"] == "worker-1"
    assert not list((bench.directory / "specs").iterdir()), "the spec is taken away"


@pytest.mark.slow
def test_strange_characters_arrive_whole_wherever_they_are(make_bench, short_temp, tmp_path, monkeypatch):
    """In the paths of the project, of Python, of the topology, of the run and of TMPDIR, in values and in arguments."""
    strange = short_temp / "s %d;#'\"ü"
    strange.mkdir()
    project = tmp_path / f"project {STRANGE}"
    project.mkdir()
    for package in ("orchestrator", "roles"):
        (project / package).symlink_to(ROOT / package)
    python = tmp_path / f"python {STRANGE}"
    python.write_text(f'#!/bin/sh\nPYTHON_WAS="$0" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    temporary = tmp_path / f"tmp {STRANGE}"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(sys, "executable", str(python))
    bench = make_bench(strange, tmp_path / f"folder {STRANGE}")
    values = {
        "PLAIN": STRANGE,
        "LINES": "one\ntwo\n",
        "EMPTY": "",
        "QUOTE": "'",
        "PERCENT": "%",
        "SEMI": " ;x",
    }
    spec = bench.command("worker-1", bench.TELL, STRANGE, "", environment=values)
    monkeypatch.setattr("roles.kit.errand.__file__", str(project / "roles" / "kit" / "errand.py"))
    told = bench.told(bench.run(spec), "worker-1")
    assert told["argv"] == [STRANGE, ""]
    assert told["cwd"] == str(bench.folder)
    assert {key: told["environment"][key] for key in values} == values
    assert told["environment"]["TMPDIR"] == str(temporary)
    assert told["environment"]["PYTHON_WAS"] == str(python)
    assert ascii(str(project)) in shlex.split((bench.directory / "role").read_text())[-2]
    assert "worker:worker-1" in supervisorctl(bench, "status").stdout


def test_it_works_where_nothing_may_be_executed(bench):
    engine = bench.open(bench.command("worker-1", "raise SystemExit(5)"))
    (bench.directory / "role").chmod(0o600)
    engine.start(bench.command("worker-1", "raise SystemExit(5)"), incarnation=0)
    assert bench.ended(engine, "worker-1") == (5, None)


def test_the_users_modules_hide_nothing_of_ours(bench):
    """The folder of the topology is not on the path before the role has been loaded."""
    (bench.folder / "msgspec.py").write_text("raise SystemExit(9)")
    (bench.directory / "msgspec.py").write_text("raise SystemExit(9)")
    engine = bench.run(bench.command("worker-1", "pass"))
    assert bench.ended(engine, "worker-1") == (0, None)


def test_output_of_both_kinds_goes_to_the_log_to_the_last_byte(bench):
    code = """
        import os, sys
        print("out", flush=True)
        os.write(2, b"x" * 60_000 + b"err")
        os._exit(0)
    """
    engine = bench.run(bench.command("worker-1", code))
    assert bench.ended(engine, "worker-1") == (0, None)
    assert bench.log("worker-1") == "out\n" + "x" * 60_000 + "err"


def test_signals_are_as_a_new_program_expects_them(bench):
    code = """
        import signal
        names = ("SIGINT", "SIGTERM", "SIGPIPE", "SIGHUP", "SIGCHLD")
        print([name for name in names if signal.getsignal(signal.Signals[name]) == signal.SIG_IGN])
        print(signal.pthread_sigmask(signal.SIG_BLOCK, set()))
    """
    old = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    try:
        engine = bench.run(bench.command("worker-1", code))
    finally:
        signal.signal(signal.SIGTERM, old)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert bench.ended(engine, "worker-1") == (0, None)
    assert bench.log("worker-1") == "['SIGPIPE']\nset()\n"  # Python itself ignores that one


# How it ends.

ENDS = [
    ("raise SystemExit(0)", (0, None)),
    ("raise SystemExit(3)", (3, None)),
    ("raise SystemExit(127)", (127, None)),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", (None, "SIGKILL")),
    ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", (None, "SIGTERM")),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", (None, "SIGSEGV")),
    ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", (None, "SIGABRT")),
]


def test_every_end_is_told_exactly_and_each_once(bench):
    specs = [bench.command(f"worker-{number}", code) for number, (code, _) in enumerate(ENDS, 1)]
    engine = bench.run(*specs)
    found = [bench.ended(engine, spec.name) for spec in specs]
    assert found == [end for _, end in ENDS]
    assert bench.news == engine.poll() == []


ESCAPES = """
    import os, subprocess
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    os._exit(3)
"""


@pytest.mark.parametrize("code", ["raise SystemExit(3)", ESCAPES], ids=["alone", "output held open"])
def test_no_second_passes_between_an_end_and_its_news(bench, code):
    """supervisord by itself looks once a second, and when the output of a process comes to its end."""
    spec = bench.command("worker-1", code)
    engine = bench.open(spec)
    rounds = 0
    for incarnation in range(10):
        engine.start(spec, incarnation=incarnation)
        pid = bench.wait_for(engine, Launched, "worker-1").pid
        wait_until(lambda pid=pid: nobody([pid]), "its end", 20)
        before = bench.rounds
        event = bench.wait_for(engine, Exited, "worker-1")
        rounds += bench.rounds - before
        assert (event.exit_code, event.incarnation) == (3, incarnation)
    bench.end_the_escaped(engine)
    assert rounds <= 30, "it is asked again and again, until it looks by itself"


def test_every_end_is_told_while_logs_are_put_away(bench, monkeypatch):
    monkeypatch.setattr(supervisord_config, "_LOG_SIZE", "1KB")
    spec = bench.command("worker-1", "print('x' * 500); raise SystemExit(3)")
    engine = bench.open(spec)
    for incarnation in range(15):
        engine.start(spec, incarnation=incarnation)
        bench.wait_for(engine, Launched, "worker-1")
        assert bench.ended(engine, "worker-1") == (3, None)
    assert (bench.directory / "supervisord.log.1").exists()
    assert (bench.logs / "worker-1.log.1").exists()


def test_nobody_comes_again_by_himself(bench):
    engine = bench.run(bench.command("worker-1", "raise SystemExit(3)"))
    assert bench.ended(engine, "worker-1") == (3, None)
    for _ in range(5):
        assert "EXITED" in supervisorctl(bench, "status").stdout
    assert "(startsecs)" in (log := (bench.directory / "supervisord.log").read_text())
    assert log.count("spawned: 'worker-1'") == 1
    assert "Privileges were not dropped" not in log


def test_many_end_at_once(bench):
    specs = [bench.command(f"worker-{number}") for number in range(1, 31)]
    engine = bench.run(*specs)
    started_s = time.monotonic()
    for spec in specs:
        engine.signal(spec.name, "SIGKILL")
    assert {bench.ended(engine, spec.name) for spec in specs} == {(None, "SIGKILL")}
    assert time.monotonic() - started_s < 20, "one a second would be thirty"


def test_what_a_process_leaves_behind_ends_with_it(bench):
    code = """
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
    """
    engine = bench.run(bench.command("worker-1", code))
    assert bench.ended(engine, "worker-1") == (0, None)
    child = int(bench.log("worker-1"))
    wait_until(lambda: nobody([child]), "no grandchild", 30)


# Signals.


def test_signals_by_name_and_to_nobody(bench):
    engine = bench.run(bench.command("worker-1"))
    bench.here("worker-1")
    engine.signal("worker-2", "SIGTERM")
    engine.signal("worker-1", "SIGSTOP")
    pid = int(supervisorctl(bench, "pid", "worker:worker-1").stdout)
    wait_until(lambda: state(pid) == "T", "a stopped process", 30)
    engine.signal("worker-1", "SIGCONT")
    wait_until(lambda: state(pid) == "S", "a process that goes on", 30)
    engine.signal("worker-1", "SIGTERM")
    assert bench.ended(engine, "worker-1") == (None, "SIGTERM")
    engine.signal("worker-1", "SIGTERM")


def test_a_commands_whole_group_gets_the_signal(bench):
    code = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, lambda *_: None)
        child = subprocess.Popen([sys.executable, "-c", "import os, time; os.write(1, b'here\\\\n'); time.sleep(600)"])
        print(child.wait(), flush=True)
    """
    engine = bench.run(bench.command("worker-1", code))
    bench.here("worker-1")
    engine.signal("worker-1", "SIGTERM")
    assert bench.ended(engine, "worker-1") == (0, None)
    assert bench.log("worker-1") == "here\n-15\n"


def test_a_signal_to_one_that_is_not_started_yet_waits_for_it(bench):
    spec = bench.command("worker-1")
    engine = bench.open(spec)
    engine.start(spec, incarnation=0)
    engine.signal("worker-1", "SIGKILL")
    assert bench.ended(engine, "worker-1") == (None, "SIGKILL")


# Starts.


def test_starting_makes_the_descriptor_readable_and_all_start_in_one_poll(bench):
    specs = [bench.command(f"worker-{number}") for number in (1, 2, 3)]
    engine = bench.open(*specs)
    assert engine.poll() == []
    for spec in specs:
        engine.start(spec, incarnation=0)
    assert bench.readable(engine)
    launched = engine.poll()
    assert [(type(event), event.process) for event in launched] == [(Launched, spec.name) for spec in specs]
    assert not bench.readable(engine)


def test_one_that_ends_at_once_is_launched_all_the_same(bench):
    """supervisord then says no, and knows no number of it."""
    spec = bench.command("worker-1")
    engine = bench.open(spec)
    (bench.directory / "role").write_text("exit 3\n")
    for incarnation in range(20):
        engine.start(spec, incarnation=incarnation)
        assert bench.wait_for(engine, Launched, "worker-1").pid > 0
        assert bench.ended(engine, "worker-1") == (3, None)


def test_one_that_cannot_be_started_is_told_with_the_reason(bench):
    spec = bench.command("worker-1")
    engine = bench.open(spec)
    bench.logs.rmdir()
    engine.start(spec, incarnation=0)
    text = bench.wait_for(engine, LaunchFailed, "worker-1").text
    assert text.startswith("cannot start worker-1: supervisord says: ")
    assert "ENOENT" in text
    assert not list((bench.directory / "specs").iterdir()), "nobody may take it later"
    bench.logs.mkdir()
    engine.start(spec, incarnation=1)
    bench.wait_for(engine, Launched, "worker-1")


def test_what_cannot_be_written_is_told(bench):
    spec = bench.command("worker-1")
    engine = bench.open(spec)
    (bench.directory / "specs").rmdir()
    engine.start(spec, incarnation=0)
    text = bench.wait_for(engine, LaunchFailed, "worker-1").text
    assert text == f"cannot start worker-1: cannot write into {bench.directory}: No such file or directory"


def test_nobody_takes_what_another_was_to_do(bench):
    """Not even where that one has ended before he could take it."""
    spec = bench.command("worker-1")
    engine = bench.open(spec)
    (bench.directory / "role").write_text("echo here; exec sleep 600\n")
    engine.start(spec, incarnation=0)
    bench.here_after(engine, "worker-1")
    assert list((bench.directory / "specs").iterdir())
    engine.signal("worker-1", "SIGKILL")
    assert bench.ended(engine, "worker-1") == (None, "SIGKILL")
    assert not list((bench.directory / "specs").iterdir())


def test_the_next_incarnation(bench):
    spec = bench.command("worker-1")
    engine = bench.run(spec)
    for incarnation in (1, 2):
        engine.signal("worker-1", "SIGKILL")
        bench.wait_for(engine, Exited, "worker-1")
        engine.start(spec, incarnation=incarnation)
        assert bench.wait_for(engine, Launched, "worker-1").incarnation == incarnation


def test_who_joins_disturbs_nobody(bench):
    first = [bench.command("worker-1"), bench.command("worker-2"), bench.command("sink-1")]
    engine = bench.open(*first)
    pids = {}
    for spec in first:
        engine.start(spec, incarnation=0)
        pids[spec.name] = bench.wait_for(engine, Launched, spec.name).pid
    more = [bench.command(name) for name in ("worker-3", "worker-4", "worker-7", "sink-2")]
    for spec in more:
        engine.start(spec, incarnation=0)
    for spec in more:
        bench.wait_for(engine, Launched, spec.name)
    groups = {line.split()[0] for line in supervisorctl(bench, "status").stdout.splitlines()}
    assert groups == {
        *(
            "worker:worker-1",
            "worker:worker-2",
            "worker.2:worker-3",
            "worker.2:worker-4",
            "worker.3:worker-7",
        ),
        *("sink:sink-1", "sink.2:sink-2"),
    }
    for spec in (*first, *more):
        bench.here(spec.name)
    assert all(not nobody([pid]) for pid in pids.values())
    assert bench.news == engine.poll() == []
    assert supervisorctl(bench, "update").stdout == "", "all that is configured is known"
    engine.signal("worker-7", "SIGTERM")
    assert bench.ended(engine, "worker-7") == (None, "SIGTERM")


# Somebody else at supervisorctl.


def test_supervisorctl_shows_who_runs(bench):
    bench.run(bench.command("worker-1"), bench.command("worker-2"))
    status = supervisorctl(bench, "status")
    assert [line.split()[:2] for line in status.stdout.splitlines()] == [
        ["worker:worker-1", "RUNNING"],
        ["worker:worker-2", "RUNNING"],
    ]
    assert status.stderr == ""


def test_stopped_by_somebody_else(bench):
    engine = bench.run(bench.command("worker-1"))
    bench.here("worker-1")
    supervisorctl(bench, "stop", "worker:worker-1")
    assert bench.ended(engine, "worker-1") == (None, "SIGTERM")


def test_started_by_somebody_else_it_waits_and_is_the_one_that_is_launched(bench):
    code = "import os, time; print('here', os.getpid(), flush=True); time.sleep(600)"
    spec = bench.command("worker-1", code)
    engine = bench.open(spec)
    assert "started" in supervisorctl(bench, "start", "worker:worker-1").stdout
    pid = int(supervisorctl(bench, "pid", "worker:worker-1").stdout)
    engine.start(spec, incarnation=4)
    launched = bench.wait_for(engine, Launched, "worker-1")
    assert (launched.pid, launched.incarnation) == (pid, 4)
    bench.here("worker-1")
    assert bench.log("worker-1").split()[1] == str(pid)


def test_what_somebody_else_has_started_is_gone_too_after_the_run(bench):
    engine = bench.open(bench.command("worker-1"))
    supervisorctl(bench, "start", "worker:worker-1")
    engine.close()
    nobody_is_left(bench)


def test_shut_down_by_somebody_else_every_end_is_told_before_its_own(bench):
    """It answers no call by then."""
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(4)))
        print("here", flush=True)
        while True:
            time.sleep(60)
    """
    specs = [bench.command("worker-1", code), bench.command("worker-2"), bench.command("sink-1")]
    engine = bench.run(*specs)
    for spec in specs:
        bench.here(spec.name)
    supervisorctl(bench, "shutdown")
    late = bench.command("worker-3")
    assert bench.ended(engine, "worker-1") == (4, None)
    assert bench.ended(engine, "worker-2") == bench.ended(engine, "sink-1") == (None, "SIGTERM")
    with pytest.raises(
        EngineError, match=r"cannot go on: supervisord is gone \(it has left with exit code 0; it said"
    ):
        bench.wait_for(engine, Exited, late.name)


def test_nobody_is_started_while_it_is_about_to_leave(bench):
    stubborn = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("here", flush=True)
        while True:
            time.sleep(60)
    """
    specs = [bench.command("worker-1", stubborn, stop_grace_s=100.0), bench.command("worker-2")]
    engine = bench.open(*specs)
    engine.start(specs[0], incarnation=0)
    bench.here_after(engine, "worker-1")
    supervisorctl(bench, "shutdown")
    engine.start(specs[1], incarnation=0)
    text = bench.wait_for(engine, LaunchFailed, "worker-2").text
    assert text == "cannot start worker-2: supervisord is about to leave (somebody has told it to)"


# supervisord itself in trouble.


@pytest.mark.parametrize("moment", ["before", "while starting"])
def test_supervisord_is_killed(bench, moment):
    specs = [bench.command(f"worker-{number}") for number in (1, 2, 3)]
    engine = bench.run(*specs)
    for spec in specs:
        bench.here(spec.name)
    engine.signal("worker-2", "SIGSTOP")
    daemon = pid_of_daemon(bench)
    os.kill(daemon, signal.SIGKILL)
    if moment == "while starting":
        engine.start(bench.command("worker-4"), incarnation=0)
    with pytest.raises(
        EngineError, match=r"cannot go on: supervisord is gone \(SIGKILL has ended it; it said last"
    ):
        bench.wait_for(engine, Exited, "nobody")
    nobody_is_left(bench)
    engine.close()


def test_supervisord_stands_still(bench, monkeypatch):
    monkeypatch.setattr("orchestrator.engines.supervisor._GONE_WITHIN_S", 0.5)
    engine = bench.run(bench.command("worker-1"))
    bench.here("worker-1")
    daemon = pid_of_daemon(bench)
    os.kill(daemon, signal.SIGSTOP)
    impatient = rpc.Rpc(bench.directory / "supervisor.sock", timeout_s=0.5)
    monkeypatch.setattr(engine._watch, "_rpc", impatient)
    engine.signal("worker-1", "SIGKILL")
    with pytest.raises(EngineError, match=r"supervisord has not answered for 0\.5 s at .*\(is it stopped"):
        bench.wait_for(engine, Exited, "worker-1")
    started_s = time.monotonic()
    engine.close()
    assert time.monotonic() - started_s < 20, "it waits for no answer"
    nobody_is_left(bench)


def test_its_socket_is_taken_away(bench, monkeypatch):
    monkeypatch.setattr("orchestrator.engines.supervisor._GONE_WITHIN_S", 60.0)
    engine = bench.run(bench.command("worker-1"))
    bench.here("worker-1")
    supervisorctl(bench, "status")
    (bench.directory / "supervisor.sock").unlink()
    bench.hang_up(engine)
    engine.start(bench.command("worker-2"), incarnation=0)
    with pytest.raises(
        EngineError, match=r"cannot reach supervisord at .*: No such file or directory \(has somebody"
    ):
        bench.wait_for(engine, Launched, "worker-2")
    engine.close()
    assert "SIGKILL" not in engine._daemon.why_gone(), "a signal says the same as the call"


def test_an_end_that_is_never_told_is_an_end(bench, monkeypatch):
    engine = bench.run(bench.command("worker-1"))
    bench.here("worker-1")
    monkeypatch.setattr(watch, "TOLD_WITHIN_S", 0.3)
    monkeypatch.setattr(watch.DaemonLog, "end_of", lambda *_: None)
    engine.signal("worker-1", "SIGKILL")
    rounds = bench.rounds
    assert bench.ended(engine, "worker-1") == (None, None)
    assert bench.rounds - rounds < 60, "it goes round and round"


def test_an_end_is_known_though_supervisord_stood_still(bench, monkeypatch):
    """It answers what it was asked while it stood still, and looks for ends only then."""
    engine = bench.run(bench.command("worker-1"))
    bench.here("worker-1")
    monkeypatch.setattr(watch, "TOLD_WITHIN_S", 0.1)
    daemon = pid_of_daemon(bench)
    os.kill(daemon, signal.SIGSTOP)
    wait_until(lambda: state(daemon) == "T", "a stopped supervisord")
    engine.signal("worker-1", "SIGKILL")
    goes_on = threading.Timer(0.5, os.kill, (daemon, signal.SIGCONT))
    goes_on.start()
    assert bench.ended(engine, "worker-1") == (None, "SIGKILL")
    goes_on.join()


# Who outlives whom.

OWNER = """
    import os, select, sys, time
    from pathlib import Path
    import msgspec
    from orchestrator.engines.supervisor import SupervisorEngine
    from roles.kit.spec import Place, ProcessSpec

    place = msgspec.json.decode(sys.argv[1], type=Place)
    specs = msgspec.json.decode(sys.argv[2], type=list[ProcessSpec])
    engine = SupervisorEngine(time.monotonic)
    engine.open(place, specs)
    for spec in specs:
        engine.start(spec, incarnation=0)
    while True:
        select.select([engine.fileno()], [], [], 1)
        for event in engine.poll():
            print(type(event).__name__, event.process, event.pid, flush=True)
"""


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("awaited", [False, True])
def test_the_owner_is_killed(bench, stopped, awaited):
    """At once when they have been launched, or when the users' programs run; some of them stand still."""
    specs = [bench.command(f"worker-{number}") for number in range(1, 5)]
    arguments = [bench.json(bench.place), bench.json(specs)]
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        pids = [int(owner.stdout.readline().split()[2]) for _ in specs]
        for spec in specs if awaited else ():
            bench.here(spec.name)
        daemon = pid_of_daemon(bench)
        if stopped:
            for pid in (pids[0], pids[2], daemon):
                os.kill(pid, signal.SIGSTOP)
                wait_until(lambda pid=pid: state(pid) in "Tt", "a stopped process", 30)
    finally:
        owner.kill()
        owner.wait(10)
        owner.stdout.close()
    wait_until(lambda: bench.living() == [] and nobody([*pids, daemon]), "nobody left", 20)


def test_closing_leaves_nobody_and_nothing(bench, monkeypatch):
    monkeypatch.setattr("orchestrator.engines.supervisor._GONE_WITHIN_S", 60.0)
    stubborn = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("here", flush=True)
        while True:
            time.sleep(60)
    """
    engine = bench.run(
        *(bench.command(f"worker-{number}", stubborn, stop_grace_s=100.0) for number in (1, 2, 3))
    )
    for number in (1, 2, 3):
        bench.here(f"worker-{number}")
    engine.signal("worker-2", "SIGSTOP")
    started_s = time.monotonic()
    engine.close()
    assert time.monotonic() - started_s < 30, (
        "SIGTERM and a grace are the coordinator's business, not the engine's"
    )
    nobody_is_left(bench)
    assert not list(bench.directory.glob("*.sock*"))
    engine.close()


def test_many_nodes_are_closed_as_fast_as_one(bench):
    """supervisord by itself stops one group after another."""
    specs = [bench.command(f"{letter}-1") for letter in "abcdefghijkl"]
    engine = bench.run(*specs)
    for spec in specs:
        bench.here(spec.name)
    engine.close()
    said = (bench.directory / "supervisord.log").read_text()
    assert said.count("terminated by SIGKILL") == len(specs), "supervisord had none left to stop"
    nobody_is_left(bench)


def test_an_engine_that_does_not_open_leaves_nobody(bench, monkeypatch):
    def fails(*arguments, **more):
        raise EngineError("cannot watch")

    monkeypatch.setattr("orchestrator.engines.supervisor.Watch", fails)
    with pytest.raises(EngineError, match="cannot watch"):
        bench.open(bench.command("worker-1"))
    nobody_is_left(bench)


# One engine after another on the same supervisord.


def lasting(bench, *specs):
    write_files(bench.place, specs, files=supervisord.make_room(len(specs)))
    return supervisord.start_daemon(bench.directory, owned=False)


STAYS_AND_HOLDS_ITS_OUTPUT = """
    import subprocess, time
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(f"here {child.pid}", flush=True)
    while True:
        time.sleep(60)
"""


def test_a_second_engine_takes_over(bench):
    specs = {name: bench.command(name) for name in ("worker-1", "worker-2", "worker-3", "sink-1", "sink-2")}
    specs["sink-2"] = bench.command("sink-2", STAYS_AND_HOLDS_ITS_OUTPUT)  # its end alone wakes nobody
    daemon = lasting(bench, *specs.values())
    first = bench.open(*specs.values(), owns=False)
    joined = bench.command("worker-9")
    for spec in (*specs.values(), joined):
        first.start(spec, incarnation=1)
    pids = {name: bench.wait_for(first, Launched, name).pid for name in (*specs, "worker-9")}
    for name in pids:
        bench.here(name)
    bench.abandon(first)
    os.kill(pids["worker-2"], signal.SIGUSR1)
    supervisorctl(bench, "restart", "worker:worker-3")

    second = bench.open(*specs.values(), owns=False)
    mine = {
        name: Running(spec=specs.get(name, joined), pid=pids[name], incarnation=1)
        for name in pids
        if name != "sink-2"
    }
    second.adopt(mine)
    second.start(specs["sink-2"], incarnation=2)
    assert bench.wait_for(second, Launched, "sink-2").pid != pids["sink-2"], "nobody had asked for that one"
    assert bench.ended(second, "worker-2") == (None, "SIGUSR1"), "it has ended meanwhile"
    assert bench.ended(second, "worker-3") == (None, "SIGTERM"), "another has taken its place"
    assert nobody([pids["sink-2"]])
    second.signal("worker-1", "SIGTERM")
    assert bench.ended(second, "worker-1") == (None, "SIGTERM")
    second.signal("worker-9", "SIGKILL")
    assert bench.ended(second, "worker-9") == (None, "SIGKILL")
    for name in ("worker-3", "worker-1"):
        second.start(specs[name], incarnation=2)
        assert bench.wait_for(second, Launched, name).incarnation == 2
    second.start(bench.command("worker-10"), incarnation=0)
    bench.wait_for(second, Launched, "worker-10")
    assert "worker.3:worker-10" in supervisorctl(bench, "status").stdout

    wait_until(lambda: bench.log("sink-2").count("here") == 2, "the second of sink-2", 30)
    second.close()
    for line in bench.log("sink-2").splitlines():
        os.kill(int(line.split()[1]), signal.SIGKILL)
    wait_until(lambda: bench.living() == [daemon.pid], "supervisord stays, and nobody else", 30)
    daemon.leave(within_s=10)
    daemon.close()


def test_the_end_of_one_that_nothing_is_told_of_is_told_at_once(bench):
    spec = bench.command("worker-1")
    daemon = lasting(bench, spec)
    engine = bench.open(spec, owns=False)
    rounds = bench.rounds
    engine.adopt({"worker-1": Running(spec=spec, pid=2**22 - 1, incarnation=3)})
    event = bench.wait_for(engine, Exited, "worker-1")
    assert (event.exit_code, event.signal, event.incarnation) == (None, None, 3)
    assert bench.rounds - rounds <= 2
    engine.close()
    daemon.leave(within_s=10)
    daemon.close()


def test_nobody_takes_over_while_it_is_about_to_leave(bench):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
    spec = bench.command("worker-1", code, stop_grace_s=100.0)
    daemon = lasting(bench, spec)
    engine = bench.open(spec, owns=False)
    engine.start(spec, incarnation=0)
    bench.here_after(engine, "worker-1")
    supervisorctl(bench, "shutdown")
    with pytest.raises(
        EngineError, match=r"cannot ask supervisord who runs: SHUTDOWN_STATE \(start it anew\)"
    ):
        engine.adopt({})
    with pytest.raises(EngineError, match=r"cannot tell supervisord of more processes: SHUTDOWN_STATE"):
        bench.open(spec, owns=False)
    assert engine.poll() == [], "who cannot take over leaves everybody as he is"
    engine.close()
    daemon.close()


def test_a_lasting_supervisord_is_killed(bench):
    spec = bench.command("worker-1")
    daemon = lasting(bench, spec)
    engine = bench.open(spec, owns=False)
    engine.start(spec, incarnation=0)
    bench.here_after(engine, "worker-1")
    os.kill(daemon.pid, signal.SIGKILL)
    with pytest.raises(
        EngineError, match=r"cannot go on: supervisord is gone \(somebody has ended it; it said last"
    ):
        bench.wait_for(engine, Exited, "nobody")
    nobody_is_left(bench)
    daemon.close()


# Without descriptors of processes, as on macOS.


def test_without_descriptors_of_processes(bench, monkeypatch):
    monkeypatch.setattr(handles, "DESCRIPTORS", False)
    specs = [bench.command(f"worker-{number}", code) for number, (code, _) in enumerate(ENDS, 1)]
    stays = bench.command("sink-1")
    engine = bench.run(*specs, stays)
    assert [bench.ended(engine, spec.name) for spec in specs] == [end for _, end in ENDS]
    bench.here("sink-1")
    engine.signal("sink-1", "SIGTERM")
    assert bench.ended(engine, "sink-1") == (None, "SIGTERM")
    engine.close()
    nobody_is_left(bench)


# Many.

MANY = 80
"""`make bench-service` takes two hundred, and the time."""


@pytest.mark.slow
def test_very_many(bench):
    specs = [bench.command(f"worker-{number}") for number in range(1, MANY + 1)]
    engine = bench.open(*specs)
    for spec in specs:
        engine.start(spec, incarnation=0)
    pids = {bench.wait_for(engine, Launched, spec.name, within_s=60).pid for spec in specs}
    assert len(pids) == MANY
    started_s = time.monotonic()
    for spec in specs:
        engine.signal(spec.name, "SIGKILL")
    ends = {spec.name: bench.ended(engine, spec.name) for spec in specs}
    otherwise = {name: bench.log(name) for name, end in ends.items() if end != (None, "SIGKILL")}
    assert otherwise == {}
    assert time.monotonic() - started_s < 60, "one a second would be eighty"
    engine.close()
    nobody_is_left(bench)
