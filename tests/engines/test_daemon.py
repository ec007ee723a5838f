"""supervisord itself: whether it can be had, how it starts and does not, who outlives whom."""

import importlib.metadata
import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from harness import wait_until

from orchestrator.engines.base import EngineError
from orchestrator.engines.supervisord import daemon as supervisord
from orchestrator.engines.supervisord.config import Extra
from orchestrator.engines.supervisord.files import read_configuration, write_files
from orchestrator.engines.supervisord.rpc import Rpc
from orchestrator.run.events import Launched

ROOT = Path(__file__).resolve().parents[2]


def files(bench, *specs, **more):
    return write_files(bench.place, specs, files=supervisord.make_room(len(specs)), **more)


def shut_down(bench):
    daemon = supervisord.Daemon(bench.directory, supervisord.answering(bench.directory))
    daemon.leave(within_s=20)
    daemon.close()


@pytest.mark.parametrize("version", ["4.3.0", "4.4.0.dev0", "4.10", "5.0.0"])
def test_new_enough(monkeypatch, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    supervisord.check_version()


@pytest.mark.parametrize("version", ["4.2.5", "3.4.0"])
def test_too_old(monkeypatch, bench, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    wanted = rf"supervisor {version} is too old \(pip install 'supervisor>=4\.3'\)"
    with pytest.raises(EngineError, match=wanted):
        bench.open(bench.command("worker-1"))


def test_missing(monkeypatch, bench):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    wanted = r"package supervisor is not installed \(pip install 'supervisor>=4\.3'\)"
    with pytest.raises(EngineError, match=wanted):
        bench.open(bench.command("worker-1"))


def test_the_limit_of_open_files_is_told(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1000))
    raised = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    assert supervisord.make_room(300) == 1000
    assert supervisord.make_room(10) == 114
    assert raised == [(1000, 1000)] * 2
    wanted = r"cannot start 1000 processes: they need 3064 open files, and the limit is 1000 \(raise it: ulimit -n 3064\)"
    with pytest.raises(EngineError, match=wanted):
        supervisord.make_room(1000)


def test_what_it_has_said_when_it_does_not_start(bench):
    files(bench, bench.command("worker-1"))
    with (bench.directory / "supervisord.conf").open("a") as config:
        config.write("nonsense\n")
    for owned in (True, False):
        with pytest.raises(EngineError, match=r"cannot start supervisord: .*parsing errors.*nonsense"):
            supervisord.start_daemon(bench.directory, owned=owned)


def test_a_path_too_long_for_a_socket(make_bench, short_temp):
    deep = short_temp / ("ü" * 40)
    deep.mkdir()
    bench = make_bench(deep, short_temp / "folder")
    with pytest.raises(
        EngineError, match=r"the path of its socket has \d+ bytes, 107 is the most \(set TMPDIR"
    ):
        bench.open(bench.command("worker-1"))


def test_nobody_may_look_in(bench):
    bench.run(bench.command("worker-1"))
    for name, mode in {
        "supervisor.sock": 0o700,
        "specs": 0o700,
        "role": 0o700,
        "supervisord.conf": 0o600,
    }.items():
        assert (bench.directory / name).stat().st_mode & 0o777 == mode, name


def test_logs_are_their_users(bench):
    bench.run(bench.command("worker-1"))
    mask = os.umask(0o077)
    os.umask(mask)
    assert (bench.logs / "worker-1.log").stat().st_mode & 0o777 == 0o666 & ~mask


def test_it_outlives_whoever_has_started_it_and_is_found_again(bench):
    files(bench, bench.command("worker-1"))
    code = f"""
        import sys
        from pathlib import Path
        from orchestrator.engines.supervisord.daemon import start_daemon
        print(start_daemon(Path({str(bench.directory)!r}), owned=False).pid)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pid = int(told.stdout)
    assert told.stderr == ""
    assert supervisord.answering(bench.directory) == pid
    assert os.getpgid(pid) != os.getpgid(0)
    shut_down(bench)
    wait_until(lambda: not bench.living(), "nobody left", 5)
    assert supervisord.answering(bench.directory) is None


def test_no_output_of_the_caller_is_held_open(bench):
    """Whoever reads what `up` prints must come to its end."""
    files(bench, bench.command("worker-1"))
    code = f"""
        from pathlib import Path
        from orchestrator.engines.supervisord.daemon import start_daemon
        start_daemon(Path({str(bench.directory)!r}), owned=False)
    """
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        stdout=writer,
        stderr=writer,
        pass_fds=[writer],
        check=True,
    )
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)
    shut_down(bench)


def test_one_that_is_stuck_is_told_and_can_be_ended(bench, monkeypatch):
    files(bench, bench.command("worker-1"))
    daemon = supervisord.start_daemon(bench.directory, owned=False)
    os.kill(daemon.pid, signal.SIGSTOP)
    monkeypatch.setattr(Rpc.__init__, "__kwdefaults__", {"timeout_s": 0.3})
    with pytest.raises(EngineError, match=r"has not answered for 0\.3 s"):
        supervisord.answering(bench.directory)
    daemon.leave(within_s=0.3)
    assert daemon.gone()
    daemon.close()


EXTRA = """
    import os, signal, sys, time
    def leave(*_):
        print("told to leave", flush=True)
        time.sleep(0.3)
        print("leaves", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGTERM, leave)
    print(f"here {os.getpid()}", flush=True)
    while True:
        time.sleep(60)
"""


def with_extra(bench, code=EXTRA):
    """A supervisord with a program beside the processes of the run."""
    (bench.directory / "extra.py").write_text(textwrap.dedent(code))
    (bench.directory / "python").symlink_to(sys.executable)
    extra = Extra(name="run-coordinator", command="./python extra.py", stop_wait_s=20)
    files(bench, bench.command("worker-1"), bench.command("sink-1"), extra=extra)
    daemon = supervisord.start_daemon(bench.directory, owned=False)
    bench.here("run-coordinator")
    return daemon


def pid_of_extra(bench):
    return int(bench.log("run-coordinator").rpartition("here ")[2].split()[0])


def test_an_extra_program_is_started_with_it_and_stopped_first(bench):
    daemon = with_extra(bench)
    engine = bench.open(owns=False)
    for spec in (bench.command("worker-1"), bench.command("sink-1")):
        engine.start(spec, incarnation=0)
        bench.wait_for(engine, Launched, spec.name)
        bench.here(spec.name)
    daemon.leave(within_s=20)
    assert daemon.gone()
    log = (bench.directory / "supervisord.log").read_text()
    stopped = [line.split("stopped: ")[1].split()[0] for line in log.splitlines() if "stopped: " in line]
    assert stopped[0] == "run-coordinator"
    assert sorted(stopped[1:]) == ["sink-1", "worker-1"]
    assert bench.log("run-coordinator").endswith("told to leave\nleaves\n")
    assert "stopped: run-coordinator (exit status 3)" in log
    daemon.close()


def test_an_extra_program_that_is_killed_comes_again_and_one_that_leaves_does_not(bench):
    daemon = with_extra(bench)
    first = pid_of_extra(bench)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: pid_of_extra(bench) != first, "another extra program", 30)
    os.kill(pid_of_extra(bench), signal.SIGTERM)
    log = bench.directory / "supervisord.log"
    wait_until(lambda: "exited: run-coordinator (exit status 3; expected)" in log.read_text(), "its end", 30)
    rpc = Rpc(bench.directory / "supervisor.sock")
    for _ in range(5):
        assert rpc.call("supervisor.getProcessInfo", "run-coordinator")["statename"] == "EXITED"
    rpc.close()
    daemon.leave(within_s=20)
    daemon.close()


def test_an_extra_program_dies_with_it(bench):
    stays = """
        import os, time
        print(f"here {os.getpid()}", flush=True)
        while True:
            time.sleep(60)
    """
    daemon = with_extra(bench, stays)
    os.kill(daemon.pid, signal.SIGKILL)
    wait_until(lambda: not bench.living(), "nobody left", 20)
    daemon.close()


def test_a_stale_socket_is_no_obstacle(bench):
    files(bench, bench.command("worker-1"))
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(bench.directory / "supervisor.sock"))
    daemon = supervisord.start_daemon(bench.directory, owned=True)
    daemon.leave(within_s=5)
    daemon.close()


def test_what_it_was_told_is_known_to_whoever_comes_later(bench):
    extra = Extra(name="run-coordinator", command="x", stop_wait_s=1)
    written = files(bench, bench.command("worker-1"), extra=extra)
    assert read_configuration(bench.directory) == written


def test_nobody_was_told_anything(bench):
    with pytest.raises(
        EngineError, match=r"cannot read .*: No such file .* \(is there a run under supervisord\?\)"
    ):
        read_configuration(bench.directory)
    started_s = time.monotonic()
    with pytest.raises(EngineError, match="cannot read"):
        bench.open(owns=False)
    assert time.monotonic() - started_s < 25
    files(bench, bench.command("worker-1"))
    with pytest.raises(EngineError, match=r"no supervisord answers in .* \(start it anew\)"):
        bench.open(owns=False)
