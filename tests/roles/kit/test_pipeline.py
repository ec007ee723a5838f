"""PUSH and PULL with batches: what goes when, and what the slots say of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import zmq
from harness import wait_until
from role_process import await_all

from roles.kit import messages
from roles.kit.batches import LOOK_EVERY
from roles.kit.calls import SetupError
from roles.kit.control import Finish
from roles.kit.frames import Unsendable
from roles.kit.pipeline import Pull, Push, relay
from roles.kit.ports import Ended
from roles.kit.slot import State

DEADLINE_S = 60


@pytest.fixture
def never_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items go when they are enough, however long this process stands still."""
    monkeypatch.setattr("roles.kit.batches.AGE_NS", 10**18)


@pytest.fixture
def pair(desk: Callable[[], Any], address: str) -> Callable[..., tuple[Any, ...]]:
    """Opens a PUSH and a PULL that have met; the desks, then the ports."""

    def make(batch: int = 100, **spec: Any) -> tuple[Any, ...]:
        sender, receiver = desk(), desk()
        push = sender.open(Push(), address, mode="bind", batch=batch, **spec)
        pull = receiver.open(Pull(), address, batch=batch, **spec)
        await_all(push, pull)
        await_room(push)
        return sender, receiver, push, pull

    return make


def await_room(*ports: Any) -> None:
    """A send that does not wait looks for news of its peers once in 3 ms only; a poll always does."""
    for one in ports:
        assert one.port.socket.poll(DEADLINE_S * 1000, zmq.POLLOUT)


