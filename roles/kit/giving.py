"""The outlet of a source whose tasks are acknowledged: a ROUTER that gives each to a worker until it is done for good.

`Dispatch` decides; this port hears and sends. No message is larger than the endpoint allows, nor than `PARCEL_BYTES`
but for a task that is so by itself: it is packed before anybody is given it, and where it turns out too large, only the
first tasks of it go. What is over stands in a journal beside the run's other files, so that an
incarnation to come need not give it again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from itertools import islice
from time import monotonic_ns
from typing import Any, Final

import msgspec
import zmq

from roles.kit import messages, parcels
from roles.kit.batches import packing
from roles.kit.control import Finish
from roles.kit.dispatch import GUILTY_AFTER, MOST_IN_PARCEL, Dispatch, Given
from roles.kit.frames import Unsendable, as_many_as_fit, joined, refuse_larger
from roles.kit.journal import Journal
from roles.kit.pace import Pace
from roles.kit.parcels import Acks, Done, Mark, Parcel
from roles.kit.pipeline import Push
from roles.kit.ports import LARGE_BYTES, MALFORMED, NOBLOCK
from roles.kit.positions import Runs, as_runs
from roles.kit.slot import ACKED, ASIDE, BELL, CUMULATIVE, REDELIVERED, State, port_base
from roles.kit.telling import briefly, safe

LOOK_MS: Final = 50
"""So often a source that waits looks whether something may have been lost."""

_LONGEST_ITEM: Final = 200
_INCARNATION_BITS: Final = 36
"""An incarnation sends no more marks, and no more parcels, than these hold, and no source has 2^26 incarnations."""


class Give(Push):
    """Gives each item to a worker that has room for it, and again where one dies, until it is acknowledged."""

    socket_type = zmq.ROUTER

    def _prepare(self) -> None:
        delivery = self.control.delivery
        assert delivery is not None
        self._batcher = None
        self._delivery = delivery
        self._fail = delivery.fail
        self._packing = packing(self.spec.codec)
        self._journal = Journal(delivery.folder / f"{delivery.process}.journal")
        most = self.spec.batch if self.spec.batch > 1 else MOST_IN_PARCEL
        self._most = min(most, parcels.most_named(self.spec.max_message_bytes))
        self._most_bytes = min(parcels.PARCEL_BYTES, self.spec.max_message_bytes)
        self._dispatch = Dispatch(
            self.spec.window,
            most=self._most,
            done=self._journal.over,
            before=self._journal.come_to,
            refused=self._journal.refused,
            aside=self._journal.aside,
            blamed=self._journal.blamed,
            first_number=delivery.incarnation << _INCARNATION_BITS,
        )
        self._position = 0
        self._refused = self._journal.refused
        self._waiting: list[Any] = []
        self._left: dict[bytes, int] = {}
        self._pace = Pace(self._most)
        self._had_a_sink = self._ends = self._waits = False
        self._look_ns = 0
        self.socket.set(zmq.ROUTING_ID, delivery.process.encode())
        self.socket.set(zmq.ROUTER_MANDATORY, 1)
        self.socket.set(zmq.ROUTER_HANDOVER, 1)
        self.socket.set_hwm(0)  # the window is the limit
        delivery.giver = self
        self.control.outlets.append(self)
        self.control.attended.append(self)
        self.control.on_gone = self._gone
        self.words[port_base(self.index) + CUMULATIVE] = 1
        self._note_counts()

    def begin_after(self) -> int:
        """Whoever makes the items leaves out the first ones, so many, which are over; asked before any is sent."""
        self._position = self._dispatch.done.watermark
        return self._position

    @property
    def owes(self) -> bool:
        """An earlier incarnation has given tasks that this one has not come to, and somebody may take them."""
        come_to = max(self._position, self._dispatch.done.watermark)
        return come_to < self._dispatch.resumes_to and self.name not in self.control.ended

    def send(self, item: Any) -> None:
        """Have one item done; blocks while nobody has room for it, raises `Finish` once nobody needs more."""
        self._waiting.append(item if type(item) in self._packing.plain else self._packing.admit(item))
        if len(self._waiting) >= self._pace.size:
            self._pace.passed()
            self._hand_out()
            self._pace.begin()

    def send_all(self, items: Iterable[Any]) -> None:
        """Have each of the items done; raises as `send`.

        It looks ahead a little, to know the end when it is near: where it raises for one item, some of those after it
        have been taken, and are given all the same.
        """
        plain, admit, waiting, pace = self._packing.plain, self._packing.admit, self._waiting, self._pace
        append, source = self._waiting.append, iter(items)
        while not self._ends:
            wanted, come = max(0, pace.size - len(waiting)), 0
            pace.begin()
            for item in islice(source, wanted):
                append(item if type(item) in plain else admit(item))
                come += 1
            self._ends = come < wanted
            if come:
                pace.passed()
            try:
                self._hand_out(0 if self._ends else pace.size // 2)
            except Unsendable:
                self._ends = False
                raise
        self._ends = False

    def conclude(self) -> None:
        """The role gives no more: stay until all is over, until nobody is left to take any, or until Stop."""
        self._ends = True
        try:
            self._hand_out()
        except Finish:
            self._waiting.clear()  # it was never given to anybody
        control = self.control
        while not (control.stopping or self.name in control.ended):
            self.attend()
            if self._dispatch.settled:
                return
            self._wait()

    def flush(self) -> bool:
        """Hand out what waits as far as there is room; nothing of it is worth waking up for room at the socket."""
        if not self._waits:
            self.attend()
        return True

    def attend(self) -> None:
        """Take in the news, and give what can be given, without waiting."""
        self._hear()
        self._give_again()
        while self._waiting and self.name not in self.control.held and not self.control.finishing:
            self._inherit_waiting()
            found = self._room() if self._waiting else None
            if found is None:
                break
            self._give_waiting(*found)
        self._look_for_losses()

    def _look_for_losses(self) -> None:
        """Now and then: ask what became of tasks of which nothing has been heard for long."""
        now_ns = monotonic_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_MS * 1_000_000
            self._dispatch.take_stock(now_ns, self.peers())
            self._dispatch.give_up_on_leavers(now_ns)
            for worker in self._dispatch.to_ask(now_ns):
                self._send_mark(worker)

    def _room(self) -> tuple[bytes, int] | None:
        """Who may be given how many tasks."""
        if not self._ends:
            return self._dispatch.room()
        return self._dispatch.room(monotonic_ns(), len(self._waiting) + self._dispatch.waiting_again)

    def _hand_out(self, keep: int = 0) -> None:
        """Give what waits, but for so many, waiting for room; raises Finish."""
        control = self.control
        while len(self._waiting) > keep:
            if self.words[BELL] != control.heard:
                control.look()
            self._hear()
            self._look_for_losses()
            if self._dispatch.waits_again:
                self._give_again()
            self._inherit_waiting()
            if not self._waiting:
                continue
            found = None if self.name in control.held else self._room()
            if found is not None:
                self._give_waiting(*found)
                continue
            self._wait()

    def _wait(self) -> None:
        """Wait for news; all that there were have been taken in."""
        control = self.control
        self._waits = True
        pollees = [(self.socket, zmq.POLLIN), (control.socket, zmq.POLLIN)]
        control.wait(pollees, State.SENDING, self.index, LOOK_MS)
        self._waits = False

    def _give_waiting(self, worker: bytes, room: int) -> None:
        positions, items, payload = self._take_turns(room)
        if not positions:
            return
        given = self._dispatch.give(worker, positions, items, monotonic_ns())
        if self._position > self._journal.come_to:
            self._journal.note_turns(self._position, self._refused)
        self._send_parcel(given, payload)

    def _inherit_waiting(self) -> None:
        """Those that an earlier incarnation has given have their turn, and are only given where they were lost."""
        while self._waiting and self._dispatch.inherited.has(self._position + 1):
            positions, items, _ = self._take_turns(self._dispatch.inherited.before - self._position)
            self._dispatch.inherit(positions, items)

    def _take_turns(self, most: int) -> tuple[Sequence[int], list[Any], bytes]:
        """Positions, items and payload of the next ones, so many at the most, which thereby have had their turn.

        There may be none: they are over. Raises Unsendable for the first one.
        """
        items = self._waiting[:most]
        positions: Sequence[int] = range(self._position + 1, self._position + 1 + len(items))
        if self._position < self._dispatch.resumes_to:
            first, positions = self._position + 1, self._dispatch.not_over(positions)
            if not positions:
                self._go_on(len(items))
                return [], [], b""
            items = [items[position - first] for position in positions]
        try:
            count, payload = self._pack(items)
            if count == 1:
                refuse_larger(self.spec, len(payload), items[0])
        except Unsendable:
            self._go_on(positions[0] - self._position)  # it is not in the way of the others
            self._refused += self._position > self._journal.come_to
            raise
        self._go_on(positions[count - 1] - self._position)
        return positions[:count], items[:count], payload

    def _go_on(self, count: int) -> None:
        """So many of those that wait have had their turn."""
        del self._waiting[:count]
        self._position += count
        self.control.finish_if_due()

    def _pack(self, items: list[Any]) -> tuple[int, bytes]:
        """How many of these make a parcel, and its payload; the next one is tried with as many as should fit."""
        join = self._packing.join
        count, (payload,) = as_many_as_fit(
            len(items), lambda some: [joined(join, items[:some])], self._most_bytes
        )
        self._dispatch.most = max(1, min(self._most, self._most_bytes * count // len(payload)))
        return count, payload

    def _give_again(self) -> None:
        dispatch = self._dispatch
        while dispatch.waits_again:
            found = self._room()
            if found is None:
                return
            worker, room = found
            count, payload = self._pack(dispatch.next_again(room))
            given = dispatch.give_again(worker, count, monotonic_ns())
            assert given is not None
            self._send_parcel(given, payload)

    def _send_parcel(self, given: Given, payload: bytes) -> None:
        header = parcels.encode(Parcel(given.number, self._delivery.slot, as_runs(given.positions)))
        self._note_counts()
        self.words[self._bytes_sent_at] += len(payload)
        self._fail("source.before_send")
        if not self._send_frames_to(given.worker, header, payload):
            self._dispatch.not_sent(given)
        self._fail("source.after_send")

    def _send_frames_to(self, peer: bytes, *frames: bytes) -> bool:
        """Send to one peer; False where it is not there."""
        try:
            self.socket.send_multipart([peer, *frames], NOBLOCK, len(frames[-1]) < LARGE_BYTES)
        except zmq.ZMQError as error:
            if error.errno not in (errno.EHOSTUNREACH, errno.EAGAIN):
                raise
            return False
        return True

    def _send_mark(self, worker: bytes, *, again: Runs | None = None) -> None:
        """Ask a worker for a mark, and that it sends what it has of the results of tasks `again` before that."""
        number = self._dispatch.mark(worker, monotonic_ns())
        mark = Mark(number, again=[*self._dispatch.inherited.asked_of(worker, number), *(again or [])])
        if not self._send_frames_to(worker, parcels.encode(mark), b""):
            self._dispatch.unreachable(worker)

    def _hear(self) -> None:
        receive = self.socket.recv_multipart
        while True:
            try:
                frames = receive(NOBLOCK)
            except zmq.Again:
                return
            self._take_in_news(frames)

    def _take_in_news(self, frames: list[bytes]) -> None:
        peer = frames[0]
        is_worker = peer.startswith(parcels.WORKER)
        if len(frames) != 2 or not (is_worker or peer.startswith(parcels.SINK)):
            self._note_foreign()
            return
        if not frames[1]:
            self._arrived(peer, is_worker=is_worker)
            return
        try:
            told = parcels.decode_up(frames[1])
            match told:
                case Acks():
                    self._acknowledged(told)
                case Done() if is_worker:
                    self._dispatch.worked_through(peer, told.number, monotonic_ns())
                case _:
                    self._note_foreign()
        except MALFORMED:
            self._note_foreign()

    def _arrived(self, peer: bytes, *, is_worker: bool) -> None:
        """Somebody has connected, maybe again: what was under way to a worker, or to a sink, may be gone."""
        if is_worker:
            self.control.hear()  # of an earlier incarnation's death was told before this one was started
            process, _, incarnation = peer.removeprefix(parcels.WORKER).rpartition(b"/")
            if incarnation.isdigit() and int(incarnation) <= self._left.get(process, -1):
                return  # it came, and left before this was read
            if self._dispatch.arrived(peer, monotonic_ns()):
                self._send_mark(peer)
            return
        self._dispatch.inherited.come(peer, monotonic_ns())
        if self._had_a_sink:
            self._dispatch.give_up_on_leavers(monotonic_ns(), everyone=True)
            self._dispatch.ask_anew()
            for worker in self._dispatch.to_ask(monotonic_ns(), everyone=True):
                self._send_mark(worker)
        self._had_a_sink = True

    def _acknowledged(self, told: Acks) -> None:
        if told.runs:
            self._fail("source.before_journal")
            new = self._dispatch.acknowledge(told.runs, monotonic_ns())
            if new:
                self._journal.note_over(told.runs, self._dispatch.done)
                self.control.finish_if_due()
            self._fail("source.after_journal")
        for worker, number in told.marks:
            lost = self._dispatch.passed(worker, number)
            if lost:
                self._send_mark(worker, again=parcels.few_runs(lost))
        self._note_counts()

    def _gone(self, gone: messages.Gone) -> None:
        """A worker takes no more, the coordinator says, and with which task in hand it died."""
        process = gone.process.encode()
        worker = parcels.WORKER + process + f"/{gone.incarnation}".encode()
        self._left[process] = max(gone.incarnation, self._left.get(process, -1))
        if gone.finished:
            self._dispatch.leaves(worker)
            return
        in_hand = parcels.position_in_hand(gone.hand, self._delivery.slot)
        blamed = self._dispatch.blamed.get(in_hand, 0)
        aside = self._dispatch.gone(worker, in_hand)
        if self._dispatch.blamed.get(in_hand, 0) > blamed:
            self._journal.note_blamed(in_hand)
        for position, item in aside:
            self._journal.note_aside(position)
            told = _text(item)
            self.control.say(
                messages.SetAside(port=self.name, position=position, deaths=GUILTY_AFTER, item=told)
            )
        self._note_counts()

    def _note_counts(self) -> None:
        words, base, dispatch = self.words, port_base(self.index), self._dispatch
        words[self._sent_at] = dispatch.given
        words[base + ACKED] = dispatch.acknowledged
        words[base + REDELIVERED] = dispatch.again
        words[base + ASIDE] = dispatch.aside


def _text(item: Any) -> str:
    """The beginning of an item; one that was packed already as it is in its frame."""
    if isinstance(item, msgspec.Raw):
        return safe(bytes(memoryview(item)[:_LONGEST_ITEM]).decode(errors="replace"))
    return briefly(item, _LONGEST_ITEM)
