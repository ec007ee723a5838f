"""Which of the runs that go on is meant: found by its topology's file and its pattern, or by its run directory."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.run.live import LIVE, PREFIX, Live, is_alive, live_runs, read_live
from orchestrator.run.planfile import first_line
from orchestrator.rundir import LATEST, SUMMARY, recorded_runs
from orchestrator.topology.suggest import did_you_mean_or_list
from orchestrator.verbs.fault import CommandError, fault

NOT_RUNNING = 1
"""The exit code where all is in order but that nothing goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says of the runs that are meant. A `run_dir` names one, or a folder of several."""

    file: str
    pattern: str | None = None
    run_dir: Path | None = None

    @property
    def name(self) -> str:
        """What is meant as errors begin with it."""
        return self.file if self.run_dir is None else str(self.run_dir)


def running(wanted: Wanted) -> list[Live]:
    """The runs that are meant and go on, in the order in which they were begun; of their patterns, all."""
    found = _of_file(wanted.file) if wanted.run_dir is None else _in_folder(wanted.run_dir)
    return sorted(found, key=_began)


def find(wanted: Wanted) -> list[Live]:
    """The runs that are meant; raises CommandError where none of them goes on."""
    runs = running(wanted)
    if not runs:
        raise _nothing(wanted)
    chosen = [live for live in runs if wanted.pattern in (None, live.pattern)]
    if not chosen:
        hint = did_you_mean_or_list(
            wanted.pattern or "", dict.fromkeys(live.pattern for live in runs), "running"
        )
        text = f"nothing of pattern '{wanted.pattern}' is running"
        raise fault(text, code="not-running", file=wanted.name, hint=hint, exit_code=NOT_RUNNING)
    return chosen


def find_one(wanted: Wanted) -> Live:
    """The one run that is meant; raises CommandError where none goes on, or several do."""
    runs = find(wanted)
    if len(runs) > 1:
        patterns = list(dict.fromkeys(live.pattern for live in runs))
        places = [shown(live.run_dir) for live in runs]
        hint = (
            f"--pattern: {', '.join(patterns)}"
            if len(patterns) == len(runs)
            else f"--run-dir: {', '.join(places)}"
        )
        text = "cannot tell which run is meant: several go on"
        raise fault(text, code="several-runs", file=wanted.name, hint=f"say which with {hint}")
    return runs[0]


def shown(path: str | Path) -> str:
    """A directory as the user is told it: from where they are, and as `latest` while it is that."""
    whole, here = Path(path).resolve(), Path.cwd()
    if LATEST.exists() and LATEST.resolve() == whole:
        return str(LATEST)
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)


def _of_file(file: str) -> Iterator[Live]:
    """A record has the name by which the file was called, in the folder where it really is."""
    path = Path(file)
    meant = {str(path.resolve()), str(path.resolve().parent / path.name)}
    return (live for live in live_runs() if live.file in meant)


def _in_folder(folder: Path) -> Iterator[Live]:
    for path in (folder / LIVE, *folder.glob(f"*/{LIVE}")):
        live = read_live(path)
        if live is not None and _is_kept_in(path.parent, live) and _is_ours(live) and is_alive(live):
            yield live


def _is_kept_in(folder: Path, live: Live) -> bool:
    """Whether that is the run's record. Its private directory holds the same, and who names TMPDIR does not mean it."""
    return Path(live.run_dir).resolve() == folder.resolve()


def _is_ours(live: Live) -> bool:
    """Whether the record tells the truth. A run directory may come from anywhere; a private one is this user's."""
    path = Path(live.sockets)
    return is_private(path) and read_live(path / LIVE) == live


def is_private(path: Path) -> bool:
    """Whether that is a private directory of a run of this user's."""
    try:
        found = path.lstat()
    except OSError:
        return False
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return own and path.name.startswith(f"{PREFIX}{os.getuid()}-")


def _began(live: Live) -> tuple[str, int, str]:
    """When it began, to the second; within that by the place of its pattern in the file."""
    when, _, _ = live.run_id.rpartition("-")
    return when, first_line(Path(live.run_dir)), live.pattern


class _Ended(msgspec.Struct):
    """Of a summary, whose it is and how it ended."""

    topology: str
    pattern: str
    verdict: str


def how_it_ended(file: str) -> str:
    """Where the last run of this folder was of this file, and is over: how it ended, as a hint."""
    try:
        ended = msgspec.json.decode((LATEST / SUMMARY).read_bytes(), type=_Ended)
    except (OSError, msgspec.MsgspecError):
        return ""
    if Path(ended.topology).resolve() != Path(file).resolve():
        return ""
    return f"orchestrator report {LATEST} tells how {ended.pattern} {ended.verdict}"


def _nothing(wanted: Wanted) -> CommandError:
    text, exit_code = "nothing of it is running", NOT_RUNNING
    if wanted.run_dir is None:
        up = f"orchestrator up {shlex.quote(wanted.file)} brings it up"
        there, hint = Path(wanted.file).exists(), "; ".join(filter(None, (how_it_ended(wanted.file), up)))
    else:
        there, hint = wanted.run_dir.is_dir(), "name the directory of a run that goes on"
        if recorded_runs(wanted.run_dir):
            hint = f"orchestrator report {shlex.quote(str(wanted.run_dir))} tells how it ended"
    if not there:
        exit_code = 2
        hint = "there is no such file" if wanted.run_dir is None else "there is no such directory"
    return fault(text, code="not-running", file=wanted.name, hint=hint, exit_code=exit_code)
