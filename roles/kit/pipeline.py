"""The ports of a pipeline: PUSH hands each item to one of its peers, PULL takes items from all.

With `batch` at their endpoint items travel many to a frame (see `batches`), and are counted all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import zmq

from roles.kit.batches import Batcher, Packing, packing
from roles.kit.control import Finish
from roles.kit.frames import refuse_larger
from roles.kit.inlets import Inlet
from roles.kit.outlets import Outlet
from roles.kit.pace import Pace
from roles.kit.ports import LARGE_BYTES, MALFORMED, NOBLOCK, Ended
from roles.kit.slot import BELL, PEERS, State, port_base

MANY = 64
"""A source is asked for so many items between two looks at the clock, for fewer where it is slow."""

BATCH_SIGNAL = "0"
"""By this the guide's ventilator tells the sink that a batch begins (chapter 1, "Divide and Conquer")."""

_SIGNALS: dict[type, object] = {str: BATCH_SIGNAL, bytes: BATCH_SIGNAL.encode(), int: int(BATCH_SIGNAL)}


def is_batch_signal(item: Any) -> bool:
    """Whether an item is the signal. What is text here is bytes in a plain program, and a number if read as JSON."""
    return type(item) in _SIGNALS and bool(_SIGNALS[type(item)] == item)


class Push(Outlet):
    """Sends each item to one of its peers in turn."""

    kind = "PUSH"
    socket_type = zmq.PUSH

    def _prepare(self) -> None:
        self._batcher: Batcher | None = None
        if self.spec.batch > 1:
            self._packing = packing(self.spec.codec)
            self._batcher = Batcher(self, self.spec.batch, self._packing.join)
            self.control.outlets.append(self)
            self.send = self._batched_sender(self._batcher, self._packing)  # type: ignore[assignment,method-assign]
        else:
            self.send, self._send_each = self._senders(self.codec.encode)  # type: ignore[assignment,method-assign]

    def send_all(self, items: Iterable[Any]) -> None:
        """Send each of the items, as a loop over `send` does, and quicker; raises as `send`."""
        batcher = self._batcher
        # What is taken from a port of this process counts as handled there when the next is asked for, so what comes
        # of it is counted at once. Of a source nothing is lost that is not in a frame yet: it was never sent.
        if batcher is None:
            self._send_each(items)
            return
        if self.spec.one_by_one or any(isinstance(port, Inlet) for port in self.control.ports):
            send = self.send
            for item in items:
                send(item)
            return
        source, pace = iter(items), Pace(MANY)
        while self.put_all(islice(source, pace.size)):
            pace.passed()

    def put_all(self, items: Iterable[Any]) -> int:
        """Put items into the batch, and count them as sent when all are in; how many they were. Raises as `send`.

        Where `items` raises in the middle, those before are in, and counted.
        """
        batcher = self._batcher
        assert batcher is not None
        self._look_at_batch(batcher)
        plain, admit, append = self._packing.plain, self._packing.admit, batcher.waiting.append
        before, usual = batcher.put, None
        try:
            for item in items:
                if type(item) is usual:
                    append(item)
                elif type(item) in plain:
                    usual = type(item)
                    append(item)
                else:
                    append(admit(item))
        finally:
            self.words[self._sent_at] = batcher.put
        return batcher.put - before

    def conclude(self) -> None:
        """The role sends no more: what still waits goes now, or is not sent once the role is to leave."""
        if self._batcher is None:
            return
        try:
            self._send_waiting()
        except Finish:
            self._batcher.take_back()

    def flush(self) -> bool:
        """Send what waits as far as that goes; whether nothing is left."""
        if self._batcher is None:
            return True
        self.words[self._sent_at] = (
            self._batcher.put
        )  # a source that pauses has not counted its last items yet
        return self._batcher.flush()

    def stir(self) -> None:
        """As of each port; all that waits is counted, too."""
        super().stir()
        if self._batcher is not None:
            self._batcher.due = 0
            self.words[self._sent_at] = self._batcher.put

    def frame_made(self, size_bytes: int) -> None:
        """Count the bytes of a frame."""
        self._count_sent(0, size_bytes)

    @property
    def most_bytes(self) -> int:
        """How large a frame may be."""
        return self.spec.max_message_bytes

    def refuse_larger(self, size_bytes: int, item: Any) -> None:
        """Raise TooLarge where one item is more than a frame may hold."""
        refuse_larger(self.spec, size_bytes, item)

    def go(self, frame: bytes) -> bool:
        """Send a frame if that can be done without waiting; whether it was."""
        try:
            self._send(frame, NOBLOCK, len(frame) < LARGE_BYTES)
        except zmq.Again:
            return False
        return True

    def taken_back(self, items: int, size_bytes: int) -> None:
        """Count items, and the bytes of their frames, as not sent after all."""
        self._count_sent(-items, -size_bytes)

    @property
    def packed(self) -> bool:
        """Whether items go many to a frame."""
        return self._batcher is not None

    @property
    def count(self) -> int:
        """How many items have been put into batches."""
        return self._batcher.put if self._batcher is not None else 0

    def peers(self) -> int:
        """How many connections the port had when the run began, one at least."""
        return self.words[port_base(self.index) + PEERS] or 1

    def _batched_sender(self, batcher: Batcher, pack: Packing) -> Callable[[Any], None]:
        """A `send` for streams, like the first of `_senders`."""
        words, sent_at, plain, admit = self.words, self._sent_at, pack.plain, pack.admit
        waiting, append, look = batcher.waiting, batcher.waiting.append, self._look_at_batch
        usual: type | None = None

        def send_item(item: Any) -> None:
            nonlocal usual
            if len(waiting) >= batcher.due:
                look(batcher)
            if type(item) is not usual:
                if type(item) in plain:
                    usual = type(item)
                else:
                    item = admit(item)
            append(item)
            words[sent_at] = batcher.bundled + len(waiting)

        return send_item

    def _look_at_batch(self, batcher: Batcher) -> None:
        if self.words[BELL] != self.control.heard:
            self._look_before_sending()
        if batcher.is_due():
            self._send_waiting()

    def _send_waiting(self) -> None:
        """Send all that waits, waiting for room; raises Finish once the role is to leave."""
        while not self.flush():
            self._await(State.SENDING, zmq.POLLOUT)


