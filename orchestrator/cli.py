"""The command line: verbs and options in, exit codes out.

Modules that take time to import (pydantic, rich, yaml, zmq) are imported by the verbs that need them.
Exit codes: 0 passed; 1 a run failed; 2 the topology or the command line is wrong; 3 the engine or the machine
cannot; 130 interrupted by SIGINT, 143 by SIGTERM. Of several runs the first of 130, 143, 3, 2, 1 counts.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.cli_live import LIVE_COMMANDS
from orchestrator.options import DEFAULT_FILE, FILE, JSON, JUNIT, KEYS, MARKDOWN, PATTERN, SET, Duration
from orchestrator.terminal import Terminal, terminal
from orchestrator.verbs.fault import CommandError

INTERRUPTED = 130

COLLECT_AFTER = 50_000
"""So many new objects before the garbage collector looks for cycles. At its 700 it would look some hundred times while
modules are imported, at objects that all stay."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="zmq-topology", prog_name="orchestrator")
def commands() -> None:
    """Run a system of ZeroMQ processes from a YAML topology; end with a verdict on its messages.

    FILE defaults to topology.yaml. Exit codes: 0 passed; 1 the run failed; 2 the topology or the command line
    is wrong; 3 the engine or the machine cannot; 130 and 143 interrupted by SIGINT and SIGTERM.
    """


