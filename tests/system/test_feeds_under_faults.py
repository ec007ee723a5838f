"""Publish-subscribe with numbers while its processes are killed at moments drawn by lot.

What is true is found without the numbers: publishers and subscribers write down what they send and get, each line out
of their hands at once.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
from pathlib import Path

import pytest
from harness import Project, Run, wait_until
from trouble import line_of

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("FEED_SEEDS", "2"))
ADDRESSES = ("ipc", "tcp://127.0.0.1:*")

CODE = """
    import os, time

    class Lines:
        '''A file to which each line goes at once.'''

        def __init__(self, name):
            self.fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def write(self, line):
            os.write(self.fd, line.encode() + b"\\n")

    def updates(n, who, later=0, kills=0):
        '''Numbers, under two topics; each says whose and which life's it is.

        A later life has `later` of them. So many lives as are to be killed wait for that before their last one.
        '''
        begun = Lines("lives-" + who)
        begun.write("another")
        lives = len(open("lives-" + who).readlines())
        sent, life = Lines("sent-" + who), os.getpid()
        n = later if lives > 1 and later else n
        for number in range(n):
            if number == n - 1 and lives <= kills:
                time.sleep(1000)
            line = f"{'ab'[number % 2]} {who} {life} {number}"
            sent.write(line)
            yield line

    got = []

    def slowly(update):
        '''Writes it down, and is slower than the publisher.'''
        if not got:
            got.append(Lines(f"got-{os.environ['NAME']}"))
        got[0].write(f"{os.getpid()} {update}")
        time.sleep(0.001)
"""

Update = tuple[str, str, int, int]
"""Topic, publisher, its life, and the number."""


def written(path: Path) -> list[list[str]]:
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [line.split() for line in lines]


def updates(lines: list[list[str]]) -> list[Update]:
    return [(topic, who, int(life), int(number)) for topic, who, life, number in lines]


def kill_when(run: Run, process: str, life: int, path: Path, lines: int) -> None:
    """SIGKILL for one life of a process once a file has so many lines."""
    run.wait_for("ProcessBegan", process=process, incarnation=life)
    wait_until(lambda: len(written(path)) >= lines, f"{lines} lines in {path.name}")
    pid = run.wait_for("ProcessLaunched", process=process, incarnation=life)["pid"]
    os.kill(pid, signal.SIGKILL)


FEED = """
    p:
      codec: text
      allow: [starts-over]
      seed: {seed}
      endpoints: {{news: {{address: {address}, sequence: true, hwm: {hwm}}}}}
      nodes:
        publisher:
          role: publisher
          bind: news
          params: {{call: {{function: "load:updates", with: {{n: {count}, who: publisher-1, kills: {kills}}}}}, rate: {rate}}}
          {publisher}
        subscriber: {{role: subscriber, connect: news, {subscriber}}}
