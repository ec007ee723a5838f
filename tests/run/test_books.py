"""Where what was lost is said to have been."""

import pytest

from orchestrator.run.books import who_held
from orchestrator.run.member import Member, Step
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
