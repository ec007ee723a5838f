"""The private directory of a run, and who may sweep it away."""

import fcntl
from pathlib import Path

import pytest

from orchestrator.run import live, sockets
from orchestrator.run.plan import Plan

PLAN = Plan(topology="topology.yaml", pattern="p")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(live, "base", lambda: tmp_path)
    return tmp_path


def test_it_is_private_and_gone_afterwards(base: Path) -> None:
    with sockets.private_directory(PLAN) as path:
        assert path.parent == base
        assert path.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


def test_a_living_run_is_not_swept_away_and_a_dead_one_is(base: Path) -> None:
    with sockets.private_directory(PLAN) as living:
        dead = living.with_name(f"{living.name}-dead")
        dead.mkdir()
        (dead / "lock").touch()
        with sockets.private_directory(PLAN):
            assert living.exists()
            assert not dead.exists()


def test_a_sweep_between_making_and_locking_does_no_harm(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run starts in just that moment and takes the fresh directory for a dead run's."""
    flock = fcntl.flock
    swept = []

    def flock_late(file: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            swept.extend(base.iterdir())
            sockets._sweep()
        flock(file, operation)

    monkeypatch.setattr(sockets.fcntl, "flock", flock_late)
    with sockets.private_directory(PLAN) as path:
        assert len(swept) == 1
        assert not swept[0].exists()
        assert (path / "lock").exists()
