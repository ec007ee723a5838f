"""Publish-subscribe with numbers while its processes are killed at moments drawn by lot.

What is true is found without the numbers: publishers and subscribers write down what they send and get, each line out
of their hands at once.
"""

from __future__ import annotations

import json
import os
import signal

import pytest
from harness import Project, wait_until
from trouble import line_of

from chaos import feeds
from chaos.feeds import CODE, FEED, POLICY, written

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("FEED_SEEDS", "2"))


@pytest.mark.parametrize("play", feeds.PLAYS, ids=lambda play: play.__name__)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_told_is_true_whoever_is_killed_again_and_again(
    project: Project, seed: int, play: feeds.Play
) -> None:
    tally = play(project, str(seed))
    assert tally.faults == []
    assert tally.tried


def test_a_publisher_that_had_finished_and_is_started_again_is_waited_for(project: Project) -> None:
    """It is killed after it has told its end, while another goes on: its next life is heard to the end."""
    project.write("load.py", CODE)

    def publisher(number: int, count: int, until: str) -> str:
        given = f'{{n: {count}, later: 2000, who: publisher-{number}, until: "{until}"}}'
        call = f'{{function: "load:updates", with: {given}}}'
        return f"{{role: publisher, connect: news, params: {{call: {call}, rate: 1000}}, {POLICY}}}"

    project.topology(f"""
        p:
          codec: text
          settle: 20s
          allow: [starts-over]
          endpoints: {{news: {{address: ipc, sequence: true, hwm: 100000}}}}
          nodes:
            short: {publisher(1, 200, "")}
            long: {publisher(2, 1000, "enough")}
            subscriber: {{role: subscriber, bind: news, params: {{into: got.jsonl}}}}
    """)
    run = project.start()
    run.wait_for("ProcessFinished", process="short-1")
    os.kill(run.pid("short-1"), signal.SIGKILL)
    short_path, long_path = (project.folder / f"sent-publisher-{number}" for number in (1, 2))
    wait_until(lambda: len(written(short_path)) > 300, "the next life at work")
    (project.folder / "enough").touch()
    outcome = run.outcome().passed()
    assert outcome.processes["short-1"]["restarts"] == 1
    port = outcome.processes["subscriber-1"]["ports"]["updates"]
    got = [json.loads(line).split() for line in (project.folder / "got.jsonl").read_text().splitlines()]
    lives = [(who, life) for _, who, life, _ in got]
    long_sent = len(written(long_path))
    assert sorted(lives.count(life) for life in set(lives)) == sorted([200, 2000, long_sent])
    assert (port["received"], port["duplicates"]) == (len(got), 0)
    assert outcome.links["news"]["lost"] == len(written(short_path)) + long_sent - len(got)


def test_a_gap_fails_the_run_where_the_file_says_so(project: Project) -> None:
    project.write("load.py", CODE)
    text = FEED.format(
        seed=1, address="ipc", hwm=5, count=1_000_000_000, rate=20_000, kills=0, until="", publisher="",
        subscriber='params: {call: "load:slowly"}, environment: {NAME: one}',
    )  # fmt: skip
    path = project.topology(text.replace("sequence: true", "sequence: true, gaps: fail"))
    outcome = project.run()
    assert outcome.exit_code == 1, outcome.stderr
    first = outcome.problems[0]
    assert (first["kind"], first["endpoint"], first["line"]) == ("gaps", "news", line_of(path, "gaps"))
    assert "subscriber-1 missed " in first["text"]
    assert first["text"].endswith("(gaps: fail)")
    assert outcome.links["news"]["sent"] < 1_000_000_000, "it is ended by the first one"


def test_a_service_in_which_a_gap_is_a_failure_can_be_scaled_and_restarted(project: Project) -> None:
    """What was sent before somebody came, or while it was away, is no gap."""
    project.topology("""
        p:
          endpoints: {news: {address: ipc, sequence: true, gaps: fail, hwm: 100000}}
          nodes:
            publisher: {role: publisher, bind: news, params: {count: 1000000000, rate: 2000}}
            subscriber: {role: subscriber, connect: news, restart: {policy: on-failure, backoff: 50ms}}
    """)
    service = project.up()
    wait_until(lambda: service.states()["publisher-1"].sent > 500, "updates")
    assert service.call("scale", "subscriber=2").returncode == 0
    wait_until(lambda: service.states()["subscriber-2"].received > 500, "updates at the second")
    os.kill(service.states()["subscriber-1"].pid, signal.SIGKILL)
    service.wait_for("ProcessBegan", process="subscriber-1", incarnation=1)
    before = service.states()["subscriber-1"].received
    wait_until(lambda: service.states()["subscriber-1"].received > before + 500, "updates at the next life")
    outcome = service.down()
    assert outcome.exit_code == 0, outcome.stderr
    assert [outcome.received(f"subscriber-{n}", "updates") > 0 for n in (1, 2)] == [True, True]
