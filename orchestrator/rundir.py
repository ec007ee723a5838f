"""Run directories: where the record of a run is kept, and `latest`, which points to the last one."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

RUNS = Path(".runs")
LATEST = RUNS / "latest"
EVENTS = "events.jsonl"
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDir:
    """A run's directory as it is and as the user is told it."""

    path: Path
    asked: str
    run_id: str

    @property
    def shown(self) -> str:
        """The directory as the user is told it: as `latest` while that is this run."""
        if not self.asked and LATEST.exists() and LATEST.resolve() == self.path:
            return str(LATEST)
        return self.asked or str(RUNS / self.path.name)

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.path / "logs" / f"{process}.log"


def make_run_dir(asked: Path | None, *, part: str = "") -> RunDir:
    """Create the directory of a new run: `asked`, or one under `.runs` with `latest` pointing to it.

    `part` is a directory below `asked`, for one of several runs. Raises FileExistsError where `asked` is not
    empty, and OSError where nothing can be created.
    """
    run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    if asked:
        path = asked / part
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(str(asked / part))
        (path / "logs").mkdir(parents=True, exist_ok=True)
        return RunDir(path=path.resolve(), asked=str(path), run_id=run_id)
    path = RUNS / run_id
    (path / "logs").mkdir(parents=True)
    _leave_out_of_git()
    _point_latest(run_id)
    return RunDir(path=path.resolve(), asked=str(path) if part else "", run_id=run_id)


def _leave_out_of_git() -> None:
    ignore = RUNS / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def _point_latest(run_id: str) -> None:
    """Replace the link in one step, so that whoever follows it meanwhile finds a run."""
    fresh = RUNS / f".latest-{run_id}"
    fresh.symlink_to(run_id)
    fresh.replace(LATEST)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; raises OSError, and leaves what was there."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def recorded_runs(folder: Path) -> list[Path]:
    """The directories of the runs in `folder`: itself, or those in it where several patterns ran."""
    if (folder / EVENTS).is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{EVENTS}"))
