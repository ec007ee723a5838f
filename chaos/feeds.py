"""Publish-subscribe with numbers while its processes are killed at moments drawn by lot: what is told of it is true.

What is true is found without the numbers: publishers and subscribers write down what they send and get, each line out
of their hands at once.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from chaos.gate import Gate, Tally, dice
from chaos.harness import Outcome, Project, Run, wait_until

_ADDRESSES = ("ipc", "tcp://127.0.0.1:*")

CODE = """
    import itertools, os, time

    class Lines:
        '''A file to which each line goes at once.'''

        def __init__(self, name):
            self.fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def write(self, line):
            os.write(self.fd, line.encode() + b"\\n")

    def updates(n, who, later=0, kills=0, until=""):
        '''Numbers, under two topics; each says whose and which life's it is.

        A later life has `later` of them. So many lives as are to be killed wait for that before their last one.
        They go on until a file is there, where one is named.
        '''
        begun = Lines("lives-" + who)
        begun.write("another")
        lives = len(open("lives-" + who).readlines())
        sent, life = Lines("sent-" + who), os.getpid()
        n = later if lives > 1 and later else n
        for number in itertools.count():
            if number >= n and (not until or os.path.exists(until)):
                return
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
    """The words of each whole line of a file; none where it is not there yet."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [line.split() for line in lines]


def updates(lines: list[list[str]]) -> list[Update]:
    """Lines that say of each update whose it is."""
    return [(topic, who, int(life), int(number)) for topic, who, life, number in lines]


def kill_when(run: Run, process: str, life: int, path: Path, *, column: int, lines: int) -> None:
    """SIGKILL for one life of a process once it has written so many lines, which have its number in a column."""
    pid = run.wait_for("ProcessLaunched", process=process, incarnation=life)["pid"]

    def count() -> int:
        return sum(words[column] == str(pid) for words in written(path))

    wait_until(lambda: count() >= lines, f"{lines} lines of life {life} in {path.name}")
    with contextlib.suppress(ProcessLookupError):  # a life that ended by itself is seen in the end
        os.kill(pid, signal.SIGKILL)


FEED = """
    p:
      codec: text
      settle: 20s
      allow: [starts-over]
      seed: {seed}
      endpoints: {{news: {{address: {address}, sequence: true, hwm: {hwm}}}}}
      nodes:
        publisher:
          role: publisher
          bind: news
          params:
            call: {{function: "load:updates", with: {{n: {count}, who: publisher-1, kills: {kills}, until: "{until}"}}}}
            rate: {rate}
          {publisher}
        subscriber: {{role: subscriber, connect: news, {subscriber}}}
