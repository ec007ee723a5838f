"""The control channel where others can reach it: guarded by keys, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from curves import (
    DEADLINE_MS,
    INTRUDERS,
    LOOPBACK,
    TOLD,
    as_node,
    is_shown_out,
    make_keys,
    port_of,
    recorded_handshake,
    replay,
    visiting,
)
from harness import wait_until

from orchestrator.run.control import ControlChannel, UnguardedError
from roles.kit import messages
from roles.kit.keys import CONTROL, KeyFileError

HELLO = messages.encode(messages.Hello(pid=1))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_keys(tmp_path / "keys", CONTROL, "node", "other", "third")


@pytest.fixture
def channel(keys: Path) -> Iterator[ControlChannel]:
    made = ControlChannel(LOOPBACK, keys=keys)
    made.admit("node")
    made.admit("third")
    yield made
    made.close()


def address_of(channel: ControlChannel) -> str:
    return channel.socket.getsockopt_string(zmq.LAST_ENDPOINT)


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


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_an_intruder_is_not_heard(
    channel: ControlChannel, keys: Path, intruder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    is_shown_out(address_of(channel), "DEALER", INTRUDERS[intruder](keys, CONTROL, "node", "other"))
    assert hears_only_the_good(channel, keys)
    said: list[str] = []
    wait_until(lambda: said.append(capsys.readouterr().err) or TOLD[intruder] in "".join(said), "the line")
    assert "at 'control channel'" in "".join(said)


def test_a_handshake_that_is_said_again_is_not_heard(channel: ControlChannel, keys: Path) -> None:
    replay(port_of(channel.socket), recorded_handshake(keys, "node", CONTROL))
    assert hears_only_the_good(channel, keys)


def hears_only_the_good(channel: ControlChannel, keys: Path) -> bool:
    """Its first words, which are no message, and its Hello; nothing of anybody else."""

    def prepare(one: zmq.Socket[bytes]) -> None:
        as_node(keys, "node", CONTROL)(one)
        one.set(zmq.ROUTING_ID, b"node-1/0")

    with visiting(address_of(channel), "DEALER", prepare) as (good, _):
        good.send(HELLO)
        found: list[tuple[str, int, messages.Up]] = []
        wait_until(lambda: found.extend(channel.hear()) or len(found) >= 2, "two messages")
        assert [(name, incarnation) for name, incarnation, _ in found] == [("node-1", 0)] * 2
        assert isinstance(found[0][2], messages.Failed)
        assert found[1][2] == messages.Hello(pid=1)
        assert channel.tell("node-1", 0, messages.Go())
        assert good.poll(DEADLINE_MS)
    return True


def test_nobody_speaks_in_another_nodes_name(channel: ControlChannel, keys: Path) -> None:
    """A node that is let in is heard for its own processes only."""

    def prepare(one: zmq.Socket[bytes]) -> None:
        as_node(keys, "third", CONTROL)(one)
        one.set(zmq.ROUTING_ID, b"node-1/0")

    with visiting(address_of(channel), "DEALER", prepare) as (impostor, monitor):
        assert monitor.poll(DEADLINE_MS)
        impostor.send(HELLO)
        assert channel.socket.poll(DEADLINE_MS)
        assert channel.hear() == []
    assert hears_only_the_good(channel, keys)


def test_where_its_authenticator_has_ended_the_channel_is_no_more(
    channel: ControlChannel, keys: Path
) -> None:
    gate: Any = channel._gate
    gate._guard._ordering.send(b"an order that it cannot carry out")
    wait_until(lambda: gate.death, "the death")
    is_shown_out(address_of(channel), "DEALER", as_node(keys, "node", CONTROL))
    with pytest.raises(UnguardedError, match="cannot go on: the control channel's authenticator has ended"):
        channel.hear()