@commands.command("run")
@FILE
@PATTERN
@click.option("--engine", type=click.Choice(["local", "supervisor"]), default="local", show_default=True)
@SET
@click.option(
    "--timeout", type=Duration(), help="End a run that takes longer (default 10m; none with a duration)."
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Makes chance repeatable (default: the pattern's, or any)."
)
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep the record there.")
@KEYS
@JSON
@JUNIT
@MARKDOWN
@click.option("--quiet", is_flag=True, help="Show neither progress nor what roles print.")
def run_command(  # noqa: PLR0917 - click passes them by name
    file: str,
    pattern: str | None,
    engine: str,
    overrides: Sequence[tuple[str, str]],
    timeout: float | None,
    seed: int | None,
    run_dir: Path | None,
    keys: Path | None,
    json: str | None,
    junit: str | None,
    markdown: str | None,
    quiet: bool,
) -> int:
    """Run the topology and report on it.

    The record of each run is kept in .runs/TIME-ID; .runs/latest is the last one. Where several patterns run,
    the exit code is the first of 130, 143, 3, 2 and 1 that one of them has.
    """
    from orchestrator.engines.choice import choose, get_ready  # noqa: PLC0415 - start-up
    from orchestrator.run.live import base  # noqa: PLC0415 - start-up

    get_ready(engine, base())  # while the rest is being imported
    from orchestrator.run.runner import run_plan  # noqa: PLC0415 - start-up
    from orchestrator.verbs.github import actions  # noqa: PLC0415 - start-up
    from orchestrator.verbs.running import RunOptions, run  # noqa: PLC0415 - start-up

    options = RunOptions(
        file=file,
        pattern=pattern,
        engine=choose(engine),
        overrides=tuple(overrides),
        timeout_s=timeout,
        seed=seed,
        run_dir=run_dir,
        keys=keys,
        json=json,
        junit=junit,
        markdown=markdown,
        quiet=quiet,
    )
    return run(options, _terminal(), run_plan, actions(os.environ))


@commands.command("up")
@FILE
@click.option("--pattern", metavar="NAME", help="One pattern; without it each is a service of its own.")
@SET
@click.option(
    "--seed", type=click.IntRange(min=0), help="Makes chance repeatable (default: the pattern's, or any)."
)
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep the record there.")
@click.option(
    "--pid-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write supervisord's process number there, as service managers want it.",
)
@KEYS
@click.option("--quiet", is_flag=True, help="Show no progress.")
def up_command(  # noqa: PLR0917 - click passes them by name
    file: str,
    pattern: str | None,
    overrides: Sequence[tuple[str, str]],
    seed: int | None,
    run_dir: Path | None,
    pid_file: Path | None,
    keys: Path | None,
    quiet: bool,
) -> int:
    """Bring the topology up to stay, under supervisord; where it runs already, apply what has changed.

    Returns when all processes are in place, or with the report of why they are not.
    """
    from orchestrator.verbs.upping import UpOptions, up  # noqa: PLC0415 - start-up

    options = UpOptions(
        file=file,
        pattern=pattern,
        overrides=tuple(overrides),
        seed=seed,
        run_dir=run_dir,
        pid_file=pid_file,
        keys=keys,
        quiet=quiet,
    )
    return up(options, _terminal())


@commands.command("validate")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@SET
@click.option("--json", "json", is_flag=True, help="Print a JSON document.")
def validate_command(files: Sequence[str], overrides: Sequence[tuple[str, str]], json: bool) -> int:
    """Check topologies; start nothing, import nothing of theirs."""
    from orchestrator.verbs.github import actions  # noqa: PLC0415 - start-up
    from orchestrator.verbs.validating import validate  # noqa: PLC0415 - start-up

    return validate(
        files or [DEFAULT_FILE],
        overrides=overrides,
        json=json,
        terminal=_terminal(),
        actions=actions(os.environ),
    )


@commands.command("plan")
@FILE
@PATTERN
@SET
@JSON
@click.option(
    "--diff",
    type=click.Path(path_type=Path),
    metavar="RUN_DIR",
    help="Show instead what up would change of the run whose record is there.",
)
def plan_command(
    file: str, pattern: str | None, overrides: Sequence[tuple[str, str]], json: str | None, diff: Path | None
) -> int:
    """Show stages, processes, addresses and sockets, and why in that order; start nothing."""
    from orchestrator.verbs.comparing import plan_difference  # noqa: PLC0415 - start-up
    from orchestrator.verbs.showing import plan  # noqa: PLC0415 - start-up

    if diff is not None:
        return plan_difference(
            file, diff, pattern=pattern, overrides=overrides, json=json, terminal=_terminal()
        )
    return plan(file, pattern=pattern, overrides=overrides, json=json, terminal=_terminal())


@commands.command("keys")
@FILE
@click.option("--pattern", metavar="NAME", help="The nodes of one pattern; without it of all.")
@SET
@KEYS
def keys_command(
    file: str, pattern: str | None, overrides: Sequence[tuple[str, str]], keys: Path | None
) -> int:
    """Make the keys that nodes under `security: curve` lack; those that are there stay.

    They go into .keys beside the topology, a folder for each pattern, readable by you alone.
    """
    from orchestrator.verbs.keymaking import KeysOptions, make_keys  # noqa: PLC0415 - start-up

    options = KeysOptions(file=file, pattern=pattern, overrides=tuple(overrides), folder=keys)
    return make_keys(options, _terminal())


@commands.command("graph")
@FILE
@PATTERN
@SET
@click.option("--format", "form", type=click.Choice(["mermaid", "dot"]), default="mermaid", show_default=True)
def graph_command(file: str, pattern: str | None, overrides: Sequence[tuple[str, str]], form: str) -> int:
    """Print the topology as a picture."""
    from orchestrator.verbs.showing import graph  # noqa: PLC0415 - start-up

    return graph(file, pattern=pattern, overrides=overrides, form=form, terminal=_terminal())


@commands.command("schema")
def schema_command() -> int:
    """Print the JSON Schema of a topology file, for editors."""
    from orchestrator.verbs.showing import schema  # noqa: PLC0415 - start-up

    return schema(_terminal())


@commands.command("report")
@click.argument("run_dir", type=click.Path(path_type=Path))
@JSON
@JUNIT
@MARKDOWN
def report_command(run_dir: Path, json: str | None, junit: str | None, markdown: str | None) -> int:
    """Rebuild the report and summary.json of a run from its events.jsonl.

    Exits with 0 where it could, whatever the run's verdict was.
    """
    from orchestrator.verbs.reporting import report  # noqa: PLC0415 - start-up

    return report(run_dir, json=json, junit=junit, markdown=markdown, terminal=_terminal())


for _command in LIVE_COMMANDS:
    commands.add_command(_command)


def _terminal() -> Terminal:
    return terminal(os.environ)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and give its exit code; what goes wrong is told on stderr, once."""
    gc.set_threshold(COLLECT_AFTER)
    try:
        code = commands.main(list(arguments) if arguments is not None else None, standalone_mode=False)
    except CommandError as error:
        _terminal().tell(error.text + "\n")
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        _terminal().tell("interrupted; nothing is running.\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