class Pull(Inlet):
    """Takes items from all its peers, fair-queued."""

    kind = "PULL"
    socket_type = zmq.PULL

    def _prepare(self) -> None:
        self._rest: Iterator[Any] = iter(())
        if self.spec.batch > 1:
            self._split = packing(self.spec.codec).split
            self.recv = self._recv_of_batch  # type: ignore[method-assign]
            self._iterate = self._iterate_batches  # type: ignore[method-assign]

    @property
    def packed(self) -> bool:
        """Whether items come many to a frame."""
        return self.spec.batch > 1

    def lists(self) -> Iterator[list[Any]]:
        """The items, many at a time as they came; those of a list count as handled once the next one is asked for.

        For who handles many items as easily as one. Without `batch` each list has one item.
        """
        if not self.packed or self.spec.one_by_one:
            for item in self:
                yield [item]
            return
        self.settle()
        while True:
            try:
                items = self.some(self.spec.batch)
            except Ended:
                return
            yield items
            self.handled(len(items))

    def some(self, most: int) -> list[Any]:
        """The next items of a batch, `most` at the most; raises as `recv`. They count once they are told as handled."""
        self._check_stop()
        while True:
            items = list(islice(self._rest, most))
            if items:
                return items
            self._rest = self._next_batch()

    def handled(self, count: int) -> None:
        """Count so many items as handled."""
        self.words[self._received_at] += count

    def relay(self, work: Callable[[Any], Any], results: Push) -> None:
        """Send what `work` makes of each item, until there are no more. Raises as `send`, and what `work` raises."""
        if self.packed and results.packed and not self.spec.one_by_one:
            _relay_lists(self, work, results)
            return
        with closing(iter(self)) as items:  # what raises leaves its task in hand at once
            results.send_all(map(work, items))

    def stuck_at(self, item: Any) -> None:
        """The role raises with this item in hand."""
        self._leave(item, 0)

    def _recv_of_batch(self) -> Any:
        """The next item; raises as `recv`."""
        self._count_the_iterations_item()
        self.settle()
        self._check_stop()
        while True:
            for item in self._rest:
                self._leave(item, 0)
                return item
            self._rest = self._next_batch()

    def _next_batch(self) -> Iterator[Any]:
        """The items of the next frame; raises Finish or Ended where none will come."""
        while True:
            try:
                frame = self._recv_late() if self._awaits else self._recv(NOBLOCK)
            except zmq.Again:
                frame = self._recv_late()
            try:
                items = self._split(frame)
            except MALFORMED:
                self._note_foreign()
                continue
            self.words[self._bytes_received_at] += len(frame)
            return iter(items)

    def _iterate_batches(self) -> Generator[Any]:
        self.settle()
        self._iterating, self._counted_aside = True, False
        words, control, received_at = self.words, self.control, self._received_at
        received = words[received_at]
        while True:
            for item in self._rest:
                try:
                    yield item
                except GeneratorExit:
                    self._iterating = False
                    if not self._counted_aside:
                        self._leave(item, 0)
                    raise
                if self._counted_aside:
                    self._counted_aside = False
                    self.settle()
                    received = words[received_at]
                else:
                    received += 1
                    words[received_at] = received
                if words[BELL] != control.heard:
                    self._check_stop()
            self._check_stop()
            try:
                self._rest = self._next_batch()
            except Ended:
                self._iterating = False
                return


def relay(tasks: Pull, work: Callable[[Any], Any], results: Push) -> None:
    """Send what `work` makes of each item, until there are no more. Raises as `send`, and what `work` raises."""
    tasks.relay(work, results)


def _relay_lists(tasks: Pull, work: Callable[[Any], Any], results: Push) -> None:
    """The same for a few tasks at a time: those that pass within a moment, so that none waits long for the others.

    They are counted at both ends once all are done. Whoever dies before that loses them, and the results with them.
    """
    pace = Pace(results.spec.batch)
    put = results.put_all
    while True:
        try:
            items = tasks.some(pace.size)
        except Ended:
            return
        done = -results.count
        pace.begin()
        try:
            put(map(work, items))
        except Exception:
            done += results.count
            tasks.handled(done)
            if done >= 0:  # else results of earlier tasks cannot be sent, and none of these was begun
                tasks.stuck_at(items[done])
            raise
        tasks.handled(len(items))
        pace.passed()
