"""Codecs: the frame on the wire is the encoded payload, nothing wrapped."""

from __future__ import annotations

from typing import Any

import pytest

from roles.kit.codec import codec


@pytest.mark.parametrize(
    ("name", "item", "frame"),
    [
        ("bytes", b"\x00\xff", b"\x00\xff"),
        ("bytes", None, b""),
        ("bytes", bytearray(b"x"), b"x"),
        ("bytes", "é", "é".encode()),
        ("bytes", "caf\udce9", b"caf\xe9"),  # as Python reads a line or a file name that is not UTF-8
        ("text", "Hello", b"Hello"),
        ("text", None, b""),
        ("text", 42, b"42"),
        ("json", {"a": [1, None]}, b'{"a":[1,null]}'),
        ("json", None, b"null"),
        ("msgpack", [1, "a"], b"\x92\x01\xa1a"),
    ],
)
def test_an_item_is_its_frame(name: str, item: Any, frame: bytes) -> None:
    assert codec(name).encode(item) == frame


@pytest.mark.parametrize("name", ["bytes", "text", "json", "msgpack"])
def test_text_comes_back(name: str) -> None:
    one = codec(name)
    assert one.decode(one.encode("zip 10001")) in ("zip 10001", b"zip 10001")


@pytest.mark.parametrize(
    ("name", "frame"), [("text", b"\xff"), ("json", b"{"), ("json", b""), ("msgpack", b"\xc1")]
)
def test_a_frame_of_another_kind_is_a_value_error(name: str, frame: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the codec's own words
        codec(name).decode(frame)


def test_bytes_refuses_values_and_says_what_to_use() -> None:
    with pytest.raises(TypeError, match=r"cannot send int with codec 'bytes'.*use codec json"):
        codec("bytes").encode(1)
