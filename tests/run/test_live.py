"""The record by which other terminals find a run."""

import os
import socket
from pathlib import Path

import pytest

from orchestrator.run import live
from orchestrator.run.live import Live


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "base", lambda: tmp_path)

    def make(name: str, *, service: bool = False) -> Live:
        sockets = tmp_path / f"{live.PREFIX}{os.getuid()}-{name}"
        run_dir = tmp_path / f"record-{name}"
        sockets.mkdir(mode=0o700)
        run_dir.mkdir()
        return Live(
            run_id=name,
            file=f"/where/{name}.yaml",
            pattern="p",
            engine="supervisor" if service else "local",
            pid=1,
            sockets=str(sockets),
            run_dir=str(run_dir),
            service=service,
        )

    return make


def listening(one: Live, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(Path(one.sockets) / name))
    listener.listen()
    return listener


@pytest.mark.parametrize(("service", "name"), [(False, "requests"), (True, live.SUPERVISOR_SOCKET)])
def test_found_while_somebody_listens(made, service, name):
    one = made("one", service=service)
    live.announce(one)
    assert list(live.live_runs()) == []
    with listening(one, name):
        assert list(live.live_runs()) == [one]
        assert live.read_live(Path(one.run_dir) / live.LIVE) == one
    assert list(live.live_runs()) == []


def test_a_record_that_is_withdrawn_is_gone_from_both_places(made):
    one = made("one")
    live.announce(one)
    live.withdraw(one)
    assert not (Path(one.run_dir) / live.LIVE).exists()
    assert not (Path(one.sockets) / live.LIVE).exists()
    live.withdraw(one)  # once more does no harm


def test_what_is_no_record_is_passed_over(made):
    one = made("one")
    path = Path(one.sockets) / live.LIVE
    for junk in (b"", b"{", b'{"run_id": 1}', b"\xff\xfe"):
        path.write_bytes(junk)
        assert live.read_live(path) is None
    with listening(one, "requests"):
        assert list(live.live_runs()) == []


def test_a_directory_that_goes_as_one_looks_is_passed_over(made, tmp_path, monkeypatch):
    made("one")
    there = list(tmp_path.glob(f"{live.PREFIX}*"))
    monkeypatch.setattr(Path, "glob", lambda *_: iter([*there, tmp_path / f"{live.PREFIX}0-gone"]))
    assert live.private_directories() == there
