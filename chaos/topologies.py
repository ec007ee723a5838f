"""Broken topologies: files that somebody has got wrong, or has made to do harm, and what is said of them.

Each is a file of the corpus (the tests' wrong topologies, and those that are shipped) with some of its lines, words or
characters changed. It is checked and planned as `validate` does it. Whatever it holds, the answer is a list of
problems with their places, or a plan; it comes within a second, and never as an exception.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import re
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chaos.gate import Gate, Tally, dice
from orchestrator.run.planner import make_plan
from orchestrator.sources import SourceFinder
from orchestrator.topology.check import survey
from orchestrator.topology.problem import LINE_BREAK, Problem, TopologyError, headline, render
from orchestrator.verbs.fault import CommandError
from orchestrator.verbs.loading import load, make_plans

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "tests" / "topology" / "kept"
"""Files that were answered wrongly once; the tests go through them all."""

SLOW_S = 1.0
_GIVEN_UP_S = 10.0
_FILES_AMONG = 10
"""One of so many is checked as a file, with all that it names on disk, which takes three times as long."""

_WORD = re.compile(r"\w+|[^\w\s]+|\s+")
_NASTY = (
    *(
        "&a",
        "*a",
        "<<: *a",
        "!!python/object/apply:os.system [x]",
        "!!binary x",
        "!t",
        "---",
        "...",
        "%YAML 1.1",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        ": ",
        "- ",
        "? ",
        "|",
        ">",
        "|+",
        "'",
        '"',
        "#",
        "\\",
        "@",
        "`",
        "%",
        "\t",
    ),
    *(
        "null",
        "~",
        "yes",
        "no",
        "1:30",
        "0x1f",
        "0o7",
        "02134",
        "1e999",
        ".inf",
        "-.inf",
        ".nan",
        "2026-13-45",
        "=",
    ),
    *("9" * 400, "-1", "0", "1.5", "1_000", "true", "''", '""', "[]", "{}", "[[[[[[[[[[", "{a: {a: {a: {a: "),
    *(
        "${A}",
        "${A:-b}",
        "${",
        "$$",
        "$",
        "${A:-${B}}",
        "\x00",
        "\x07",
        "\x1b[31m",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *("\ud7ff", "\u202e", "\U0001f600", "é", "\r", "\r\n", "\n", "\n\n", "  ", "x" * 300),
)
_KEYS = (
    *(
        "version",
        "patterns",
        "endpoints",
        "nodes",
        "expect",
        "faults",
        "allow",
        "codec",
        "sync",
        "close",
        "duration",
    ),
    *(
        "stall",
        "settle",
        "seed",
        "address",
        "hwm",
        "batch",
        "sequence",
        "idle_after",
        "max_message",
        "role",
        "command",
    ),
    *(
        "external",
        "bind",
        "connect",
        "replicas",
        "params",
        "environment",
        "options",
        "depends_on",
        "start_delay",
    ),
    *(
        "restart",
        "ready_within",
        "stop_grace_period",
        "ports",
        "kill",
        "scale",
        "when",
        "at",
        "for",
        "pause",
        "call",
    ),
)
_VALUES = (
    *(
        "tcp://127.0.0.1:*",
        "tcp://*:5557",
        "tcp://[::1]:1",
        "ipc",
        "ipc:///tmp/x",
        "ipc://@x",
        "inproc://x",
        "udp://x",
    ),
    *(
        "worker",
        "sink",
        "ventilator",
        "publisher",
        "subscriber",
        "client",
        "server",
        "proxy",
        "m:C",
        "m:",
        ":C",
        "a.b:C",
    ),
    *(
        "barrier",
        "none",
        "json",
        "text",
        "push",
        "xpub",
        "on-failure",
        "always",
        "10s",
        "250ms",
        "5",
        "64MiB",
        "-1s",
    ),
    *(
        "any worker",
        "worker-1",
        "worker-0",
        "== tasks.sent",
        ">= 0.9",
        "90..110",
        "..",
        "< 10s",
        "sink.received",
    ),
)

Change = Callable[[random.Random, list[str], Sequence[str]], None]
"""Changes the lines of a file in place; other files are at hand to take from."""


def corpus() -> list[str]:
    """The texts that are changed."""
    told = (ROOT / "tests" / "topology" / "wrong_topologies.txt").read_text(encoding="utf-8")
    wrong = [case.partition("\n")[2].partition("--- says\n")[0] for case in told.split("=== ")[1:]]
    shipped = [ROOT / "topology.yaml", *ROOT.glob("examples/*.yaml"), *ROOT.glob("claims/[0-9]*.yaml")]
    return [*wrong, *(path.read_text(encoding="utf-8") for path in sorted(shipped))]


def _one_line(chance: random.Random, lines: list[str]) -> int:
    return chance.randrange(len(lines))


def _drop(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    del lines[_one_line(chance, lines)]


def _repeat(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    lines[at:at] = [lines[at]] * chance.choice((1, 1, 1, 2, 40))


def _swap(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    a, b = _one_line(chance, lines), _one_line(chance, lines)
    lines[a], lines[b] = lines[b], lines[a]


def _indent(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    shift = chance.choice((-4, -2, -1, 1, 2, 4, 30))
    lines[at] = " " * shift + lines[at] if shift > 0 else lines[at][-shift:]


def _word(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    words = _WORD.findall(lines[at])
    if words:
        words[chance.randrange(len(words))] = chance.choice(chance.choice((_NASTY, _KEYS, _VALUES)))
        lines[at] = "".join(words)


def _insert(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    column = chance.randint(0, len(lines[at]))
    lines[at] = lines[at][:column] + chance.choice(_NASTY) + lines[at][column:]


def _character(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    if lines[at]:
        column = chance.randrange(len(lines[at]))
        lines[at] = (
            lines[at][:column]
            + chr(chance.choice((chance.randrange(256), chance.randrange(0xD7FF))))
            + (lines[at][column + 1 :])
        )


def _cut(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    del lines[_one_line(chance, lines) :]
    lines.append("")


def _new_key(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines.insert(at, f"{margin}{chance.choice(_KEYS)}: {chance.choice((*_VALUES, *_NASTY))}")


def _splice(chance: random.Random, lines: list[str], others: Sequence[str]) -> None:
    theirs = chance.choice(others).split("\n")
    first = chance.randrange(len(theirs))
    at = _one_line(chance, lines)
    lines[at:at] = theirs[first : first + chance.randint(1, 8)]


def _deep(chance: random.Random, lines: list[str], _: Sequence[str]) -> None:
    at = _one_line(chance, lines)
    lines[at] += chance.choice(("[", "{a: ", "- ")) * chance.choice((10, 30, 2000))


_CHANGES: tuple[Change, ...] = (
    *(
        _drop,
        _repeat,
        _swap,
        _indent,
        _word,
        _word,
        _word,
        _insert,
        _insert,
        _character,
        _cut,
        _new_key,
        _new_key,
    ),
    *(_splice, _splice, _deep),
)


def changed(chance: random.Random, texts: Sequence[str]) -> str:
    """One of the texts with a few changes."""
    lines = chance.choice(texts).split("\n")
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        if not lines:
            lines.append("")
        chance.choice(_CHANGES)(chance, lines, texts)
    return "\n".join(lines)


@contextlib.contextmanager
def _not_for_ever() -> Iterator[None]:
    """Raise TimeoutError in what takes too long, so that it is told where that was."""

    def over(*_: object) -> None:
        raise TimeoutError(f"no answer within {_GIVEN_UP_S:g} s of processor time")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, _GIVEN_UP_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Judge:
    """Checks texts, by themselves or as files in `folder`, and says what is wrong with the answers."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "topology.yaml"
        self._read_source = functools.cache(SourceFinder(folder).read)

    def fault_of(self, text: str, *, as_file: bool) -> str:
        """What is wrong with the answer to a topology; empty where nothing is. Files take longer to check."""
        started_s = time.process_time()
        try:
            with _not_for_ever():
                fault = self._of_file(text) if as_file else self._of_text(text)
        except Exception:  # noqa: BLE001 - whatever comes is what is looked for
            return traceback.format_exc()
        took_s = time.process_time() - started_s
        return fault or (f"it took {took_s:.2f} s" if took_s > SLOW_S else "")

    def _of_text(self, text: str) -> str:
        try:
            found = survey(text, environment={"A": "a"}, read_source=self._read_source)
            if not any(problem.severity == "error" for problem in found.problems):
                for name in found.checked.topology.patterns:
                    make_plan(found.checked, name, file="topology.yaml")
        except TopologyError as error:
            return _wrongly_told(error.problems, text)
        return _wrongly_told(found.problems, text) if found.problems else ""

    def _of_file(self, text: str) -> str:
        self._path.write_bytes(text.encode(errors="surrogatepass"))
        try:
            make_plans(load(str(self._path), ()), None)
        except CommandError as refused:
            if refused.exit_code != 2 or not refused.problems:
                return f"exit code {refused.exit_code} with {len(refused.problems)} problems: {refused.text}"
        return ""


