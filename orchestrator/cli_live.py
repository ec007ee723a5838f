"""The verbs that speak, from a second terminal, to a run that goes on: options in, exit codes out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.options import FILE, LIVE_DIR, LIVE_PATTERN, OF_FILE, Duration, Replicas
from orchestrator.terminal import terminal

if TYPE_CHECKING:
    from orchestrator.verbs.finding import Wanted


@click.command("ps")
@FILE
@LIVE_PATTERN
@LIVE_DIR
@click.option("--json", "json", is_flag=True, help="Print a JSON document.")
def ps_command(file: str, pattern: str | None, run_dir: Path | None, json: bool) -> int:
    """Show the processes of what runs: states, counts and rates."""
    from orchestrator.verbs.looking import ps  # noqa: PLC0415 - start-up

    return ps(_wanted(file, pattern, run_dir), json=json, terminal=terminal(os.environ))


@click.command("logs")
@click.argument("names", nargs=-1, metavar="[NODE|PROCESS]...")
@OF_FILE
@LIVE_PATTERN
@LIVE_DIR
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over, or Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="So many lines a process, the last ones.",
)
def logs_command(  # noqa: PLR0917 - click passes them by name
    names: Sequence[str], file: str, pattern: str | None, run_dir: Path | None, follow: bool, lines: int
) -> int:
    """Show what processes print, those of a run that is over too.

    Without names, of all. Of several patterns that run, say which with --pattern.
    """
    from orchestrator.verbs.following import logs  # noqa: PLC0415 - start-up

    wanted = _wanted(file, pattern, run_dir)
    return logs(wanted, names=names, follow=follow, lines=lines, terminal=terminal(os.environ))


_PATIENCE = click.option(
    "--timeout", type=Duration("5m"), default="5m", show_default=True, help="Wait no longer for an answer."
)


@click.command("scale")
@click.argument("numbers", nargs=-1, required=True, type=Replicas(), metavar="NODE=N...")
@OF_FILE
@LIVE_PATTERN
@LIVE_DIR
@_PATIENCE
def scale_command(
    numbers: Sequence[tuple[str, int]], file: str, pattern: str | None, run_dir: Path | None, timeout: float
) -> int:
    """Run a node as N processes, while the run goes on; who is to leave is drained first."""
    from orchestrator.verbs.asking import scale  # noqa: PLC0415 - start-up

    wanted = _wanted(file, pattern, run_dir)
    return scale(wanted, numbers, timeout_s=timeout, terminal=terminal(os.environ))


@click.command("restart")
@click.argument("names", nargs=-1, required=True, metavar="NODE|PROCESS...")
@OF_FILE
@LIVE_PATTERN
@LIVE_DIR
@_PATIENCE
def restart_command(
    names: Sequence[str], file: str, pattern: str | None, run_dir: Path | None, timeout: float
) -> int:
    """Start a process, or all of a node, again while the run goes on; each is drained first."""
    from orchestrator.verbs.asking import restart  # noqa: PLC0415 - start-up

    wanted = _wanted(file, pattern, run_dir)
    return restart(wanted, names, timeout_s=timeout, terminal=terminal(os.environ))


@click.command("down")
@FILE
@LIVE_PATTERN
@LIVE_DIR
@click.option("--timeout", type=Duration("1m"), default="1m", show_default=True, help="Then end all at once.")
def down_command(file: str, pattern: str | None, run_dir: Path | None, timeout: float) -> int:
    """Bring what runs to its end, drained, and report on it.

    The exit code is the run's own, at least 1 where it had to be cut short; 0 where nothing runs.
    """
    from orchestrator.verbs.downing import down  # noqa: PLC0415 - start-up

    return down(_wanted(file, pattern, run_dir), timeout_s=timeout, terminal=terminal(os.environ))


def _wanted(file: str, pattern: str | None, run_dir: Path | None) -> Wanted:
    from orchestrator.verbs.finding import Wanted  # noqa: PLC0415 - start-up

    return Wanted(file=file, pattern=pattern, run_dir=run_dir)


LIVE_COMMANDS = (ps_command, logs_command, scale_command, restart_command, down_command)
