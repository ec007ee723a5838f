"""Updates with numbers: every subscriber knows what it missed, and the link what was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import Outcome, Project, Run, wait_until

from orchestrator.run.requests import Look

pytestmark = pytest.mark.slow

CODE = """
import itertools
import time
from pathlib import Path

def update(number):
    return f"{'abc'[number % 3]} {number}"

def updates(n):
    yield from map(update, range(n))

def endless_at_first(n):
    first = Path("first")
    numbers = range(n) if first.exists() else itertools.count()
    first.touch()
    yield from map(update, numbers)

def until_enough(n):
    for number in itertools.count():
        if not number % n and Path("enough").exists():
            return
        yield update(number)

def with_topics(n):
    for number in range(n):
        yield "abc"[number % 3], number

def slowly(update):
    time.sleep(0.0002)
"""
UPDATES = """
    updates:
      codec: {codec}
      {pattern}
      endpoints: {{news: {{address: {address}, sequence: true, hwm: {hwm}}}}}
      nodes:
        publisher: {{role: publisher, bind: news, params: {{call: {{function: "load:{call}", with: {{n: {count}}}}}, {publisher}}}}}
        subscriber: {{role: subscriber, connect: news, {subscriber}}}
      {more}
"""


@pytest.fixture
def updates(project: Project):
    """Runs a publisher and its subscribers, on a link with numbers."""
    project.write("load.py", CODE)

    def run(meanwhile: Callable[[Run], object] = lambda _: None, **fields: Any) -> Outcome:
        given = {
            "codec": "text",
            "pattern": "",
            "address": "ipc",
            "hwm": 100_000,
            "count": 3000,
            "publisher": "",
        }
        given |= {"subscriber": "", "more": ""} | fields
        given.setdefault("call", "updates" if given["codec"] == "text" else "with_topics")
        project.topology(UPDATES.format(**given))
        started = project.start()
        meanwhile(started)
        return started.outcome().passed()

    return run


def counts(outcome: Outcome) -> list[dict[str, int]]:
    return [process["ports"]["updates"] for process in outcome.of_node("subscriber")]


@pytest.mark.parametrize("codec", ["text", "json"])
@pytest.mark.parametrize("address", ["ipc", "tcp://127.0.0.1:*"])
def test_nothing_is_missed_where_there_is_room(updates, codec: str, address: str) -> None:
    outcome = updates(
        codec=codec,
        address=address,
        subscriber="replicas: 2",
        more="expect: {subscriber.missed: 0, news.lost: 0, news.duplicates: 0, subscriber.received: 6000}",
    )
    assert [(one["received"], one["missed"], one["gaps"]) for one in counts(outcome)] == [(3000, 0, 0)] * 2
    assert outcome.links["news"]["lost"] == 0
    assert all(one["held"] for one in outcome.summary["expectations"])


@pytest.mark.parametrize("codec", ["text", "json"])
def test_what_a_slow_subscriber_missed_is_known_to_the_last(updates, codec: str) -> None:
    outcome = updates(
        codec=codec,
        hwm=10,
        count=30_000,
        subscriber='replicas: 2, params: {call: "load:slowly"}',
        more='expect: {news.lost: ">= 2", subscriber.gaps: ">= 2", news.duplicates: 0}',
    )
    for one in counts(outcome):
        assert one["received"] + one["missed"] == 30_000, one
        assert 1 <= one["gaps"] <= one["missed"], one
    lost = sum(one["missed"] for one in counts(outcome))
    assert outcome.links["news"]["lost"] == lost
    (note,) = outcome.summary["notes"]
    assert note["text"].startswith(f"news lost {lost:,}: subscriber-1 missed ")


def test_a_filter_leaves_no_gap(updates) -> None:
    outcome = updates(
        codec="text", subscriber="params: {topics: [a, 'b ']}", more="expect: {subscriber.missed: 0}"
    )
    assert [(one["received"], one["missed"]) for one in counts(outcome)] == [(2000, 0)]


def test_who_comes_late_missed_the_beginning(updates) -> None:
    outcome = updates(
        count=12_000,
        publisher="rate: 2000",
        subscriber="start_delay: 2s",
        more='expect: {subscriber.missed: ">= 1", news.lost: ">= 1"}',
    )
    (one,) = counts(outcome)
    assert one["received"] + one["missed"] == 12_000
    assert one["received"] > 0
    assert one["gaps"] == 3, "one for each topic"


def test_who_has_all_its_updates_looks_no_further(updates) -> None:
    outcome = updates(subscriber="params: {updates: 10}")
    assert [(one["received"], one["missed"]) for one in counts(outcome)] == [(10, 0)]


def test_the_numbers_pass_through_a_proxy(project: Project) -> None:
    project.write("load.py", CODE)
    project.topology(
        """
        through:
          codec: text
          endpoints: {front: {address: ipc, sequence: true}, back: {address: ipc, sequence: true}}
          nodes:
            publisher: {role: publisher, connect: front, replicas: 2, params: {call: {function: "load:updates", with: {n: 600}}}}
            proxy: {role: proxy, bind: {frontend: front, backend: back}, params: {kind: forwarder}}
            subscriber: {role: subscriber, connect: back, replicas: 2}
        """
    )
    outcome = project.run().passed()
    for one in counts(outcome):
        assert one["received"] + one["missed"] == 600, one
        assert one["duplicates"] == 0


def test_a_publisher_that_starts_anew_begins_a_new_series(updates) -> None:
    """What is missed of the first series cannot be known, since it has no end; nothing counts as come twice."""
    outcome = updates(
        call="endless_at_first",
        publisher="rate: 2000",
        more="faults: [{when: {subscriber-1.received: 500}, restart: publisher-1, for: 50ms}]",
    )
    (one,) = counts(outcome)
    assert one["duplicates"] == 0
    assert one["received"] + one["missed"] >= 3500
    assert one["missed"] < 3000


def test_a_publisher_to_whom_nobody_has_subscribed_sends_all_that_it_has(project: Project):
    project.topology("""\
        p:
          endpoints: {updates: ipc}
          nodes:
            publisher: {role: publisher, bind: updates, params: {count: 5000}}
          expect: {publisher.sent: 5000}
        """)
    project.run().passed()


def test_a_subscriber_that_starts_anew_does_not_miss_what_it_had_before(updates, project: Project) -> None:
    def received(run: Run) -> int:
        return sum(process.received or 0 for process in run.ask(Look).processes)

    def let_it_receive_again(run: Run) -> None:
        run.wait_for("ProcessLaunched", process="subscriber-1", incarnation=1)
        before = received(run)
        wait_until(lambda: received(run) > before, "updates for who has started anew")
        (project.folder / "enough").touch()

    restart = "faults: [{when: {subscriber-1.received: 300}, restart: subscriber-1}]"
    outcome = updates(
        let_it_receive_again, more=restart, call="until_enough", count=1000, publisher="rate: 2000"
    )
    port = outcome.processes["subscriber-1"]["ports"]["updates"]
    # What fell between its two lives nobody can tell; all else was received, and nothing of that was missed.
    assert port["received"] > 300
    assert port["missed"] <= outcome.sent("publisher-1", "updates") - port["received"]
    assert outcome.links["news"]["lost"] is None


def test_a_publisher_that_connects_to_a_subscriber_which_has_enough_can_leave(project: Project):
    project.topology("""\
        p:
          endpoints: {feed: ipc}
          nodes:
            subscriber: {role: subscriber, bind: {updates: feed}, params: {updates: 100}}
            publisher: {role: publisher, connect: {updates: feed}, params: {rate: 2000}}
        """)
    project.run().passed()
