"""Codecs: an item as the bytes of one frame and back, nothing wrapped around it.

With `bytes`, `text` and `json` a plain ZeroMQ program in any language can take the other side of a socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec


class Codec(msgspec.Struct, frozen=True):
    """A pair of functions. `decode` raises ValueError for a frame that is none of its own.

    With `prefixed` a topic is the payload's own prefix, as in the guide; else it is a frame of its own. An item of type
    `raw` is a frame as it stands, and where there is such a type, each frame is an item as it stands.
    """

    name: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    prefixed: bool = False
    raw: type | None = None


def _encode_bytes(item: Any) -> bytes:
    if type(item) is bytes:
        return item
    if item is None:
        return b""
    if isinstance(item, bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str):
        return item.encode(errors="surrogateescape")  # a line or a file name that is not UTF-8, as it was
    raise TypeError(
        f"cannot send {type(item).__name__} with codec 'bytes': it takes bytes (use codec json for values)"
    )


def _encode_text(item: Any) -> bytes:
    if type(item) is str:
        return item.encode()
    if item is None:
        return b""
    if isinstance(item, bytes):
        try:
            item.decode()
        except UnicodeDecodeError:  # nobody could read it as text, so it fails here, with whoever sends it
            raise ValueError(
                "cannot send bytes that are not UTF-8 with codec 'text' (use codec bytes)"
            ) from None
        return item
    return str(item).encode()


def _whole(frame: bytes) -> bytes:
    return frame


_CODECS: Final = {
    codec.name: codec
    for codec in (
        Codec("bytes", _encode_bytes, _whole, prefixed=True, raw=bytes),
        Codec("text", _encode_text, bytes.decode, prefixed=True),
        Codec("json", msgspec.json.Encoder().encode, msgspec.json.Decoder().decode),
        Codec("msgpack", msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode),
    )
}


def codec(name: str) -> Codec:
    """The codec of that name; raises KeyError where there is none."""
    return _CODECS[name]
