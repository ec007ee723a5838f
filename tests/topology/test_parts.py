"""The small pure parts: durations, addresses, scalars, variables, suggestions, what ZeroMQ knows."""

import pytest

from orchestrator.topology.addresses import parse_address
from orchestrator.topology.durations import parse_duration
from orchestrator.topology.scalars import ScalarError, resolve
from orchestrator.topology.suggest import did_you_mean
from orchestrator.topology.zeromq import EXPECTED, NEEDS, OPTIONS, OWNED, PARTNERS, can_talk


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10),
        ("1.5s", 1.5),
        ("1m30s", 90),
        ("2h", 7200),
        ("1h2m3s4ms", 3723.004),
        ("0s", 0),
    ],
)
def test_durations_have_units(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "5s1m", "1.5m", "5sec", "1e3s", "\u0665s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="cannot read"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "dynamic", "loopback"),
    [
        ("ipc", True, True),
        ("ipc:///tmp/x", False, True),
        ("ipc:///" + "x" * 106, False, True),
        ("tcp://127.0.0.1:5555", False, True),
        ("tcp://localhost:*", True, True),
        ("tcp://[::1]:5555", False, True),
        ("tcp://*:5555", False, False),
        ("tcp://10.0.0.1:*", True, False),
        ("tcp://example.org:80", False, False),
    ],
)
def test_addresses_tell_whether_they_are_fixed_and_who_reaches_them(text, dynamic, loopback):
    address = parse_address(text)
    assert (address.dynamic, address.loopback) == (dynamic, loopback)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1", True),
        ("tcp://localhost:1", "tcp://127.0.0.1:1", True),
        ("tcp://0.0.0.0:1", "tcp://10.0.0.1:1", True),
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", False),
        ("tcp://127.0.0.1:1", "tcp://10.0.0.1:1", False),
        ("ipc:///tmp/x", "ipc:///tmp/x", True),
        ("ipc", "ipc", False),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", False),
    ],
)
def test_addresses_clash_where_only_one_can_be_bound(one, other, clash):
    assert parse_address(one).clashes(parse_address(other)) is clash


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("02134", 1116),
        ("1:30", 90),
        ("yes", True),
        ("~", None),
        ("", None),
        ("1e3", "1e3"),
        ("1.5", 1.5),
        ("=", "="),
    ],
)
def test_unquoted_text_is_what_yaml_makes_of_it(text, value):
    assert resolve(text) == value


@pytest.mark.parametrize("text", [".nan", "-.inf", "2026-01-01", "<<", "9" * 20, "0b" + "1" * 50])
def test_what_no_topology_can_hold_is_refused(text):
    with pytest.raises(ScalarError):
        resolve(text)


def test_suggestions_are_near_or_none():
    assert did_you_mean("replica", ["role", "replicas"]) == "did you mean 'replicas'?"
    assert did_you_mean("xyz", ["role", "replicas"]) == ""
    assert did_you_mean("a" * 100_000, ["a" * 100_000]) == ""


def test_who_can_talk_is_told_from_both_sides_alike():
    assert all(one in PARTNERS[other] for one, others in PARTNERS.items() for other in others)
    assert can_talk("", "PUSH")
    assert set(NEEDS) == set(EXPECTED) == set(PARTNERS)


def test_every_option_is_one_of_pyzmq():
    import zmq

    names = {option.name for option in zmq.SocketOption}
    assert [name for name in [*OPTIONS, *OWNED] if name not in names] == []
