"""A short round of each gate, with a seed that is shown where it fails; and that each gate can fail."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import zmq

from chaos import acts, failpoints, feeds, kills, orphans, services, strangers, topologies, wires
from chaos.gate import Tally, dice
from chaos.harness import Project
from roles.kit import curve, guard

ROOT = Path(__file__).resolve().parents[2]
AMOUNT = int(os.environ.get("CHAOS_TIMES", "1"))
"""Every amount times so many: `CHAOS_TIMES=20 .venv/bin/python -m pytest tests/chaos`."""


@pytest.fixture
def seed() -> str:
    drawn = str(random.randrange(2**32))
    print(f"seed {drawn}")  # noqa: T201 - shown where the test fails
    return drawn


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 8))]
)
def test_topologies(seed: str, part: int) -> None:
    tally = topologies.run(f"{seed}/{part}", 1250 * AMOUNT)
    assert (tally.tried, tally.faults) == (1250 * AMOUNT, [])


@pytest.mark.slow
@pytest.mark.parametrize("act", acts.ACTS, ids=lambda act: act.__name__)
def test_wires(seed: str, act: type[acts.Act]) -> None:
    tally = wires.play(act, seed, 10_000 * AMOUNT)
    assert tally.faults == []
    assert tally.tried >= 10_000 * AMOUNT


@pytest.mark.slow
def test_orphans(seed: str) -> None:
    """`tests/system/test_orphans.py` has twenty more, of the local engine alone."""
    tally = orphans.run(seed, 12 * AMOUNT)
    assert (tally.tried, tally.faults) == (12 * AMOUNT, [])


@pytest.mark.slow
@pytest.mark.parametrize("part", [1, 2])
def test_services(seed: str, part: int) -> None:
    tally = services.run(f"{seed}/{part}", 20 * AMOUNT)
    assert (tally.tried, tally.faults) == (20 * AMOUNT, [])


def kept(folder: Path) -> list:
    return [pytest.param(path, id=path.stem) for path in sorted(folder.glob("*.yaml"))]


@pytest.mark.parametrize("path", kept(topologies.KEPT))
def test_what_was_answered_wrongly_once(path: Path, tmp_path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "surrogatepass")
    judge = topologies.Judge(tmp_path)
    assert [judge.fault_of(text, as_file=as_file) for as_file in (False, True)] == ["", ""]


def raises(*_: object, **__: object) -> None:
    raise RuntimeError("a bug")


def steers(*_: object, **__: object) -> str:
    return "\x1b[31m"


@pytest.mark.parametrize(
    ("name", "does", "told"), [("survey", raises, "a bug"), ("render", steers, "control")]
)
def test_a_wrong_answer_to_a_topology_is_seen_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, does: object, told: str
) -> None:
    monkeypatch.setattr(topologies, name, does)
    monkeypatch.setattr(topologies, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(topologies, "ROOT", tmp_path)
    monkeypatch.setattr(topologies, "corpus", lambda: ["version: 2\n"])
    tally = topologies.run("1", 30)
    assert tally.faults
    assert all(told in fault for fault in tally.faults)
    assert list((tmp_path / "kept").glob("*.yaml"))


def test_a_role_that_ends_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was before a decoder's RecursionError was taken for a foreign frame."""

    def ends(self: acts.Act) -> int:
        self.stage.process.kill()
        self.stage.process.wait()
        return 1

    monkeypatch.setattr(acts.Sink, "disturb", ends)
    tally = wires.play(acts.Sink, "1", 2000)
    assert "has ended with -9" in tally.faults[0]


def test_memory_that_grows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "MORE_BYTES", -(2**40))
    assert "its memory grew" in wires.play(acts.Sink, "1", 100).faults[0]


SLOW = "import time\n\ndef echo(task):\n    time.sleep(0.001)\n    return task\n"
"""So that a worker has something in hand."""


