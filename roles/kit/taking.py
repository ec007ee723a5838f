"""The ports of a worker whose tasks are acknowledged: one takes parcels of tasks, the other passes their results on.

What is sent between two tasks belongs to the first of them. Results travel together, with the names of their tasks,
when a parcel is worked through or some time has passed. A worker without an outlet acknowledges by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import accumulate
from time import monotonic_ns
from typing import Any, Final

import zmq

from roles.kit import parcels
from roles.kit.batches import packing
from roles.kit.control import Finish
from roles.kit.delivery import Delivery, Passer
from roles.kit.frames import Unsendable, as_many_as_fit, joined, refuse_larger
from roles.kit.parcels import Done, Mark, Results
from roles.kit.pipeline import Pull, Push
from roles.kit.ports import LARGE_BYTES, MALFORMED, NOBLOCK, Ended
from roles.kit.positions import Runs, as_runs, in_runs
from roles.kit.sent import SentBySource
from roles.kit.slot import BELL, HAND, State, port_base

YOUNG_NS: Final = 10_000_000
"""Results wait for others of their parcel for so long, and until the task after that is done."""


def _delivery_of(port: Pull | Push) -> Delivery:
    delivery = port.control.delivery
    assert delivery is not None
    return delivery


class Pass(Push):
    """Keeps what the role sends until its task is done, and then sends it on under the task's name."""

    def _prepare(self) -> None:
        self._batcher = None
        self._delivery = _delivery_of(self)
        self._delivery.passer = self
        self._packing = packing(self.spec.codec)
        self.results: list[Any] = []
        self._sent = SentBySource(2 * self.spec.window)
        self._plain, self._admit, self._append = self._packing.plain, self._packing.admit, self.results.append

    def send(self, item: Any) -> None:
        """One result of the task in hand; raises RuntimeError where there is none."""
        if not self.words[self._delivery.hand_at]:
            raise RuntimeError("cannot send without a task in hand: what is acknowledged is a task's results")
        self._append(item if type(item) in self._plain else self._admit(item))

    def send_all(self, items: Iterable[Any]) -> None:
        """Results of the task in hand."""
        for item in items:
            self.send(item)

    def conclude(self) -> None:
        """The role has done its part: what it has done goes out, and of a task in the middle nothing does."""
        if self._delivery.taker is not None:
            self._delivery.taker.conclude()

    def pass_results(self, source: bytes, tasks: list[int], counts: list[int] | None) -> int:
        """Send the results of the first of these tasks, as many as make a message; how many tasks that are.

        `counts` says how many results each has, None that it is one. Waits for room, and as long as the port is held;
        raises Finish, and Unsendable where the first task's results are, or are more than the endpoint allows.
        """
        results, join, most_bytes = self.results, self._packing.join, self.spec.max_message_bytes
        ends = None if counts is None else list(accumulate(counts))

        def make(some: int) -> list[bytes]:
            end = some if ends is None else ends[some - 1]
            header = Results(source, as_runs(tasks[:some]), None if counts is None else counts[:some])
            return [parcels.encode(header), joined(join, results[:end]) if end else b""]

        count, frames = as_many_as_fit(len(tasks), make, most_bytes)
        end = count if ends is None else ends[count - 1]
        if count == 1:
            refuse_larger(self.spec, len(frames[1]), results[0] if end == 1 else results[:end])
        self._send_on(frames, end)
        self._sent.add(source, tasks[:count], frames, end)
        del results[:end]
        return count

    def pass_again(self, source: bytes, tasks: Runs) -> None:
        """Send once more the results of these tasks, as far as they are still there; waits as the first time."""
        for frames, items in self._sent.with_any_of(source, tasks):
            self._send_on(frames, items)

    def pass_mark(self, mark: Mark) -> None:
        """Send a mark behind the results; waits as they do."""
        self._send_on([parcels.encode(mark), b""], 0)

    def _send_on(self, frames: list[bytes], items: int) -> None:
        if self.words[BELL] != self.control.heard:
            self.control.hear()
        self.control.await_release(self.name, self.index)
        size_bytes = len(frames[1])
        self._count_sent(items, size_bytes)
        while True:
            try:
                self.socket.send_multipart(frames, NOBLOCK, size_bytes < LARGE_BYTES)
            except zmq.Again:
                self._await(State.SENDING, zmq.POLLOUT)
            else:
                return


