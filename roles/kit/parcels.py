"""What travels where delivery is acknowledged, and how: the messages of sources, workers and sinks. Pure.

Each is a header, and behind that of a `Parcel` or `Results` a payload: the items, packed as a batch is (see `batches`).

    source  -> worker   Parcel, Mark
    worker  -> sink     Results, Mark
    worker  -> source   Done; without an outlet of its own also Acks
    sink    -> source   Acks

A mark follows what its source gave before it, through the worker and the sink, and comes back in an `Acks`: what was
given before it and is not acknowledged by then was lost on the way, or its results were. So the next mark asks the
worker to send these once more; only what is not acknowledged when that one has passed, too, is given to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from roles.kit.positions import Runs, as_runs

POSITION_BITS: Final = 40
"""Of a word that tells a position and something else. The slot's word for the task in hand has above the position its
source's slot number and 1."""

LAST_MARK: Final = 1 << 62
"""The number of the mark that a worker passes on by itself when it takes no more."""

_ROW_BYTES: Final = 18
_ROWS_IN_ACKS: Final = 50
_MARKS_IN_ACKS: Final = 4
_REST_OF_HEADER_BYTES: Final = 64

PARCEL_BYTES: Final = 1 << 20
"""A parcel of several tasks is no larger, so that no worker has much in its hands that others could do."""

WORKER: Final = b"W/"
SINK: Final = b"S/"
"""How the identity of a connection to a source begins; then come the process and its incarnation, as `worker-1/0`."""


class Header(msgspec.Struct, frozen=True, array_like=True, tag=True, forbid_unknown_fields=True):
    """Base of all headers."""


class Parcel(Header, frozen=True, tag="p"):
    """Tasks for a worker: the `number`-th parcel of a source, whose slot that is, to anybody."""

    number: int
    slot: int
    runs: Runs


class Mark(Header, frozen=True, tag="m"):
    """Mark number `number` of `source` for `worker`; the source itself may leave these two out.

    Before it passes the mark on, the worker is to send once more what it has still of the results of tasks in `again`.
    """

    number: int
    source: bytes = b""
    worker: bytes = b""
    again: Runs = []


class Results(Header, frozen=True, tag="r"):
    """Results of a source's tasks, in their order; `counts` says how many of each, null where it is one of each."""

    source: bytes
    runs: Runs
    counts: list[int] | None = None


class Done(Header, frozen=True, tag="d"):
    """A worker has worked through this parcel, and all that it was given before it."""

    number: int


class Acks(Header, frozen=True, tag="a"):
    """These tasks are done for good; these marks have passed: worker and number."""

    runs: Runs
    marks: list[tuple[bytes, int]] = []


Up = Done | Acks
Forth = Parcel | Mark
Result = Results | Mark

encode: Final = msgspec.msgpack.Encoder().encode
decode_up: Final = msgspec.msgpack.Decoder(Up).decode
decode_forth: Final = msgspec.msgpack.Decoder(Forth).decode
decode_result: Final = msgspec.msgpack.Decoder(Result).decode


def hand(slot: int, position: int) -> int:
    """The slot's word for a task in hand."""
    return (slot + 1) << POSITION_BITS | position


def position_in_hand(word: int, slot: int) -> int:
    """The position of a task in hand where it is one of this source's; else 0."""
    return word & ((1 << POSITION_BITS) - 1) if word >> POSITION_BITS == slot + 1 else 0


def most_named(most_bytes: int) -> int:
    """So many tasks a parcel's header can name in a frame of this size, however scattered they are."""
    return max(1, (most_bytes - _REST_OF_HEADER_BYTES) // _ROW_BYTES)


def few_runs(positions: Sequence[int]) -> Runs:
    """Runs that hold these positions, which rise, and where they are very scattered others between them, too."""
    runs = as_runs(positions)
    return runs if len(runs) <= _ROWS_IN_ACKS else [positions[0], positions[-1] - positions[0] + 1]


def acks(runs: Runs, marks: Sequence[tuple[bytes, int]] = ()) -> Iterator[bytes]:
    """Acknowledgements as messages of `LEAST_MESSAGE_BYTES` at the most.

    Marks come last: what was given before one and is not acknowledged when it has passed is lost.
    """
    for first in range(0, len(runs), 2 * _ROWS_IN_ACKS):
        yield encode(Acks(runs[first : first + 2 * _ROWS_IN_ACKS]))
    for first in range(0, len(marks), _MARKS_IN_ACKS):
        yield encode(Acks([], list(marks[first : first + _MARKS_IN_ACKS])))
