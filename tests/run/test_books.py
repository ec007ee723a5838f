"""Where what was lost is said to have been."""

import pytest
from run.world import plan_of

from orchestrator.run.books import Book, who_held
from orchestrator.run.crew import Crew
from orchestrator.run.member import Member, Step
from roles.kit.slot import Reading, State
from roles.kit.spec import ProcessSpec


def member(name: str, **state: object) -> Member:
    """Somebody whose part is done."""
    one = Member(ProcessSpec(name=name, node=name[:-2], role="worker"))
    one.step, one.finished, one.drained = Step.DONE, True, True
    for key, value in state.items():
        setattr(one, key, value)
    return one


@pytest.mark.parametrize(
    ("sender", "receiver", "conduit", "wanted"),
    [
        ({}, {"broke_off": True}, {}, "20 were on the way to sink-1"),
        ({"broke_off": True}, {}, {}, "20 were still with worker-1"),
        ({}, {}, {"broke_off": True}, "20 were in proxy-1"),
        ({}, {}, {}, "20 were on the way to sink-1, which finished before the others"),
    ],
)
def test_loss_is_put_down_to_who_died_though_it_came_back(sender, receiver, conduit, wanted):
    senders = [(member("worker-1", **sender), "results")]
    receivers = [(member("sink-1", **receiver), "results")]
    assert who_held(20, receivers, senders, [member("proxy-1", **conduit)]) == wanted


def ends_of_a_streamer(**proxy: object) -> Book:
    """The ventilator waits for room, the sink for a message."""
    text = """
version: 1
patterns:
  p:
    endpoints: {front: ipc, back: ipc}
    nodes:
      ventilator: {role: ventilator, connect: front, params: {count: 1}}
      proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: streamer}}
      sink: {role: sink, connect: back}
"""
    crew = Crew(plan_of(text))
    (book,) = [Book(plan, crew) for plan in crew.plan.books]
    for (one, port), state in ((book.senders[0], State.SENDING), (book.receivers[0], State.RECEIVING)):
        one.step, one.reading = Step.WORKING, Reading(state=state, port=port)
    for key, value in proxy.items():
        setattr(crew.members["proxy-1"], key, value)
    return book


def test_between_a_full_sender_and_a_receiver_that_waits_something_moves_as_long_as_the_proxy_lives():
    assert ends_of_a_streamer(step=Step.WORKING).moves_slowly
    assert not ends_of_a_streamer(step=Step.ENDED).moves_slowly
