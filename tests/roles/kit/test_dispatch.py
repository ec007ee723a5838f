"""The source's side of acknowledged delivery, as values: who is given what, when, and what comes of deaths."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from seeds import seeds

from roles.kit.dispatch import BUSY_NS, GUILTY_AFTER, LEAST_AHEAD, MOST_IN_PARCEL, QUIET_NS, Dispatch
from roles.kit.parcels import LAST_MARK
from roles.kit.positions import Positions, as_runs, in_runs
from roles.kit.sent import Sent

MS = 1_000_000


def give(dispatch: Dispatch, items: list[Any], first: int = 1, now_ns: int = 0, **rooms: Any):
    """Give as many of these items as there is room for, at once; what was given."""
    found = dispatch.room(**rooms)
    if found is None:
        return None
    name, room = found
    part = items[:room]
    return dispatch.give(name, range(first, first + len(part)), part, now_ns)


def learn(dispatch: Dispatch, name: bytes, task_ms: float) -> None:
    """Have a worker known to take so long for a task."""
    at, position = 0, dispatch.given
    while True:
        turn = dispatch.room()
        assert turn is not None
        if turn[0] == name:
            break
    given = dispatch.give(name, range(position + 1, position + 2), ["x"], at)
    dispatch.worked_through(name, given.number, at + int(task_ms * MS))
    dispatch.acknowledge(as_runs(given.positions), at + int(task_ms * MS))


def test_nobody_has_room_before_somebody_is_there():
    assert Dispatch(10).room() is None


def test_the_first_task_is_given_alone_and_the_next_when_it_is_done():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    given = give(dispatch, ["a", "b"])
    assert (given.worker, list(given.positions), given.items) == (b"w", [1], ["a"])
    assert dispatch.room() is None
    dispatch.worked_through(b"w", given.number, 1 * MS)
    assert dispatch.room() == (b"w", 2)
    assert not dispatch.settled
    assert dispatch.acknowledge([1, 1], 2 * MS) == 1
    assert dispatch.settled


def test_a_fast_worker_comes_to_have_the_whole_window_and_never_more():
    dispatch = Dispatch(300)
    dispatch.arrived(b"w", 0)
    now_ns, given_so_far = 0, 0
    while (found := dispatch.room()) is not None:
        assert found[1] <= MOST_IN_PARCEL
        positions = range(given_so_far + 1, given_so_far + 1 + found[1])
        given = dispatch.give(b"w", positions, list(positions), now_ns)
        given_so_far += found[1]
        now_ns += 1000
        dispatch.worked_through(b"w", given.number, now_ns)
    assert given_so_far == 300


@pytest.mark.parametrize(("task_ms", "ahead"), [(1, 20), (4, 5), (20, LEAST_AHEAD), (500, LEAST_AHEAD)])
def test_a_worker_holds_what_it_does_within_20_ms(task_ms, ahead):
    dispatch = Dispatch(1000)
    dispatch.arrived(b"w", 0)
    learn(dispatch, b"w", task_ms)
    held = 0
    while (found := dispatch.room()) is not None:
        first = dispatch.given + 1
        dispatch.give(found[0], range(first, first + found[1]), ["x"] * found[1], 0)
        held += found[1]
    assert held == ahead


def test_at_the_end_a_slow_worker_is_given_nothing_that_others_do_sooner():
    dispatch = Dispatch(1000)
    for name in (b"slow", b"fast"):
        dispatch.arrived(name, 0)
    learn(dispatch, b"slow", 30)
    learn(dispatch, b"fast", 1)
    names = [dispatch.room(left=100)[0] for _ in range(4)]
    assert b"slow" in names
    assert {dispatch.room(left=20)[0] for _ in range(4)} == {b"fast"}


def test_at_the_end_a_slow_worker_is_given_what_a_stuck_one_would_never_do():
    dispatch = Dispatch(1000)
    for name in (b"slow", b"stuck"):
        dispatch.arrived(name, 0)
    learn(dispatch, b"slow", 30)
    learn(dispatch, b"stuck", 1)
    while dispatch.room()[0] != b"stuck":
        pass
    dispatch.give(b"stuck", [3, 4], ["x", "y"], 0)
    dispatch.unreachable(b"nobody")
    late_ns = QUIET_NS + 10 * MS
    assert {dispatch.room(1 * MS, 1)[0] for _ in range(4)} == {b"stuck"}
    assert b"slow" in {dispatch.room(late_ns, 1)[0] for _ in range(4)}


def test_what_a_dead_worker_held_is_given_again_first():
    dispatch = Dispatch(10)
    dispatch.arrived(b"dead", 0)
    given = give(dispatch, ["a"])
    assert dispatch.gone(b"dead") == []
    dispatch.arrived(b"other", 0)
    again = dispatch.give_again(*dispatch.room(), 0)
    assert (again.worker, list(again.positions), again.items) == (b"other", [1], ["a"])
    assert again.number != given.number
    assert (dispatch.given, dispatch.again) == (1, 1)


def test_an_acknowledgement_retires_a_task_that_waits_again():
    dispatch = Dispatch(10)
    dispatch.arrived(b"dead", 0)
    give(dispatch, ["a"])
    dispatch.gone(b"dead")
    dispatch.acknowledge([1, 1], 0)
    assert not dispatch.waits_again
    assert dispatch.settled
    assert dispatch.again == 0


def test_an_acknowledgement_retires_a_task_that_another_has_by_now():
    dispatch = Dispatch(1)
    dispatch.arrived(b"dead", 0)
    give(dispatch, ["a"])
    dispatch.gone(b"dead")
    dispatch.arrived(b"other", 0)
    again = dispatch.give_again(*dispatch.room(), 0)
    dispatch.acknowledge([1, 1], 0)
    assert dispatch.settled
    dispatch.worked_through(b"other", again.number, 1)
    assert dispatch.room() is not None, "its window is free again"


def test_acknowledging_twice_counts_once():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    give(dispatch, ["a"])
    assert [dispatch.acknowledge([1, 1], 0) for _ in range(2)] == [1, 0]
    assert (dispatch.given, dispatch.acknowledged) == (1, 1)


def test_a_parcel_that_cannot_be_sent_waits_until_somebody_is_there():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    dispatch.not_sent(give(dispatch, ["a"]))
    assert dispatch.room() is None
    assert dispatch.waits_again
    dispatch.arrived(b"w", 0)
    assert dispatch.give_again(*dispatch.room(), 0).items == ["a"]


def test_a_mark_tells_what_was_lost_and_nothing_that_was_given_after_it():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    learn(dispatch, b"w", 1)
    dispatch.give(b"w", [2, 3], ["lost", "kept"], 0)
    number = dispatch.mark(b"w", 0)
    dispatch.give(b"w", [4], ["later"], 0)
    dispatch.acknowledge([3, 1], 0)
    assert dispatch.passed(b"w", number) == [2], "its result may only have been lost with the sink"
    number = dispatch.mark(b"w", 0)
    assert not dispatch.waits_again
    assert dispatch.passed(b"w", number) == [4], "which was given before that"
    assert list(dispatch.give_again(b"w", 5, 0).positions) == [2]


def test_what_was_asked_for_again_need_not_be_given_again():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    learn(dispatch, b"w", 1)
    dispatch.give(b"w", [2, 3], ["a", "b"], 0)
    assert dispatch.passed(b"w", dispatch.mark(b"w", 0)) == [2, 3]
    number = dispatch.mark(b"w", 0)
    dispatch.acknowledge([2, 2], 0)
    assert dispatch.passed(b"w", number) == []
    assert dispatch.settled
    assert dispatch.again == 0


@pytest.mark.parametrize("news", ["a sink", "the worker itself"])
def test_what_was_asked_for_may_be_lost_again_and_is_asked_for_anew(news):
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    learn(dispatch, b"w", 1)
    dispatch.give(b"w", [2], ["a"], 0)
    assert dispatch.passed(b"w", dispatch.mark(b"w", 0)) == [2]
    dispatch.mark(b"w", 0)  # it never comes back
    dispatch.ask_anew() if news == "a sink" else dispatch.arrived(b"w", 0)
    assert dispatch.passed(b"w", dispatch.mark(b"w", 0)) == [2]
    assert not dispatch.waits_again
    assert dispatch.passed(b"w", dispatch.mark(b"w", 0)) == []
    assert dispatch.waits_again


def test_who_is_asked_whether_something_was_lost():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    dispatch.arrived(b"idle", 0)
    while dispatch.room()[0] != b"w":
        pass
    given = dispatch.give(b"w", [1], ["a"], 0)
    assert dispatch.to_ask(QUIET_NS) == [], "it is at work"
    assert dispatch.to_ask(BUSY_NS) == [b"w"]
    dispatch.worked_through(b"w", given.number, 0)
    assert dispatch.to_ask(QUIET_NS) == [b"w"]
    assert dispatch.to_ask(0, everyone=True) == [b"w"]
    dispatch.mark(b"w", QUIET_NS)
    assert dispatch.to_ask(2 * QUIET_NS) == [], "it was asked"
    assert dispatch.to_ask(QUIET_NS + BUSY_NS) == [b"w"], "the mark is lost, too"
    dispatch.acknowledge([1, 1], 0)
    assert dispatch.to_ask(10 * BUSY_NS) == []


def test_the_task_in_hand_of_workers_that_die_is_set_aside_and_no_other():
    dispatch = Dispatch(10)
    dispatch.arrived(b"0", 0)
    learn(dispatch, b"0", 1)
    dispatch.give(b"0", [2, 3, 4], ["before", "poison", "behind"], 0)
    dispatch.acknowledge([2, 1], 0)
    for death in range(1, GUILTY_AFTER):
        assert dispatch.gone(b"%d" % (death - 1), 3) == []
        dispatch.arrived(b"%d" % death, 0)
        assert set(dispatch.give_again(b"%d" % death, 10, 0).items) == {"poison", "behind"}
    assert dispatch.gone(b"%d" % (GUILTY_AFTER - 1), 3) == [(3, "poison")]
    dispatch.arrived(b"last", 0)
    assert dispatch.give_again(b"last", 10, 0).items == ["behind"]
    dispatch.acknowledge([4, 1], 0)
    assert dispatch.settled
    assert (dispatch.given, dispatch.acknowledged, dispatch.aside) == (4, 3, 1)


def test_what_a_worker_has_not_done_as_it_leaves_is_given_again_once_the_rest_is_known():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    learn(dispatch, b"w", 1)
    dispatch.give(b"w", [2, 3], ["done", "not begun"], 0)
    dispatch.leaves(b"w")
    assert not dispatch.waits_again
    dispatch.acknowledge([2, 1], 0)
    assert dispatch.passed(b"w", LAST_MARK) == [], "nobody is left who could be asked"
    dispatch.arrived(b"other", 0)
    assert dispatch.give_again(*dispatch.room(), 0).items == ["not begun"]


def test_a_worker_that_has_left_without_a_mark_is_given_up_after_a_while():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    give(dispatch, ["a"])
    dispatch.leaves(b"w")
    dispatch.give_up_on_leavers(BUSY_NS - 1)
    assert not dispatch.waits_again
    dispatch.give_up_on_leavers(BUSY_NS)
    assert dispatch.waits_again


def test_a_death_with_nothing_in_hand_blames_nothing():
    dispatch = Dispatch(10)
    for death in range(2 * GUILTY_AFTER):
        dispatch.arrived(b"%d" % death, 0)
        (give(dispatch, ["a"]) if not death else dispatch.give_again(b"%d" % death, 1, 0))
        assert dispatch.gone(b"%d" % death, 0) == []
    assert not dispatch.blamed


def test_a_new_incarnation_goes_on_after_what_is_over():
    dispatch = Dispatch(10, done=Positions([1, 3, 5, 1]))
    assert (dispatch.given, dispatch.acknowledged, dispatch.resumes_to) == (4, 4, 5)
    assert dispatch.not_over(range(1, 8)) == [4, 6, 7]
    assert dispatch.settled


def test_what_an_earlier_incarnation_refused_was_not_given():
    dispatch = Dispatch(10, done=Positions([1, 3, 5, 1]), before=7, refused=2)
    assert (dispatch.given, dispatch.acknowledged) == (5, 4)


def test_a_list_of_what_is_over_that_outlived_the_note_of_how_far_it_came():
    dispatch = Dispatch(10, done=Positions([1, 3, 5, 1]))
    dispatch.arrived(b"w", 0)
    assert dispatch.acknowledge([4, 1], 0) == 1
    assert (dispatch.given, dispatch.acknowledged) == (5, 5)
    assert dispatch.not_over(range(1, 8)) == [6, 7]


def test_what_an_earlier_incarnation_gave_and_could_not_note_counts_once_it_is_over():
    dispatch = Dispatch(10)
    dispatch.arrived(b"w", 0)
    assert dispatch.acknowledge([3, 1, 2, 1], 0) == 2
    assert dispatch.acknowledge([3, 1], 0) == 0
    assert (dispatch.given, dispatch.acknowledged, dispatch.resumes_to) == (2, 2, 3)
    positions = dispatch.not_over(range(1, 6))
    dispatch.give(b"w", positions, positions, 0)
    assert (positions, dispatch.given, dispatch.again) == ([1, 4, 5], 5, 0)


def test_what_an_earlier_incarnation_had_given_counts_as_given_once_more():
    dispatch = Dispatch(10, done=Positions([1, 1, 3, 1]), before=6)
    dispatch.arrived(b"w", 0)
    assert (dispatch.given, dispatch.again, dispatch.resumes_to) == (6, 0, 6)
    dispatch.give(b"w", [2, 4], ["b", "d"], 0)
    assert (dispatch.given, dispatch.again) == (6, 2)
    dispatch.acknowledge([5, 1], 0)
    assert dispatch.not_over(range(5, 8)) == [6, 7], (
        "what was acknowledged before its turn came is not given again"
    )
    dispatch.give(b"w", [6, 7], ["f", "g"], 0)
    assert (dispatch.given, dispatch.again) == (7, 3)
    assert dispatch.acknowledge([2, 1, 4, 1, 6, 2], 0) == 4
    assert (dispatch.given, dispatch.acknowledged, dispatch.settled) == (7, 7, True)


class World:
    """Workers and a sink at the far end of a dispatch. All that is under way is in queues, and dies with their ends."""

    def __init__(self, chance: random.Random, window: int, tasks: int) -> None:
        self.chance = chance
        self.dispatch = Dispatch(window)
        self.left = deque(range(1, tasks + 1))
        self.inboxes: dict[bytes, deque[Any]] = {}
        self.sent: dict[bytes, Sent] = {}
        self.window, self.tasks = window, tasks
        self.outboxes: dict[bytes, deque[Any]] = {}
        self.to_source: deque[Any] = deque()
        self.kept: set[int] = set()
        self.written_twice: list[int] = []
        self.unwritten: list[Any] = []
        self.now_ns = self.names = self.worker_kills = self.come_to = self.again = self.lives = 0
        self.loses_way = True
        for _ in range(3):
            self.hire()

    def hire(self) -> None:
        name = b"w%d" % self.names
        self.names += 1
        self.inboxes[name], self.outboxes[name] = deque(), deque()
        self.sent[name] = Sent(self.tasks)
        self.greet(name)

    def steps(self) -> Iterator[None]:
        """One after another until all tasks are over, or for very long."""
        for _ in range(200_000):
            if not self.left and self.dispatch.settled:
                return
            self.step()
            yield

    def step(self) -> None:
        self.now_ns += self.chance.randrange(3 * MS)
        moves = [self.give, self.work, self.carry, self.write_down, self.hear, self.ask]
        self.chance.choice(moves)()

    def give(self) -> None:
        found = self.dispatch.room()
        if found is None:
            return
        name, room = found
        given = self.dispatch.give_again(name, room, self.now_ns)
        while self.left and self.dispatch.inherited.has(self.left[0]):
            positions = self.dispatch.not_over([self.left.popleft()])
            self.dispatch.inherit(positions, positions)
        if given is None and self.left:
            positions = self.dispatch.not_over(self.left.popleft() for _ in range(min(room, len(self.left))))
            if positions:
                given = self.dispatch.give(name, positions, positions, self.now_ns)
                self.come_to = max(self.come_to, positions[-1])
        if given is not None:
            self.inboxes[name].append(given)

    def work(self) -> None:
        name = self.chance.choice(list(self.inboxes))
        if not self.inboxes[name]:
            return
        given = self.inboxes[name].popleft()
        if isinstance(given, tuple):
            number, again = given
            for (payload,), _ in self.sent[name].with_any_of(as_runs(again)):
                self.outboxes[name].append(("results", name, list(payload)))
            self.outboxes[name].append(("mark", name, number))
        else:
            tasks = list(given.positions)
            self.outboxes[name].append(("results", name, tasks))
            self.sent[name].add(tasks, [tasks], len(tasks))
            self.to_source.append(("done", name, given.number))

    def carry(self) -> None:
        name = self.chance.choice(list(self.outboxes))
        if self.outboxes[name]:
            self.unwritten.append(self.outboxes[name].popleft())

    def write_down(self) -> None:
        """The sink handles, writes down, and then acknowledges."""
        for kind, name, what in self.unwritten:
            if kind == "mark":
                self.to_source.append(("passed", name, what))
                continue
            new = [position for position in what if position not in self.kept]
            self.kept.update(new)
            self.to_source.append(("acks", name, what))
        self.unwritten.clear()

    def hear(self) -> None:
        if not self.to_source:
            return
        kind, name, what = self.to_source.popleft()
        if kind == "done":
            self.dispatch.worked_through(name, what, self.now_ns)
        elif kind == "acks":
            self.dispatch.acknowledge(as_runs(what), self.now_ns)
        else:
            lost = self.dispatch.passed(name, what)
            if lost:
                self.send_mark(name, lost)

    def ask(self, *, everyone: bool = False) -> None:
        self.dispatch.take_stock(self.now_ns, len(self.inboxes))
        for name in self.dispatch.to_ask(self.now_ns, everyone=everyone):
            self.send_mark(name)

    def kill_worker(self) -> None:
        name = self.chance.choice(list(self.inboxes))
        del self.inboxes[name]
        reaches = self.outboxes.pop(name)
        self.unwritten += list(reaches)[: self.chance.randrange(len(reaches) + 1)]
        self.worker_kills += 1
        self.dispatch.gone(name)
        self.hire()

    def kill_source(self) -> None:
        """What it has not heard, and the last of what it has sent, are gone; who comes has its journal."""
        self.to_source.clear()
        for inbox in self.inboxes.values() if self.loses_way else ():
            for _ in range(self.chance.randrange(len(inbox) + 1)):
                inbox.pop()
        done, self.again = Positions(self.dispatch.done.runs()), self.again + self.dispatch.again
        self.lives += 1
        self.dispatch = Dispatch(self.window, done=done, before=self.come_to, first_number=self.lives << 36)
        self.left = deque(range(done.watermark + 1, self.tasks + 1))
        for name in self.inboxes:
            self.greet(name)

    def greet(self, name: bytes) -> None:
        if self.dispatch.arrived(name, self.now_ns):
            self.send_mark(name)

    def send_mark(self, name: bytes, again: Sequence[int] = ()) -> None:
        number = self.dispatch.mark(name, self.now_ns)
        expected = self.dispatch.inherited.asked_of(name, number)
        self.inboxes[name].append((number, [*in_runs(expected), *again]))

    def kill_sink(self) -> None:
        """What it has not written down is gone, and so is what was in its queues."""
        self.unwritten.clear()
        for outbox in self.outboxes.values():
            for _ in range(self.chance.randrange(len(outbox) + 1)):
                outbox.popleft()
        heard = self.chance.randrange(len(self.to_source) + 1)
        self.to_source = deque(
            one for number, one in enumerate(self.to_source) if number < heard or one[0] == "done"
        )
        self.dispatch.ask_anew()
        self.ask(everyone=True)


@pytest.mark.parametrize("seed", seeds(150, few=30))
def test_every_task_is_kept_whoever_dies(seed):
    chance = random.Random(seed)
    window, tasks = chance.choice((1, 3, 50)), chance.randrange(1, 200)
    world = World(chance, window, tasks)
    deaths = chance.random() * 0.05
    for _ in world.steps():
        if chance.random() < deaths:
            chance.choice((world.kill_worker, world.kill_worker, world.kill_sink, world.kill_source))()
        held = [len(worker.held) for worker in world.dispatch._workers.values()]
        assert max(held) <= window
    assert world.dispatch.settled, f"{len(world.dispatch._items)} tasks never came to an end"
    assert world.kept == set(range(1, tasks + 1))
    assert world.dispatch.given == world.dispatch.acknowledged == tasks


@pytest.mark.parametrize("seed", seeds(60, few=15))
def test_no_more_is_given_again_than_the_dead_workers_held(seed):
    """With a sink none of the work is lost, and with a source only what had not reached a worker."""
    chance = random.Random(seed)
    world = World(chance, 8, 200)
    for _ in world.steps():
        if chance.random() < 0.02:
            chance.choice((world.kill_worker, world.kill_sink))()
    assert world.dispatch.settled
    assert world.dispatch.again <= 8 * world.worker_kills


@pytest.mark.parametrize("seed", seeds(60, few=15))
def test_what_has_reached_a_worker_is_given_once_whoever_else_dies(seed):
    chance = random.Random(seed)
    world = World(chance, chance.choice((1, 3, 8)), 200)
    world.loses_way = False
    for _ in world.steps():
        if chance.random() < 0.02:
            chance.choice((world.kill_source, world.kill_sink))()
    assert world.dispatch.settled
    assert world.kept == set(range(1, 201))
    assert world.again + world.dispatch.again == 0
