"""Making keys: who needs them, with which modes they are written, and that nothing is ever replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq
from run.world import plan_of

from orchestrator.run.keys import NoCurveError, make_missing, nodes_under_curve
from roles.kit.keys import read_pair, read_public
from roles.kit.spec import Attachment

FILE = """\
version: 1
patterns:
  p:
    endpoints:
      tasks: {address: ipc, security: curve}
      results: {address: ipc, security: curve}
      news: ipc
    nodes:
      source: {role: ventilator, bind: tasks, params: {count: 5}}
      worker: {role: worker, connect: [tasks, results], replicas: 2}
      sink: {role: sink, bind: results}
      herald: {role: publisher, bind: news, params: {count: 1}}
      reader: {role: subscriber, connect: news}
"""


def test_each_endpoint_lets_in_the_nodes_that_the_file_connects_to_it() -> None:
    plan = plan_of(FILE)
    found: dict[tuple[str, str], Attachment] = {
        (spec.node, one.endpoint): one
        for spec in plan.processes
        for port in spec.ports
        for one in port.attachments
    }
    assert {where: one.curve for where, one in found.items()} == {
        ("source", "tasks"): ("worker",),
        ("worker", "tasks"): ("source",),
        ("worker", "results"): ("sink",),
        ("sink", "results"): ("worker",),
        ("herald", "news"): None,
        ("reader", "news"): None,
    }
    assert sorted(nodes_under_curve(plan.processes)) == ["sink", "source", "worker"]


def test_the_patterns_word_counts_where_the_endpoint_has_none() -> None:
    text = FILE.replace("    endpoints:", "    security: curve\n    endpoints:")
    text = text.replace("security: curve}\n      results", "security: none}\n      results")
    specs = plan_of(text).processes
    under = {
        one.endpoint
        for spec in specs
        for port in spec.ports
        for one in port.attachments
        if one.curve is not None
    }
    assert under == {"results", "news"}


def test_keys_are_their_owners_alone_and_stay_what_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    old = os.umask(0)
    try:
        assert make_missing(folder, ["worker", "sink"]) == ["worker", "sink"]
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {
        "keys": 0o700,
        "worker.key": 0o600,
        "worker.key_secret": 0o600,
        "sink.key": 0o600,
        "sink.key_secret": 0o600,
    }
    before = read_pair(folder, "worker")
    assert make_missing(folder, ["worker", "server"]) == ["server"]
    assert read_pair(folder, "worker") == before


def test_half_a_pair_is_made_whole(tmp_path: Path) -> None:
    make_missing(tmp_path / "keys", ["worker"])
    before = read_pair(tmp_path / "keys", "worker")
    (tmp_path / "keys" / "worker.key").unlink()
    assert make_missing(tmp_path / "keys", ["worker"]) == []
    assert read_public(tmp_path / "keys", "worker") == before.public
    (tmp_path / "keys" / "worker.key_secret").unlink()
    assert make_missing(tmp_path / "keys", ["worker"]) == ["worker"]
    assert read_pair(tmp_path / "keys", "worker").public == read_public(tmp_path / "keys", "worker")


def test_what_lies_there_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "keys", tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    (folder / "worker.key").symlink_to(elsewhere)
    make_missing(folder, ["worker"])
    assert not elsewhere.exists()
    assert not (folder / "worker.key").is_symlink()


def test_a_libzmq_without_curve_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise zmq.ZMQError(zmq.ENOTSUP)

    monkeypatch.setattr(zmq, "curve_keypair", none)
    with pytest.raises(NoCurveError, match="has no CURVE here"):
        make_missing(tmp_path / "keys", ["worker"])