def _wrongly_told(problems: Sequence[Problem], text: str) -> str:
    lines = len(LINE_BREAK.split(text))
    for problem in problems:
        if not problem.text or not problem.code:
            return f"it is told badly: {problem}"
        if problem.mark.line and not (problem.mark.line <= lines and problem.mark.column >= 1):
            return f"it is told at no place of the file: {problem}"
        if "\n" in headline(problem, file="topology.yaml"):
            return f"it is told in several lines: {problem}"
    told = render(problems, file="topology.yaml", text=text)
    steering = [char for char in told if not char.isprintable() and char not in "\n\t"]
    return f"control characters get through: {steering}" if steering else ""


def run(seed: str, amount: int) -> Tally:
    """Check so many; those that are answered wrongly are kept."""
    chance, texts, tally = dice(seed), corpus(), Tally()
    slowest_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Path(folder))
        for number in range(amount):
            text = changed(chance, texts)
            began_s = time.process_time()
            fault = judge.fault_of(text, as_file=number % _FILES_AMONG == 0)
            slowest_s = max(slowest_s, time.process_time() - began_s)
            tally.tried += 1
            if fault:
                tally.faults.append(f"{_keep(text)}: {fault}")
    tally.note = f"the slowest took {slowest_s:.2f} s"
    return tally


def _keep(text: str) -> Path:
    data = text.encode(errors="surrogatepass")
    path = KEPT / f"{hashlib.sha256(data).hexdigest()[:12]}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path.relative_to(ROOT)


GATE = Gate(
    name="topologies",
    title="topologies with lines, words and characters changed, checked and planned",
    unit="files",
    must="no traceback, no answer later than 1 s, each problem with its place",
    once=2_500,
    full=100_000,
    run=run,
)