class Take(Pull):
    """Takes tasks parcel by parcel and gives them to the role one by one; the next is asked for when one is done."""

    socket_type = zmq.ROUTER

    def _prepare(self) -> None:
        self._delivery = _delivery_of(self)
        self._delivery.taker = self
        self._fail = self._delivery.fail
        self._split = packing(self.spec.codec).split
        self._hand_at = self._delivery.hand_at = port_base(self.index) + HAND
        self._source = b""
        self._number = self._slot = 0
        self._sources: set[bytes] = set()
        self._acknowledged = SentBySource(2 * self.spec.window)
        self._rest: Iterator[tuple[int, Any]] = iter(())
        self._position = 0
        self._done: list[int] = []
        self._counts: list[int] = []
        self._first_done_ns = 0
        self._is_stuck = False
        identity = self._delivery.identity(parcels.WORKER)
        self.socket.set(zmq.ROUTING_ID, identity)
        self.socket.set(zmq.PROBE_ROUTER, 1)
        self.socket.set(zmq.IMMEDIATE, 1)
        self.socket.set(zmq.ROUTER_HANDOVER, 1)
        self.socket.set_hwm(0)  # the source's window is the limit

    def relay(self, work: Callable[[Any], Any], results: Push) -> None:
        """As the loop over the tasks that sends what `work` makes of each, and quicker."""
        words, received_at, hand_at, clock = self.words, self._received_at, self._hand_at, monotonic_ns
        control, done, send = self.control, self._done, results.send
        received = words[received_at]
        while True:
            in_hand = parcels.hand(self._slot, 0)
            for position, item in self._rest:
                words[hand_at] = in_hand | position
                try:
                    send(work(item))
                except BaseException:
                    self._leave(item, 0)
                    raise
                received += 1
                words[received_at] = received
                if not done:
                    self._first_done_ns = clock()
                done.append(position)
                if clock() - self._first_done_ns > YOUNG_NS:
                    self._pass_on()
                if words[BELL] != control.heard:
                    self._check_stop()
            try:
                self._next_parcel()
            except Ended:
                return

    def recv(self) -> Any:
        """The next task; raises `Ended` at the end of the stream, `Finish` once the role is to leave."""
        self.settle()
        self._check_stop()
        while True:
            for position, item in self._rest:
                self._position = position
                self.words[self._hand_at] = parcels.hand(self._slot, position)
                self._leave(item, 0)
                return item
            self._next_parcel()

    def lists(self) -> Iterator[list[Any]]:
        """The tasks one by one, each a list of its own: each is done for itself."""
        for item in self:
            yield [item]

    def _iterate(self) -> Generator[Any]:
        while True:
            try:
                item = self.recv()
            except Ended:
                return
            yield item

    def settle(self) -> None:
        """The task in hand is done."""
        if self._in_hand < 0:
            return
        self._in_hand, self._item = -1, None
        self.words[self._received_at] += 1
        if not self._done:
            self._first_done_ns = monotonic_ns()
        self._done.append(self._position)
        passer = self._delivery.passer
        if passer is not None:
            self._counts.append(len(passer.results))
        if monotonic_ns() - self._first_done_ns > YOUNG_NS:
            self._pass_on()

    def shut(self) -> None:
        """No more is taken: a last mark behind the results tells what was not done.

        But not where the role has failed with a task in hand: then the coordinator tells what is to blame. Nor at the
        end of the stream, when nothing is left.
        """
        if self._in_hand < 0 and not self._is_stuck:
            self.words[self._hand_at] = 0
            if self.name not in self.control.ended:
                self._pass_last_marks()
        self.socket.close(linger=1000)

    def _pass_last_marks(self) -> None:
        with contextlib.suppress(Finish):
            for source in self._sources:
                self._pass_mark(source, Mark(parcels.LAST_MARK))

    def conclude(self) -> None:
        """Pass on what is done; once the role is to leave what cannot go at once is left to another worker."""
        try:
            self._pass_on()
        except Finish:
            self._done.clear()

    @property
    def packed(self) -> bool:
        """Tasks are handled one by one."""
        return False

    def _parcel_is_done(self) -> None:
        self.words[self._hand_at] = 0
        self._fail("worker.after_work")
        self._pass_on()
        self.socket.send_multipart([self._source, parcels.encode(Done(self._number))])
        self._number = 0

    def _pass_on(self) -> None:
        """Send the results of the tasks that are done, under their names, or where there are none acknowledge them."""
        done, passer = self._done, self._delivery.passer
        if not done:
            return
        self._fail("worker.before_send")
        if passer is None:
            self._acknowledge(self._source, done.copy())
        else:
            self._pass_results(passer)
        self._fail("worker.after_send")
        done.clear()
        self._counts.clear()

    def _acknowledge(self, source: bytes, tasks: list[int]) -> None:
        frames = list(parcels.acks(as_runs(tasks)))
        self._acknowledged.add(source, tasks, frames, 0)
        self._send_to(source, frames)

    def _send_to(self, source: bytes, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self.socket.send_multipart([source, frame])

    def _pass_results(self, passer: Passer) -> None:
        """What a task in the middle has sent stays behind for it.

        A task whose results cannot be sent is in hand again: it is to blame, and what was done before it is passed on.
        """
        done, ends = self._done, self._counts
        ones = not ends or ends == list(range(1, len(ends) + 1))
        counts = None if ones else [b - a for a, b in zip([0, *ends], ends, strict=False)]
        while done:
            try:
                passed = passer.pass_results(self._source, done, counts)
            except Unsendable:
                self._is_stuck = True
                self.words[self._hand_at] = parcels.hand(self._slot, done[0])
                raise
            del done[:passed]
            if counts is not None:
                del counts[:passed]
            if ends:
                gone = ends[passed - 1]
                ends[:] = [end - gone for end in ends[passed:]]

    def _next_parcel(self) -> None:
        """The last parcel is done: get hold of the next; raises Finish or Ended where none will come."""
        if self._number:
            self._parcel_is_done()
        while True:
            self._check_stop()
            try:
                frames = self.socket.recv_multipart(NOBLOCK)
            except zmq.Again:
                self._await(State.RECEIVING, zmq.POLLIN)
                continue
            try:
                source, header, payload = frames
                told = parcels.decode_forth(header)
                if isinstance(told, Mark):
                    self._pass_mark(source, told)
                    continue
                positions, items = in_runs(told.runs), self._split(payload)
                if len(positions) != len(items):
                    raise ValueError("cannot read a parcel: it has not as many tasks as positions")
            except MALFORMED:
                self._note_foreign()
                continue
            self.words[self._bytes_received_at] += len(payload)
            self._sources.add(source)
            self._source, self._number, self._slot = source, told.number, told.slot
            self._rest = iter(zip(positions, items, strict=True))
            self._fail("worker.after_receive")
            return

    def _pass_mark(self, source: bytes, mark: Mark) -> None:
        me = self._delivery.identity(parcels.WORKER)
        if self._delivery.passer is None:
            for frames, _ in self._acknowledged.with_any_of(source, mark.again):
                self._send_to(source, frames)
            self._send_to(source, parcels.acks([], [(me, mark.number)]))
        else:
            self._delivery.passer.pass_again(source, mark.again)
            self._delivery.passer.pass_mark(Mark(mark.number, source, me))
