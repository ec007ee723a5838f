"""The control channel where others can reach it: guarded by keys, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from harness import wait_until

from chaos.curves import (
    DEADLINE_MS,
    INTRUDERS,
    LOOPBACK,
    TOLD,
    as_node,
    is_shown_out,
    make_keys,
    visiting,
)
from chaos.doors import REPLAYED, Control
from orchestrator.run.control import ControlChannel, UnguardedError
from roles.kit import curve, messages
from roles.kit.keys import CONTROL, KeyFileError

HELLO = messages.encode(messages.Hello(pid=1))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Control]:
    """A channel to which nodes come that may, and others."""
    made = Control(tmp_path)
    make_keys(made.keys, "third")
    made.channel.admit("third")
    yield made
    made.close()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Door, visitor and authenticator are threads of this process, which may stand still in a handshake."""
    monkeypatch.setattr(curve, "HANDSHAKE_IVL_MS", 30_000)


@pytest.mark.parametrize("address", [LOOPBACK, "tcp://*:*"])
def test_without_keys_there_is_no_control_channel_that_others_reach(tmp_path: Path, address: str) -> None:
    with pytest.raises(
        KeyFileError, match="cannot open a control channel that others can reach without keys"
    ):
        ControlChannel(address)
    with pytest.raises(KeyFileError, match=r"run-coordinator\.key_secret: it is not there"):
        ControlChannel(address, keys=make_keys(tmp_path / "keys", "node"))


def test_one_in_a_private_directory_needs_none(tmp_path: Path) -> None:
    channel = ControlChannel(f"ipc://{tmp_path}/control")
    assert not channel.is_guarded
    channel.close()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("intruder", INTRUDERS)
def test_an_intruder_is_not_heard(door: Control, intruder: str, capsys: pytest.CaptureFixture[str]) -> None:
    door.visit(intruder)
    door.serves_the_good()
    said: list[str] = []
    wait_until(lambda: said.append(capsys.readouterr().err) or TOLD[intruder] in "".join(said), "the line")
    assert "at 'control channel'" in "".join(said)


@pytest.mark.usefixtures("unhurried")
def test_a_handshake_that_is_said_again_is_not_heard(door: Control) -> None:
    door.visit(REPLAYED)
    door.serves_the_good()


def test_nobody_speaks_in_another_nodes_name(door: Control) -> None:
    """A node that is let in is heard for its own processes only."""

    def prepare(one: zmq.Socket[bytes]) -> None:
        as_node(door.keys, "third", CONTROL)(one)
        one.set(zmq.ROUTING_ID, b"node-1/0")

    with visiting(door.address, "DEALER", prepare) as (impostor, monitor):
        assert monitor.poll(DEADLINE_MS)
        impostor.send(HELLO)
        assert door.socket.poll(DEADLINE_MS)
        assert door.channel.hear() == []
    door.serves_the_good()


def test_where_its_authenticator_has_ended_the_channel_is_no_more(door: Control) -> None:
    door.end_authenticator()
    is_shown_out(door.address, "DEALER", as_node(door.keys, "node", CONTROL))
    with pytest.raises(UnguardedError, match="cannot go on: the control channel's authenticator has ended"):
        door.channel.hear()
