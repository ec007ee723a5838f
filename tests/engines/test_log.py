"""Starts and ends, read out of supervisord's own log as it grows."""

import pytest

from orchestrator.engines.supervisord.log import DaemonLog, End


@pytest.fixture
def path(tmp_path):
    return tmp_path / "supervisord.log"


def line(text, level="INFO"):
    return f"2026-01-01 10:00:00,123 {level} {text}\n"


def write(path, *texts):
    with path.open("a") as file:
        file.writelines(line(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("exited: worker-1 (exit status 0; expected)", End(0, None)),
        ("exited: worker-1 (exit status 3; not expected)", End(3, None)),
        ("exited: worker-1 (terminated by SIGKILL; not expected)", End(None, "SIGKILL")),
        ("exited: worker-1 (terminated by SIGABRT (core dumped); not expected)", End(None, "SIGABRT")),
        ("exited: worker-1 (terminated by SIGIOT; not expected)", End(None, "SIGABRT")),
        ("exited: worker-1 (terminated by signal 40; not expected)", End(None, "signal 40")),
        ("exited: worker-1 (unknown termination cause 0x1234; not expected)", End(None, None)),
        ("stopped: worker-1 (exit status 0)", End(0, None)),
        ("stopped: worker-1 (terminated by SIGTERM)", End(None, "SIGTERM")),
    ],
)
def test_every_way_to_end(path, text, end):
    log = DaemonLog(path)
    write(path, "spawned: 'worker-1' with pid 7", text)
    assert log.read() == {"worker-1": 7}
    assert log.running == {}
    assert log.end_of("worker-1", 7) == end
    assert log.end_of("worker-1", 7) is None


def test_it_is_read_as_it_grows_and_half_a_line_is_none(path):
    log = DaemonLog(path)
    assert log.read() == {}
    write(path, "supervisord started with pid 1", "spawned: 'worker-1' with pid 7")
    assert log.read() == {"worker-1": 7}
    whole = line("exited: worker-1 (exit status 3; not expected)", "WARN")
    with path.open("a") as file:
        file.write(whole[:50])
    assert log.read() == {}
    assert log.end_of("worker-1", 7) is None
    with path.open("a") as file:
        file.write(whole[50:])
    log.read()
    assert log.end_of("worker-1", 7) == End(3, None)
    assert log.last_line == whole.rstrip()


def test_each_end_belongs_to_the_last_start(path):
    log = DaemonLog(path)
    write(path, "spawned: 'worker-1' with pid 7", "exited: worker-1 (exit status 1; not expected)")
    write(path, "spawned: 'worker-1' with pid 9", "spawned: 'worker-2' with pid 8")
    write(path, "exited: worker-1 (exit status 2; not expected)")
    assert log.read() == {"worker-1": 9, "worker-2": 8}
    assert log.running == {"worker-2": 8}
    assert log.end_of("worker-1", 9) == End(2, None)
    assert log.end_of("worker-1", 7) == End(1, None)


def test_it_is_followed_when_it_is_put_away(path):
    log = DaemonLog(path)
    write(path, "spawned: 'worker-1' with pid 7")
    log.read()
    write(path, "exited: worker-1 (exit status 1; not expected)")
    path.rename(path.with_name("supervisord.log.1"))
    log.read()
    assert log.end_of("worker-1", 7) == End(1, None)
    write(path, "spawned: 'worker-1' with pid 9")
    assert log.read() == {"worker-1": 9}


def test_it_is_followed_when_it_is_cleared(path):
    log = DaemonLog(path)
    write(path, "spawned: 'worker-1' with pid 7")
    log.read()
    path.unlink()
    write(path, "exited: worker-1 (exit status 1; not expected)")
    log.read()
    assert log.end_of("worker-1", 7) == End(1, None)


def test_whoever_comes_later_reads_what_was_put_away_too(path):
    write(path.with_name("supervisord.log.10"), "spawned: 'worker-1' with pid 7")
    write(path.with_name("supervisord.log.2"), "exited: worker-1 (exit status 1; not expected)")
    write(path.with_name("supervisord.log.1"), "spawned: 'worker-1' with pid 8")
    write(path, "spawned: 'worker-2' with pid 9")
    log = DaemonLog(path)
    log.read()
    assert log.running == {"worker-1": 8, "worker-2": 9}
    assert log.end_of("worker-1", 7) == End(1, None)


def test_an_end_whose_start_is_no_longer_told_is_anybodys(path):
    log = DaemonLog(path)
    write(path, "exited: worker-1 (exit status 1; not expected)")
    log.read()
    assert log.end_of("worker-1", 7) == End(1, None)


def test_what_a_user_may_have_printed_is_no_news(path):
    log = DaemonLog(path)
    write(path, "success: worker-1 entered RUNNING state", "x exited: worker-1 (exit status 1; expected)")
    with path.open("a") as file:
        file.write("exited: worker-1 (exit status 1; expected)\n")
    assert log.read() == {}
    assert log.end_of("worker-1", 7) is None
