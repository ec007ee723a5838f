"""The inlet of a sink whose results are acknowledged: each task's results are handled once, and written down.

Deduplicate, handle, write, sync, acknowledge, in this order and many tasks at a time. The ledger says which tasks are
kept and how far the sink's file went with them, so that an incarnation to come cuts away what had not come so far.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from time import monotonic_ns
from typing import Any, Final

import zmq

from roles.kit import parcels
from roles.kit.batches import packing
from roles.kit.parcels import Mark, Results
from roles.kit.pipeline import Pull
from roles.kit.ports import MALFORMED, NOBLOCK, Ended
from roles.kit.positions import Runs, as_runs, rows
from roles.kit.slot import CUMULATIVE, DUPLICATES, State, port_base

PATIENCE_MS: Final = 5
"""Results that have been handled wait for others so long before they are written down and acknowledged."""

AGE_NS: Final = 10_000_000
"""However many come, none waits for longer."""


class Keep(Pull):
    """Gives the role the results of each task once, and acknowledges a task when they are handled and written down."""

    def _prepare(self) -> None:
        delivery = self.control.delivery
        assert delivery is not None
        assert delivery.keeping is not None
        self._keeping = delivery.keeping
        self._fail = delivery.fail
        self._packing = packing(self.spec.codec)
        self._rest: Iterator[Any] = iter(())
        self._parcel: tuple[str, list[range]] | None = None
        self._payload = b""
        self._listed = False
        self._handled = self.words[self._received_at] = self._keeping.handled
        self.words[port_base(self.index) + CUMULATIVE] = 1
        self._unwritten: dict[str, list[range]] = {}
        self._payloads: list[bytes] = []
        # What an earlier incarnation wrote down it may not have come to acknowledge.
        kept = self._keeping.tasks.items()
        self._acks = {source: list(rows(positions.runs())) for source, positions in kept}
        self._marks: dict[str, list[tuple[bytes, int]]] = {}
        self._unacknowledged = len(self._acks)
        self._since_ns = self._written_ns = self._took_ns = 0
        self._most = max(1, self.spec.window // 2)
        acks = self.socket.context.socket(zmq.ROUTER)
        acks.set(zmq.ROUTING_ID, delivery.identity(parcels.SINK))
        acks.set(zmq.PROBE_ROUTER, 1)
        acks.set(zmq.IMMEDIATE, 1)
        acks.set(zmq.ROUTER_HANDOVER, 1)
        acks.set(zmq.MAXMSGSIZE, self.spec.max_message_bytes)
        acks.set_hwm(0)
        self.acks = self._acks_socket = acks

    @property
    def packed(self) -> bool:
        """Results come many at a time."""
        return True

    def lists(self) -> Iterator[list[Any]]:
        """The results, many at a time as they came; those of a list count as handled once the next one is asked for."""
        while True:
            try:
                items = self.some(0)
            except Ended:
                return
            yield items
            self.handled(len(items))

    def some(self, most: int) -> list[Any]:  # noqa: ARG002 - a list is what came together
        """The next results that came together; raises as `recv`."""
        self.settle()
        self._check_stop()
        while True:
            items = list(self._rest)
            if items:
                self._listed = True
                return items
            self._next_results()

    def handled(self, count: int) -> None:
        """Count so many results as handled."""
        self._listed = False
        self.words[self._received_at] += count
        self._handled += count

    def recv(self) -> Any:
        """The next result; raises `Ended` at the end of the stream, `Finish` once the role is to leave."""
        self.settle()
        self._check_stop()
        while True:
            for item in self._rest:
                self._leave(item, 0)
                return item
            self._next_results()

    def _iterate(self) -> Generator[Any]:
        self.settle()
        words, received_at = self.words, self._received_at
        while True:
            for item in self._rest:
                self._leave(item, 0)
                yield item
                if self._in_hand >= 0:
                    self._in_hand = -1
                    words[received_at] += 1
                    self._handled += 1
            self._check_stop()
            try:
                self._next_results()
            except Ended:
                return

    def settle(self) -> None:
        """The result in hand is handled."""
        if self._in_hand >= 0:
            self._in_hand = -1
            self.handled(1)

    def shut(self) -> None:
        """No more is taken: what is handled is written down and acknowledged, if no message is in the middle."""
        if not self._is_in_the_middle():
            self._close_parcel()
            self._write_down()
        self.socket.close(linger=0)

    def _is_in_the_middle(self) -> bool:
        """Whether of the last task's results some were not handled."""
        if self._in_hand >= 0 or self._listed:
            return True
        for item in self._rest:
            self._rest = iter([item, *self._rest])
            return True
        return False

    def _next_results(self) -> None:
        """Get hold of the next results, and before that write down what is due; raises Finish or Ended."""
        self._close_parcel()
        waited = False
        while True:
            if self._is_due() or waited:
                self._write_down()
            try:
                frames = self.socket.recv_multipart(NOBLOCK)
            except zmq.Again:
                if self._unacknowledged:
                    waited = True
                    pollees = [(self.socket, zmq.POLLIN), (self.control.socket, zmq.POLLIN)]
                    self.control.wait(pollees, State.RECEIVING, self.index, PATIENCE_MS)
                    try:
                        frames = self.socket.recv_multipart(NOBLOCK)
                    except zmq.Again:
                        continue
                else:
                    self._await(State.RECEIVING, zmq.POLLIN)
                    self._check_stop()
                    continue
            waited = False
            if self._take_in(frames):
                return

    def _is_due(self) -> bool:
        """Whether to write down now; no less time is spent between two times than each of them takes."""
        if not self._unacknowledged:
            return False
        now_ns = monotonic_ns()
        if now_ns - self._written_ns < self._took_ns:
            return False
        return self._unacknowledged >= self._most or now_ns - self._since_ns >= AGE_NS

    def _take_in(self, frames: list[bytes]) -> bool:
        """Take in a message; whether there are results to handle."""
        try:
            header, payload = frames
            told = parcels.decode_result(header)
            if isinstance(told, Mark):
                self._marks.setdefault(told.source.decode(), []).append((told.worker, told.number))
                self._awaits_ack(self._most)  # who asks waits for the answer
                return False
            items = self._new_of(told, self._packing.split(payload) if payload else [], payload)
        except MALFORMED:
            self._note_foreign()
            return False
        self.words[self._bytes_received_at] += len(payload)
        self._rest = iter(items)
        self._fail("sink.after_receive")
        if not items:
            self._close_parcel()
        return bool(items)

    def _new_of(self, told: Results, items: list[Any], payload: bytes) -> list[Any]:
        """Of these results those of tasks that are not kept; the others are acknowledged once more."""
        source, its_rows = told.source.decode(), list(rows(told.runs))
        tasks = sum(map(len, its_rows))
        if len(items) != (tasks if told.counts is None else sum(told.counts)):
            raise ValueError("cannot read results: they are not as many as they say")
        if told.counts is not None and len(told.counts) != tasks:
            raise ValueError("cannot read results: they do not tell how many belong to each task")
        kept = self._keeping.of(source)
        self._acks.setdefault(source, []).extend(its_rows)
        self._awaits_ack(tasks)
        if all(map(kept.has_none_of, its_rows)):
            self._parcel, self._payload = (source, its_rows), payload
            return items
        new_items: list[Any] = []
        new: list[int] = []
        at = index = 0
        for row in its_rows:
            for position in row:
                count = 1 if told.counts is None else told.counts[index]
                if position not in kept:
                    new.append(position)
                    new_items += items[at : at + count]
                at += count
                index += 1
        self.words[port_base(self.index) + DUPLICATES] += len(items) - len(new_items)
        self._parcel = source, list(rows(as_runs(new)))
        self._payload = self._packing.join(new_items) if self._keeping.replays else b""
        return new_items

    def _awaits_ack(self, tasks: int) -> None:
        if not self._unacknowledged:
            self._since_ns = monotonic_ns()
        self._unacknowledged += tasks

    def _close_parcel(self) -> None:
        """All results of a message have been handled: its tasks are to be written down."""
        if self._parcel is None:
            return
        (source, its_rows), self._parcel = self._parcel, None
        kept = self._keeping.of(source)
        for row in its_rows:
            kept.add_row(row)
        if its_rows:
            self._unwritten.setdefault(source, []).extend(its_rows)
        if self._keeping.replays and self._payload:
            self._payloads.append(self._payload)

    def _write_down(self) -> None:
        """Write down what is handled, and acknowledge it."""
        began_ns = monotonic_ns()
        if self._unwritten:
            tasks = {source: _runs_of(its_rows) for source, its_rows in self._unwritten.items()}
            self._keeping.write(tasks, self._handled, self._payloads)
            self._unwritten.clear()
            self._payloads.clear()
        for source in dict.fromkeys([*self._acks, *self._marks]):
            for frame in parcels.acks(_runs_of(self._acks.get(source, [])), self._marks.get(source, [])):
                self._acks_socket.send_multipart([source.encode(), frame])
        if self._acks:
            self._fail("sink.after_ack")
        self._acks.clear()
        self._marks.clear()
        self._unacknowledged = 0
        self._written_ns = monotonic_ns()
        self._took_ns = self._written_ns - began_ns


def _runs_of(its_rows: list[range]) -> Runs:
    """Rows as runs, those that follow one another joined."""
    runs: Runs = []
    following = -1
    for row in its_rows:
        if row.start == following:
            runs[-1] += len(row)
        else:
            runs += (row.start, len(row))
        following = row.stop
    return runs