"""
"""After a death the end is told, too, once nothing has come for `settle`: nobody may stand still for so long."""

POLICY = "restart: {policy: on-failure, backoff: 50ms}"

Play = Callable[[Project, str], Tally]
"""One run in a folder, with a seed; `tried` counts the kills."""


def publisher_killed(project: Project, seed: str) -> Tally:
    """What it had sent last and nobody got is known, what came is known, and nothing is told that was not so."""
    chance, tally = dice(seed), Tally()
    kills = chance.randint(1, 3)
    text = FEED.format(
        seed=chance.randrange(1000), address=chance.choice(_ADDRESSES), hwm=chance.choice([5, 100_000]),
        count=1500, rate=3000, kills=kills, until="", publisher=POLICY,
        subscriber="replicas: 2, params: {into: got.jsonl}",
    )  # fmt: skip
    sent_path = project.folder / "sent-publisher-1"

    def kill(run: Run, life: int) -> None:
        kill_when(run, "publisher-1", life, sent_path, column=2, lines=chance.randint(1, 1200))

    outcome = _outcome(project, seed, text, tally, [kill] * kills)
    if outcome is None:
        return tally
    sent = updates(written(sent_path))
    wrong = ["two updates were sent as one"] if len(sent) != len(set(sent)) else []
    missed = 0
    for number in (1, 2):
        lines_got = (project.folder / f"got-{number}.jsonl").read_text().splitlines()
        got = updates([json.loads(line).split() for line in lines_got])
        port = outcome.processes[f"subscriber-{number}"]["ports"]["updates"]
        short = len(sent) - len(got)
        if len(got) != len(set(got)) or not set(got) <= set(sent):
            wrong.append(f"subscriber-{number} got something twice, or that nobody sent")
        if (port["received"], port["duplicates"]) != (len(got), 0) or port["missed"] > short:
            wrong.append(f"subscriber-{number} got {len(got)} of {len(sent)}: {port}")
        missed += short
    link = outcome.links["news"]
    # A life that is killed may have written down one more than it has counted.
    if not len(sent) - kills <= link["sent"] <= len(sent) or not missed - 2 * kills <= link["lost"] <= missed:
        wrong.append(f"of {len(sent)} sent {missed} were missed in truth: {link}")
    tally.counts.update({"updates": len(sent), "missed": missed})
    return _told(tally, seed, wrong)


def subscriber_killed(project: Project, seed: str) -> Tally:
    """What was sent while it was away is no gap; what it missed while it was there is, to the last."""
    chance, tally = dice(seed), Tally()
    kills = chance.randint(1, 2)
    text = FEED.format(
        seed=chance.randrange(1000), address="ipc", hwm=5, count=6000, rate=3000, kills=0, until="enough",
        publisher="",
        subscriber='params: {call: "load:slowly"}, environment: {NAME: one}, ' + POLICY,
    )  # fmt: skip
    got_path = project.folder / "got-one"

    def kill(run: Run, life: int) -> None:
        kill_when(run, "subscriber-1", life, got_path, column=0, lines=chance.randint(20, 400))
        if life == kills - 1:
            last = str(run.wait_for("ProcessLaunched", process="subscriber-1", incarnation=kills)["pid"])
            wait_until(lambda: _misses_some(got_path, last), "a gap in the last life")
            (project.folder / "enough").touch()

    outcome = _outcome(project, seed, text, tally, [kill] * kills)
    if outcome is None:
        return tally
    sent = updates(written(project.folder / "sent-publisher-1"))
    lives: dict[str, list[Update]] = {}
    for life, *update in written(got_path):
        lives.setdefault(life, []).extend(updates([update]))
    if len(lives) != kills + 1:
        return _told(tally, seed, [f"{len(lives)} lives after {kills} kills"])
    inside, away = _gaps(sent, list(lives.values()))
    port = outcome.processes["subscriber-1"]["ports"]["updates"]
    wrong = [f"duplicates: {port}"] if port["duplicates"] else []
    # One that is killed may have counted a gap before the update that shows it, and then not have written that down.
    if not inside <= port["missed"] < inside + max(1, away):
        wrong.append(f"{inside} were missed in truth, {away} sent while it was away: {port}")
    if away <= 20:
        wrong.append("nothing was sent while it was away, so nothing is shown")
    if outcome.links["news"]["lost"] is not None:
        wrong.append(f"what is lost cannot be known: {outcome.links['news']}")
    tally.counts.update({"updates": len(sent), "missed": inside, "sent while away": away})
    return _told(tally, seed, wrong)


def _misses_some(path: Path, life: str) -> bool:
    """Whether a life of a subscriber has written down an update that does not follow the one before."""
    numbers = [int(number) for whose, *_, number in written(path) if whose == life]
    return any(b - a > 1 for a, b in itertools.pairwise(numbers))


def _gaps(sent: list[Update], lives: list[list[Update]]) -> tuple[int, int]:
    """How many updates were missed within the lives of a subscriber, and how many between them."""
    inside, away = 0, 0
    for topic in "ab":
        numbers = [[number for name, _, _, number in life if name == topic] for life in lives]
        inside += sum((b - a) // 2 - 1 for life in numbers for a, b in itertools.pairwise(life))
        inside += (max(number for name, _, _, number in sent if name == topic) - numbers[-1][-1]) // 2
        away += sum((later[0] - earlier[-1]) // 2 - 1 for earlier, later in itertools.pairwise(numbers))
    return inside, away


def _outcome(
    project: Project, seed: str, text: str, tally: Tally, kills: list[Callable[[Run, int], None]]
) -> Outcome | None:
    """Run it, and kill one life after another; None, and a fault, where that did not go as it should."""
    project.write("load.py", CODE)
    project.topology(text)
    try:
        under_way = project.start()
        for life, kill in enumerate(kills):
            kill(under_way, life)
            tally.tried += 1
        outcome = under_way.outcome().passed()
        ended = len(under_way.events("ProcessEnded", signal="SIGKILL"))
        assert ended == len(kills), f"{ended} were killed, not {len(kills)}"
    except AssertionError as fault:
        _told(tally, seed, [str(fault)])
        return None
    return outcome


def _told(tally: Tally, seed: str, wrong: list[str]) -> Tally:
    tally.faults += [f"seed {seed}: {one}" for one in wrong]
    return tally


PLAYS: tuple[Play, ...] = (publisher_killed, subscriber_killed)


def run(seed: str, amount: int) -> Tally:
    """So many kills, some in each run."""
    tally = Tally()
    for number, play in enumerate(itertools.cycle(PLAYS)):
        if tally.tried >= amount:
            break
        with tempfile.TemporaryDirectory(prefix="feeds-", dir="/tmp") as folder:
            project = Project(Path(folder))
            try:
                one = play(project, f"{seed}/{number}")
            finally:
                project.close()
        one.faults = [f"{play.__name__}, {fault}" for fault in one.faults]
        tally.add(one)
        if one.faults and not one.tried:
            break  # whatever it is, it does not come so far as to kill anybody
    return tally


GATE = Gate(
    name="feeds",
    title="SIGKILL of publishers and subscribers at work, under `sequence: true`",
    unit="kills",
    must="what is told as missed is what their own files say, but for what was in hand at a death; nothing comes twice",
    once=12,
    full=400,
    run=run,
)