"""
POLICY = "restart: {policy: on-failure, backoff: 50ms}"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_publisher_is_killed_again_and_again(project: Project, seed: int) -> None:
    """What it had sent last and nobody got is known, what came is known, and nothing is told that was not so."""
    draw = random.Random(seed)
    kills = draw.randint(1, 3)
    project.write("load.py", CODE)
    project.topology(
        FEED.format(
            seed=seed, address=ADDRESSES[seed % 2], hwm=draw.choice([5, 100_000]), count=1500, rate=3000, kills=kills,
            publisher=POLICY, subscriber="replicas: 2, params: {into: got.jsonl}",
        )
    )  # fmt: skip
    run = project.start()
    for life in range(kills):
        lines = len(written(project.folder / "sent-publisher-1")) + draw.randint(1, 1200)
        kill_when(run, "publisher-1", life, project.folder / "sent-publisher-1", lines)
    outcome = run.outcome().passed()
    sent = updates(written(project.folder / "sent-publisher-1"))
    assert len(sent) == len(set(sent))
    missed = 0
    for number in (1, 2):
        lines_got = (project.folder / f"got-{number}.jsonl").read_text().splitlines()
        got = updates([json.loads(line).split() for line in lines_got])
        assert len(got) == len(set(got)), f"seed {seed}: it came twice"
        assert set(got) <= set(sent), f"seed {seed}"
        missed += len(sent) - len(got)
        port = outcome.processes[f"subscriber-{number}"]["ports"]["updates"]
        assert (port["received"], port["duplicates"]) == (len(got), 0), f"seed {seed}: {port}"
        assert port["missed"] <= len(sent) - len(got), f"seed {seed}: {port}"
    link = outcome.links["news"]
    # A life that is killed may have written down one more than it has counted.
    assert len(sent) - kills <= link["sent"] <= len(sent), f"seed {seed}"
    assert missed - 2 * kills <= link["lost"] <= missed, f"seed {seed}: {link}, in truth {missed}"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_subscriber_is_killed_again_and_again(project: Project, seed: int) -> None:
    """What was sent while it was away is no gap; what it missed while it was there is, to the last."""
    draw = random.Random(seed)
    project.write("load.py", CODE)
    project.topology(
        FEED.format(
            seed=seed, address="ipc", hwm=5, count=6000, rate=3000, kills=0, publisher="",
            subscriber='params: {call: "load:slowly"}, environment: {NAME: one}, ' + POLICY,
        )
    )  # fmt: skip
    run, kills, lines = project.start(), draw.randint(1, 2), 0
    for life in range(kills):
        lines += draw.randint(20, 400)
        kill_when(run, "subscriber-1", life, project.folder / "got-one", lines)
    outcome = run.outcome().passed()
    sent = updates(written(project.folder / "sent-publisher-1"))
    lives: dict[str, list[Update]] = {}
    for life, *update in written(project.folder / "got-one"):
        lives.setdefault(life, []).extend(updates([update]))
    assert len(lives) == kills + 1, f"seed {seed}"
    inside, away = 0, 0
    for topic in "ab":
        numbers = [[number for name, _, _, number in life if name == topic] for life in lives.values()]
        inside += sum((b - a) // 2 - 1 for life in numbers for a, b in itertools.pairwise(life))
        inside += (max(number for name, _, _, number in sent if name == topic) - numbers[-1][-1]) // 2
        away += sum((later[0] - earlier[-1]) // 2 - 1 for earlier, later in itertools.pairwise(numbers))
    port = outcome.processes["subscriber-1"]["ports"]["updates"]
    assert port["duplicates"] == 0
    # One that is killed may have counted a gap before the update that shows it, and then not have written that down.
    assert inside <= port["missed"] < inside + max(1, away), f"seed {seed}: {port}, {inside}, away {away}"
    assert away > 20, f"seed {seed}: nothing was sent while it was away, so nothing is shown"
    assert outcome.links["news"]["lost"] is None


def test_a_publisher_that_had_finished_and_is_started_again_is_waited_for(project: Project) -> None:
    """It is killed after it has told its end, while another goes on: its next life is heard to the end."""
    project.write("load.py", CODE)

    def publisher(number: int, count: int) -> str:
        call = f'{{function: "load:updates", with: {{n: {count}, later: 2000, who: publisher-{number}}}}}'
        return f"{{role: publisher, connect: news, params: {{call: {call}, rate: 1000}}, {POLICY}}}"

    project.topology(f"""
        p:
          codec: text
          allow: [starts-over]
          endpoints: {{news: {{address: ipc, sequence: true}}}}
          nodes:
            short: {publisher(1, 200)}
            long: {publisher(2, 1000)}
            subscriber: {{role: subscriber, bind: news, params: {{into: got.jsonl}}}}
    """)
    run = project.start()
    run.wait_for("ProcessFinished", process="short-1")
    os.kill(run.pid("short-1"), signal.SIGKILL)
    outcome = run.outcome().passed()
    assert outcome.processes["short-1"]["restarts"] == 1
    port = outcome.processes["subscriber-1"]["ports"]["updates"]
    got = [json.loads(line).split() for line in (project.folder / "got.jsonl").read_text().splitlines()]
    lives = [(who, life) for _, who, life, _ in got]
    assert sorted(lives.count(life) for life in set(lives)) == [200, 1000, 2000]
    assert (port["received"], port["duplicates"]) == (len(got), 0)
    sent = len(written(project.folder / "sent-publisher-1")) + len(
        written(project.folder / "sent-publisher-2")
    )
    assert outcome.links["news"]["lost"] == sent - len(got)


def test_a_gap_fails_the_run_where_the_file_says_so(project: Project) -> None:
    project.write("load.py", CODE)
    text = FEED.format(
        seed=1, address="ipc", hwm=5, count=100_000, rate=20_000, kills=0, publisher="",
        subscriber='params: {call: "load:slowly"}, environment: {NAME: one}',
    )  # fmt: skip
    path = project.topology(text.replace("sequence: true", "sequence: true, gaps: fail"))
    outcome = project.run()
    assert outcome.exit_code == 1, outcome.stderr
    first = outcome.problems[0]
    assert (first["kind"], first["endpoint"], first["line"]) == ("gaps", "news", line_of(path, "gaps"))
    assert "subscriber-1 missed " in first["text"]
    assert first["text"].endswith("(gaps: fail)")
    assert outcome.links["news"]["sent"] < 100_000, "it is ended by the first one"


def test_a_service_in_which_a_gap_is_a_failure_can_be_scaled_and_restarted(project: Project) -> None:
    """What was sent before somebody came, or while it was away, is no gap."""
    project.topology("""
        p:
          endpoints: {news: {address: ipc, sequence: true, gaps: fail}}
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