@pytest.mark.slow
def test_tasks_that_nobody_gives_again_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The gate's short round is `tests/system/test_delivery.py`'s."""
    real = kills.pipeline

    def giving_nothing_again(**changes: str) -> str:
        text = real(**changes).replace("delivery: at_least_once, window: 256", "delivery: best_effort")
        text = text.replace("roles.functions:echo", "slow:echo")
        expect = 'expect: {tasks.lost: ">= 0", results.lost: ">= 0", worker.exit_code: [0, SIGKILL]}'
        return text.replace("    p:\n", f"    p:\n      {expect}\n")

    monkeypatch.setattr(kills, "pipeline", giving_nothing_again)
    monkeypatch.setattr(kills, "_VICTIMS", ("worker-1", "worker-2", "worker-3"))
    project = Project(tmp_path)
    # The run is far from its end when the kill comes.
    project.write("slow.py", SLOW.replace("0.001", "0.005"))
    tally = kills.play(project, "1", 1, 3000)
    project.close()
    assert tally.tried == 1
    assert "of 3000 tasks have no result" in "".join(tally.faults)


@pytest.mark.slow
def test_tasks_of_dead_workers_that_a_service_forgets_are_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    again = "            if position != in_hand:\n                self._waiting.append(position)\n"
    cut = ("roles/kit/dispatch.py", again, "")
    monkeypatch.setenv("PYTHONPATH", str(mutated(tmp_path / "mutant", [cut])))
    monkeypatch.setattr(services, "_VICTIMS", ("worker-1",))
    monkeypatch.setattr(services, "_APART", (500,))  # so that it has had tasks again
    real = kills.pipeline
    monkeypatch.setattr(
        services, "pipeline", lambda **changes: real(worker='params: {call: "slow:echo"}', **changes)
    )
    project = Project(tmp_path)
    project.write("slow.py", SLOW)
    tally = services.play(project, "1", 5)
    project.close()
    assert tally.tried == 5
    assert "tasks lost" in "".join(tally.faults)


def mutated(folder: Path, cuts: list[tuple[str, str, str]]) -> Path:
    """A copy of the programs in which a protection is taken away: by file, what it is and what is there instead."""
    for package in ("orchestrator", "roles"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, protection, nothing in cuts:
        source = (folder / name).read_text()
        assert protection in source
        (folder / name).write_text(source.replace(protection, nothing, 1))
    return folder


UNPROTECTED = {
    "a list of what is kept that is not synced": (
        ("roles/kit/kept.py", "        self._ledger.sync()\n", ""),
        ("sink.before_ack", 3, "power"),
        "lost",
    ),
    "a file that is not synced": (
        ("roles/kit/collector.py", "            self._lines.sync()\n", "            self._lines.flush()\n"),
        ("sink.before_ack", 3, "power"),
        "lost",
    ),
    "results that are not asked whether they are kept": (
        ("roles/kit/keeping.py", "        if all(map(kept.has_none_of, its_rows)):\n", "        if True:\n"),
        ("source.before_journal", 1, "kill"),
        "twice in the file",
    ),
}
"""What keeps each result once: how it is taken away, at which step a death then shows it, and what is counted."""


@pytest.mark.slow
@pytest.mark.parametrize("missing", UNPROTECTED)
def test_what_keeps_each_result_once_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    """The gate's short round is `tests/system/test_delivery.py`'s. With a window of 1 the step comes on any machine."""
    cut, (step, number, action), counted = UNPROTECTED[missing]
    monkeypatch.setenv("PYTHONPATH", str(mutated(tmp_path / "mutant", [cut])))
    project = Project(tmp_path)
    tally = failpoints.play(project, (step,), number, window=1, action=action)
    project.close()
    assert tally.faults
    assert tally.counts[counted] > 0


def anybody(*_: object, **__: object) -> str:
    return "node"


def let_in_unasked(one: zmq.Socket[bytes], secret: bytes, domain: str) -> None:
    one.set(zmq.CURVE_SERVER, 1)
    one.set(zmq.CURVE_SECRETKEY, secret)
    one.set_string(zmq.ZAP_DOMAIN, domain)


@pytest.mark.parametrize(
    ("module", "name", "instead"), [(guard, "whose", anybody), (curve, "let_in", let_in_unasked)]
)
def test_a_stranger_who_gets_in_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: ModuleType, name: str, instead: object
) -> None:
    """By a list that is not read, or by a question that is not needed. The gate's short rounds are other tests."""
    monkeypatch.setattr(module, name, instead)
    with pytest.raises(AssertionError, match="let in: "):
        strangers.at_door(tmp_path, "PULL", dice("1"), Tally())


@pytest.mark.slow
def test_gaps_that_are_not_told_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The gate's short round is `tests/system/test_feeds_under_faults.py`'s."""
    cut = ("roles/kit/sequence.py", "            self.missed += missed\n", "")
    monkeypatch.setenv("PYTHONPATH", str(mutated(tmp_path / "mutant", [cut])))
    project = Project(tmp_path)
    tally = feeds.subscriber_killed(project, "1")
    project.close()
    assert tally.tried
    assert "were missed in truth" in "".join(tally.faults)


CUTS = {
    "local": [
        ("roles/kit/leash.py", "    parent = os.getppid()\n", "    return\n"),
        (
            "roles/kit/kennel.py",
            "        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)\n        os.reg",
            "        return\n        os.reg",
        ),
    ],
    "supervisor": [
        (
            "orchestrator/engines/supervisord/leash.py",
            "    ctypes.CDLL(None, use_errno=True)",
            "    return\n    ctypes.CDLL(None)",
        ),
    ],
}
"""What protects against orphans, and how it is taken away."""


@pytest.mark.parametrize("engine", CUTS)
def test_without_the_leash_somebody_is_left(tmp_path: Path, engine: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    orphans.write(folder)
    mutant = mutated(tmp_path / "mutant", CUTS[engine])
    # With this seed it is killed at work, and some of its processes are stopped.
    moment, _, left = orphans.kill_one(folder, dice("mutant/1"), engine=engine, number=1, path=str(mutant))
    assert "after Go" in moment
    assert left
