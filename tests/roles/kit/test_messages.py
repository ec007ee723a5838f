"""The control channel's encoding: there and back, and what is none of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.kit import messages
from roles.kit.messages import Bound, Connect, End, Failed, Finish, Finished, Go, Hello, Joined, Ready, Stop

UP = [
    Hello(pid=1),
    Bound(addresses={"tasks": "ipc:///x"}),
    Ready(),
    Finished(result={"a": [1, None, "x"]}, latencies={63: 1, 640: 2}),
    Failed(kind="raised", text="é", exit_code=3, item="'1'"),
]
DOWN = [
    Connect(addresses={"tasks": ["a", "b"]}, late=["b"]),
    Joined(),
    Go(),
    End(port="tasks"),
    Finish(),
    Stop(),
]


@pytest.mark.parametrize("message", UP)
def test_what_a_process_says_arrives(message: messages.Up) -> None:
    assert messages.decode_up(messages.encode(message)) == message


@pytest.mark.parametrize("message", DOWN)
def test_what_a_process_is_told_arrives(message: messages.Down) -> None:
    assert messages.decode_down(messages.encode(message)) == message


def test_the_bytes_are_what_they_have_always_been() -> None:
    assert messages.encode(Go()) == b"\x01\x81\xa2is\xa2Go"
    assert messages.encode(End(port="x")) == b"\x01\x82\xa2is\xa3End\xa4port\xa1x"


@pytest.mark.parametrize(
    ("frame", "text"),
    [(b"", "its version is none, this is version 1"), (b"\x02\x81", "its version is 2, this is version 1")],
)
def test_another_version_is_told(frame: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        messages.decode_up(frame)


@given(st.binary(max_size=64))
def test_junk_is_a_value_error(junk: bytes) -> None:
    for frame in (junk, b"\x01" + junk):
        try:
            messages.decode_up(frame)
        except ValueError:
            continue
