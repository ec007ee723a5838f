"""What subscribers missed, as far as it can be known, and what gaps then do: with values, and in a coordinator."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from run.world import plan_of

from orchestrator.run import events
from orchestrator.run.books import Book
from orchestrator.run.commands import Publish
from orchestrator.run.crew import Crew
from orchestrator.run.member import Member, Step
from orchestrator.run.missing import Missed, missed_in_all, who_missed
from roles.kit.slot import Count, Reading

FEED = """
version: 1
patterns:
  p:
    endpoints: {news: {address: ipc, sequence: true}}
    nodes:
      pub: {role: publisher, bind: news, params: {count: 100}}
      sub: {role: subscriber, connect: news, replicas: 2}
"""


class Feed:
    """A book of one publisher and two subscribers; what they have counted is the test's to say."""

    def __init__(self, *, gaps: str = "warn", params: dict[str, Any] | None = None) -> None:
        plan = plan_of(FEED)
        processes = tuple(
            msgspec.structs.replace(spec, params=params or {}) if spec.node == "sub" else spec
            for spec in plan.processes
        )
        (book,) = (msgspec.structs.replace(one, gaps=gaps) for one in plan.books)
        self.crew = Crew(msgspec.structs.replace(plan, processes=processes, books=(book,)))
        self.book = Book(book, self.crew)
        for member in self.crew.members.values():
            member.step, member.finished = Step.DONE, True

    def member(self, name: str) -> Member:
        return self.crew.members[name]

    def counted(self, name: str, **counts: int) -> Feed:
        self.member(name).reading = Reading(ports={"updates": Count(**counts)})
        return self

    def died(self, name: str) -> Feed:
        """An earlier incarnation was killed."""
        self.member(name).broke_off = True
        return self

    def closed(self) -> tuple[events.BookClosed, list[events.ProblemFound]]:
        self.book.look()
        told = [command.event for command in self.crew.take_commands() if isinstance(command, Publish)]
        (closed,) = [event for event in told if isinstance(event, events.BookClosed)]
        return closed, [event for event in told if isinstance(event, events.ProblemFound)]


def feed(**options: Any) -> Feed:
    """1,000 were sent; the first subscriber has them all but 12, the second all but 30."""
    one = Feed(**options).counted("pub-1", sent=1000)
    one.counted("sub-1", received=988, missed=12, gaps=2)
    return one.counted("sub-2", received=970, missed=20, gaps=1, foreign=0)


def test_where_nobody_died_the_numbers_tell_all():
    closed, (note,) = feed().closed()
    assert (closed.lost, closed.duplicates) == (32, 0)
    assert note.expected
    assert note.text == "news lost 32: sub-1 missed 12 in 2 gaps, sub-2 missed 20 in 1 gap"


def test_what_a_dead_publisher_sent_last_is_known_by_its_slot():
    closed, (note,) = feed().died("pub-1").closed()
    assert closed.lost == 12 + 30
    assert note.text == (
        "news lost 42: sub-1 missed 12 in 2 gaps, "
        "sub-2 missed 20 in 1 gap and 10 that a publisher which died had sent last"
    )


@pytest.mark.parametrize("params", [{"topics": ["a"]}, {"updates": 970}])
def test_who_does_not_take_all_cannot_tell_what_a_dead_publisher_sent_last(params):
    closed, _ = feed(params=params).died("pub-1").closed()
    assert closed.lost is None
    assert feed(params=params).closed()[0].lost == 32


def test_who_takes_all_by_its_topics_can():
    assert feed(params={"topics": ["a", ""]}).died("pub-1").closed()[0].lost == 42


def test_of_a_dead_subscriber_it_is_not_known():
    assert feed().died("sub-2").closed()[0].lost is None


def test_frames_that_could_not_be_read_are_not_missed():
    one = feed().died("pub-1").counted("sub-2", received=970, missed=20, gaps=1, foreign=10)
    assert one.closed()[0].lost == 32


def test_gaps_are_only_counted():
    closed, told = feed(gaps="count").closed()
    assert closed.lost == 32
    assert told == []


def test_a_gap_fails_the_run_once_and_is_to_end_it():
    one = feed(gaps="fail")
    _, told = one.closed()
    assert [(problem.kind, problem.endpoint, problem.expected) for problem in told] == [
        ("gaps", "news", False)
    ]
    assert told[0].text == "news lost 32: sub-1 missed 12 in 2 gaps, sub-2 missed 20 in 1 gap (gaps: fail)"
    assert one.crew.failing


def test_a_gap_fails_the_run_while_it_goes_on():
    one = feed(gaps="fail")
    one.member("sub-1").step, one.member("sub-1").finished = Step.WORKING, False
    one.book.look()
    assert [problem.kind for problem in one.crew.problems] == ["gaps"]
    assert not one.book.closed
    one.book.look()
    assert len(one.crew.problems) == 1


def test_what_is_known_at_the_end_only_fails_it_too():
    one = Feed(gaps="fail").counted("pub-1", sent=10).died("pub-1")
    one.counted("sub-1", received=10).counted("sub-2", received=7)
    _, told = one.closed()
    assert [problem.text for problem in told] == [
        "news lost 3: sub-2 missed 3 that a publisher which died had sent last (gaps: fail)"
    ]


def test_without_gaps_nothing_fails():
    one = Feed(gaps="fail").counted("pub-1", sent=10)
    one.counted("sub-1", received=10).counted("sub-2", received=10)
    assert one.closed()[1] == []
    assert not one.crew.failing


def test_not_more_than_some_are_named():
    many = [Missed(process=f"sub-{n}", by_numbers=1, gaps=1, in_all=1) for n in range(1, 8)]
    assert missed_in_all(many) == 7
    assert who_missed(many).endswith("sub-5 missed 1 in 1 gap, and 2 more")
    assert missed_in_all([*many, Missed(process="x", by_numbers=3, gaps=1, in_all=None)]) is None