def in_a_thread(do: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def join(thread: threading.Thread) -> None:
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def end_after(desk: Any, opened: Any, items: int) -> None:
    """Tell a port of the stream's end as soon as it has counted so many items, as a coordinator does."""

    def tell() -> None:
        wait_until(lambda: desk.count(opened).received == items, "all items")
        desk.tell(messages.End(port=opened.spec.name))

    in_a_thread(tell)


def send_each(push: Any, items: Iterable[Any]) -> None:
    for item in items:
        push.port.send(item)


def for_each(pull: Any, do: Callable[[Any], object]) -> None:
    for item in pull.port:
        do(item)


def taken(pull: Any, most: int) -> list[Any]:
    """So many items, or all until none comes."""
    return [pull.port.recv() for _ in range(most)]


@pytest.mark.parametrize("codec", ["json", "msgpack", "text", "bytes"])
def test_items_are_counted_one_by_one(pair: Callable[..., Any], codec: str) -> None:
    sender, receiver, push, pull = pair(codec=codec)
    items = [f"item {number}" for number in range(250)]
    for item in items:
        push.port.send(item)
    assert sender.count(push).sent == 250
    push.port.flush()
    got = taken(pull, 250)
    assert got == ([item.encode() for item in items] if codec == "bytes" else items)
    assert receiver.count(pull).received == 249, "the last one is in hand"
    pull.port.settle()
    assert receiver.count(pull).received == 250
    assert receiver.count(pull).bytes_received == sender.count(push).bytes_sent


def test_an_iteration_that_is_left_goes_on_where_it_was(pair: Callable[..., Any]) -> None:
    _, receiver, push, pull = pair()
    for number in range(6):
        push.port.send(number)
    push.port.flush()
    for item in pull.port:
        if item == 2:
            break
    assert receiver.count(pull).received == 2
    assert pull.port.item_in_hand() == 2
    assert pull.port.recv() == 3
    assert receiver.count(pull).received == 3
    rest = []
    for item in pull.port:
        rest.append(item)
        if item == 5:
            break
    assert rest == [4, 5]


def test_a_recv_in_the_body_of_an_iteration_takes_the_next(pair: Callable[..., Any]) -> None:
    _, receiver, push, pull = pair()
    for number in range(6):
        push.port.send(number)
    push.port.flush()
    pairs = []
    for item in pull.port:
        pairs.append((item, pull.port.recv()))
        if len(pairs) == 3:
            break
    assert pairs == [(0, 1), (2, 3), (4, 5)]
    pull.port.settle()
    assert receiver.count(pull).received == 6


@pytest.mark.usefixtures("never_old")
def test_lists_count_when_the_next_is_asked_for(pair: Callable[..., Any]) -> None:
    _, receiver, push, pull = pair(batch=10)
    for number in range(25):
        push.port.send(number)
    push.port.flush()
    lists = pull.port.lists()
    assert next(lists) == list(range(10))
    assert receiver.count(pull).received == 0
    assert next(lists) == list(range(10, 20))
    assert receiver.count(pull).received == 10
    assert next(lists) == list(range(20, 25))
    receiver.tell(messages.End(port="port0"))
    assert list(lists) == []
    assert receiver.count(pull).received == 25


def test_frames_that_are_none_of_ours_are_counted_and_passed_over(pair: Callable[..., Any]) -> None:
    _, receiver, push, pull = pair()
    push.port.socket.send(b"7")
    push.port.socket.send(b"{}")
    push.port.send(1)
    push.port.flush()
    assert pull.port.recv() == 1
    assert receiver.count(pull).foreign == 2


def test_what_waits_goes_before_its_process_waits(desk: Callable[[], Any], address: str) -> None:
    worker, source, sink = desk(), desk(), desk()
    into = worker.open(Pull(), address)
    out = worker.open(Push(), f"{address}-out", mode="bind", batch=100)
    push = source.open(Push(), address, mode="bind")
    pull = sink.open(Pull(), f"{address}-out", batch=100)
    await_all(into, out, push, pull)
    out.port.send("first")
    assert not pull.port.socket.poll(50)
    thread = in_a_thread(into.port.recv)
    assert pull.port.recv() == "first"
    push.port.send("so that it ends")
    join(thread)


def test_what_waits_goes_before_a_pause(pair: Callable[..., Any]) -> None:
    sender, _, push, pull = pair()
    push.port.send("first")
    thread = in_a_thread(lambda: _until_ended(lambda: sender.control.pause(DEADLINE_S)))
    assert pull.port.recv() == "first"
    sender.tell(messages.Finish())
    join(thread)


def test_a_full_queue_is_waited_for_by_whoever_waits_for_something_else(
    desk: Callable[[], Any], address: str
) -> None:
    """What found no room must go as soon as there is some, though nothing more is sent."""
    worker, source = desk(), desk()
    into = worker.open(Pull(), address)
    out = worker.open(Push(), f"{address}-out", batch=2, hwm=1, options={"SNDBUF": 2048})
    push = source.open(Push(), address, mode="bind")
    with worker.context.socket(zmq.PULL) as sink:
        sink.set_hwm(1)
        sink.set(zmq.RCVBUF, 2048)
        sink.set(zmq.RCVTIMEO, DEADLINE_S * 1000)
        sink.bind(f"{address}-out")
        await_all(into, out, push)
        item = "x" * 5000
        sent = [0]

        def send_until_full() -> None:
            while out.port.flush():
                out.port.send(item)
                sent[0] += 1

        send_until_full()
        thread = in_a_thread(into.port.recv)
        wait_until(lambda: worker.state is State.RECEIVING, "it waits")
        got = 0
        while got < sent[0]:
            got += sink.recv().count(item.encode())
        push.port.send("so that it ends")
        join(thread)
        assert got == sent[0] == worker.count(out).sent


def test_a_held_port_sends_what_it_has_counted_and_nothing_more(pair: Callable[..., Any]) -> None:
    sender, _, push, pull = pair()
    sender.control.on_hold = lambda _: push.hold()
    sender.control.on_release = lambda _: push.release()
    for number in range(3):
        push.port.send(number)
    sender.tell(messages.Hold(port="port0", number=1))
    wait_until(lambda: sender.control.socket.poll(0), "the message to be there")
    sender.control.hear()
    thread = in_a_thread(lambda: push.port.send(3))
    assert taken(pull, 3) == [0, 1, 2]
    assert sender.count(push).sent == 3
    sender.tell(messages.Release(port="port0"))
    join(thread)
    push.port.flush()
    assert pull.port.recv() == 3


def test_who_is_to_finish_hears_of_it_within_a_few_items(pair: Callable[..., Any]) -> None:
    sender, _, push, pull = pair()
    for number in range(40):
        push.port.send(number)
    sender.tell(messages.Finish())
    wait_until(lambda: sender.control.socket.poll(0), "the message to be there")
    with pytest.raises(Finish):
        send_each(push, range(40, 100))
    push.port.conclude()
    sent = sender.count(push).sent
    assert 40 <= sent <= 40 + LOOK_EVERY
    assert taken(pull, sent) == list(range(sent))


@pytest.mark.usefixtures("never_old")
def test_what_nobody_takes_is_taken_back(desk: Callable[[], Any], address: str) -> None:
    sender = desk()
    push = sender.open(Push(), address, mode="bind", batch=100)
    send_each(push, range(3))
    sender.tell(messages.Finish())
    wait_until(lambda: sender.control.socket.poll(0), "the message to be there")
    with pytest.raises(Finish):
        send_each(push, range(3, 100))
    assert sender.count(push).sent >= 3
    push.port.conclude()
    for message in (
        messages.Release(port="port0"),
        messages.Stop(),
    ):  # what is said later brings nothing back
        count = sender.count(push)
        assert (count.sent, count.bytes_sent) == (0, 0)
        sender.tell(message)
        wait_until(lambda: sender.control.socket.poll(0), "the message to be there")
        sender.control.hear()
    assert sender.count(push).sent == 0


@pytest.fixture
def stages(desk: Callable[[], Any], address: str) -> Callable[..., tuple[Any, ...]]:
    """A source, a worker between its two ports, and a sink that have met."""

    def make(tasks: int = 100, results: int = 100, **spec: Any) -> tuple[Any, ...]:
        source, worker, sink = desk(), desk(), desk()
        push = source.open(Push(), address, mode="bind", batch=tasks, **spec)
        into = worker.open(Pull(), address, batch=tasks, **spec)
        out = worker.open(Push(), f"{address}-out", mode="bind", batch=results, **spec)
        pull = sink.open(Pull(), f"{address}-out", batch=results, **spec)
        await_all(push, into, out, pull)
        await_room(push, out)
        return source, worker, push, into, out, pull

    return make


@pytest.mark.parametrize(("tasks", "results"), [(100, 100), (1, 100), (100, 1), (1, 1)])
def test_a_relay_does_the_work(stages: Callable[..., Any], tasks: int, results: int) -> None:
    _, worker, push, into, out, pull = stages(tasks, results)
    for number in range(250):
        push.port.send(number)
    push.port.flush()
    thread = in_a_thread(lambda: relay(into.port, lambda number: number * 2, out.port))
    assert taken(pull, 250) == [number * 2 for number in range(250)]
    worker.tell(messages.End(port="port0"))
    join(thread)
    assert (worker.count(into).received, worker.count(out).sent) == (250, 250)


def test_a_relay_that_fails_has_counted_what_was_done(stages: Callable[..., Any]) -> None:
    _, worker, push, into, out, pull = stages()
    for number in range(50):
        push.port.send(number)
    push.port.flush()

    def work(number: int) -> int:
        if number == 37:
            raise RuntimeError("no")
        return number

    with pytest.raises(RuntimeError, match="no"):
        relay(into.port, work, out.port)
    assert into.port.item_in_hand() == 37
    assert (worker.count(into).received, worker.count(out).sent) == (37, 37)
    out.port.conclude()
    assert taken(pull, 37) == list(range(37))


@pytest.mark.parametrize("bad", [0, 1])
def test_a_relay_whose_result_cannot_be_packed_blames_no_other_task(
    stages: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    """It shows when the next tasks are in hand, of which none is to blame; they are unread."""
    monkeypatch.setattr("roles.kit.batches.AGE_NS", 0)
    _, worker, push, into, out, _ = stages(codec="msgpack")
    for number in range(50):
        push.port.send(number)
    push.port.flush()
    with pytest.raises(Unsendable, match=f"cannot send {2**70}: OverflowError"):
        relay(into.port, lambda number: 2**70 if number == bad else number, out.port)
    assert into.port.item_in_hand() is None
    out.port.conclude()
    assert (worker.count(into).received, worker.count(out).sent) == (bad, bad)


def test_a_slow_relay_does_not_keep_its_results(stages: Callable[..., Any]) -> None:
    """The first result is there while the second item is still being worked on."""
    _, _, push, into, out, pull = stages()
    for number in range(4):
        push.port.send(number)
    push.port.flush()
    go_on = threading.Event()
    slow = threading.Event()

    def work(number: int) -> int:
        if number < 2:
            slow.wait(0.05)  # long enough to be old
        else:
            go_on.wait(DEADLINE_S)
        return number

    thread = in_a_thread(lambda: _until_ended(lambda: relay(into.port, work, out.port)))
    assert pull.port.recv() == 0
    go_on.set()
    assert taken(pull, 3) == [1, 2, 3]
    into.port.control.ended.add("port0")
    del thread


def _until_ended(do: Callable[[], object]) -> None:
    with contextlib.suppress(Finish, Ended, zmq.ZMQError):
        do()


def test_all_of_a_source_is_sent_and_counted(pair: Callable[..., Any]) -> None:
    sender, _, push, pull = pair()
    push.port.send_all(iter(range(250)))
    push.port.conclude()
    assert sender.count(push).sent == 250
    assert taken(pull, 250) == list(range(250))


def test_a_source_that_pauses_has_sent_and_counted_what_it_gave(pair: Callable[..., Any]) -> None:
    sender, _, push, pull = pair()
    counted = []

    def items() -> Iterator[int]:
        yield from range(20)
        sender.control.pause(0.05)
        counted.append(sender.count(push).sent)
        yield from range(20, 25)

    push.port.send_all(items())
    assert counted == [20]
    push.port.conclude()
    assert sender.count(push).sent == 25
    assert taken(pull, 25) == list(range(25))


def test_what_a_source_has_given_is_counted_as_soon_as_the_port_is_held(pair: Callable[..., Any]) -> None:
    sender, _, push, pull = pair()
    sender.control.on_hold = lambda _: push.hold()
    sender.control.on_release = lambda _: push.release()

    def items() -> Iterator[int]:
        yield from range(3)  # they are put in one after the other, and then two at a time
        yield 3
        sender.tell(messages.Hold(port="port0", number=1))
        wait_until(lambda: sender.control.socket.poll(0), "the message to be there")
        sender.control.hear()
        assert sender.count(push).sent == 4
        yield 4

    thread = in_a_thread(lambda: push.port.send_all(items()))
    assert taken(pull, 4) == list(range(4))
    sender.tell(messages.Release(port="port0"))
    join(thread)
    push.port.conclude()
    assert pull.port.recv() == 4


def test_a_source_that_fails_has_counted_what_it_gave(pair: Callable[..., Any]) -> None:
    sender, _, push, _ = pair()

    def items() -> Iterator[int]:
        yield from range(5)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        push.port.send_all(items())
    assert sender.count(push).sent == 5


@pytest.mark.parametrize("batch", [1, 100])
def test_after_a_relay_a_port_sends_on(stages: Callable[..., Any], batch: int) -> None:
    _, worker, push, into, out, pull = stages(batch, batch)
    send_each(push, range(10))
    push.port.flush()
    end_after(worker, into, 10)
    relay(into.port, lambda number: -number, out.port)
    out.port.send("the last")
    out.port.conclude()
    assert taken(pull, 11) == [-number for number in range(10)] + ["the last"]
    assert (worker.count(into).received, worker.count(out).sent) == (10, 11)
    sink_bytes = sum(len(str(-number)) for number in range(10)) + len('"the last"')
    into.port.tally()
    out.port.tally()
    if batch == 1:
        assert worker.count(out).bytes_sent == sink_bytes


@pytest.mark.parametrize("batch", [1, 100])
def test_all_that_comes_is_counted(pair: Callable[..., Any], batch: int) -> None:
    sender, receiver, push, pull = pair(batch=batch)
    send_each(push, range(130))
    push.port.flush()
    end_after(receiver, pull, 130)
    assert list(pull.port) == list(range(130))
    push.port.tally()
    count = receiver.count(pull)
    assert (count.received, count.bytes_received) == (130, sender.count(push).bytes_sent)


def test_who_raises_in_the_middle_has_the_item_in_hand(pair: Callable[..., Any]) -> None:
    _, receiver, push, pull = pair(batch=1)
    send_each(push, range(5))

    def do(item: int) -> None:
        if item == 3:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        for_each(pull, do)
    assert pull.port.item_in_hand() == 3
    assert receiver.count(pull).received == 3
    assert pull.port.recv() == 4, "3 is handled once the next is asked for"
    assert receiver.count(pull).received == 4


@pytest.mark.usefixtures("never_old")
@pytest.mark.parametrize("batch", [1, 100])
def test_a_recv_for_each_item_of_a_loop(pair: Callable[..., Any], batch: int) -> None:
    _, receiver, push, pull = pair(batch=batch)
    send_each(push, range(6))
    push.port.flush()
    pairs: list[tuple[int, int]] = []
    end_after(receiver, pull, 6)
    for_each(pull, lambda item: pairs.append((item, pull.port.recv())))
    pull.port.tally()
    assert pairs == [(0, 1), (2, 3), (4, 5)]
    assert receiver.count(pull).received == 6
    assert receiver.count(pull).bytes_received == (6 if batch == 1 else len(b"[0,1,2,3,4,5]"))


def test_two_iterations_at_once_are_no_mistake(pair: Callable[..., Any]) -> None:
    _, receiver, push, pull = pair(batch=1)
    send_each(push, range(4))
    one, other = iter(pull.port), iter(pull.port)
    assert [next(one), next(other), next(one)] == [0, 1, 2]
    del one
    assert next(other) == 3
    receiver.tell(messages.End(port="port0"))
    assert list(other) == []


def test_an_option_that_a_socket_does_not_take_is_named(desk: Callable[[], Any]) -> None:
    with pytest.raises(
        SetupError, match="cannot set BINDTODEVICE to 'no such device, and too long': "
    ) as error:
        desk().open(Push(), "inproc://somewhere", options={"BINDTODEVICE": "no such device, and too long"})
    assert error.value.where == "options.port0.BINDTODEVICE"
