"""What the verbs of the command line share: options, arguments and how they are read."""

from __future__ import annotations

import re
from pathlib import Path

import click

from orchestrator.topology.durations import parse_duration

DEFAULT_FILE = "topology.yaml"


class Override(click.ParamType[tuple[str, str]]):
    """`PATH=VALUE`, as the path and the value's text."""

    name = "PATH=VALUE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first `=`."""
        path, sign, text = value.partition("=")
        if not sign or not path.strip():
            self.fail(
                f"cannot read '{value}': it is no PATH=VALUE (as pipeline.nodes.worker.replicas=8)",
                param,
                ctx,
            )
        return path.strip(), text


class Replicas(click.ParamType[tuple[str, int]]):
    """`NODE=N`, as the node and the number."""

    name = "NODE=N"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Split at the first `=`; what follows is a whole number."""
        node, sign, text = value.partition("=")
        if not sign or not node.strip():
            self.fail(f"cannot read '{value}': it is no NODE=N (as worker=4)", param, ctx)
        if not re.fullmatch(r"[0-9]{1,9}", text):
            self.fail(f"cannot read '{value}': '{text}' is no whole number (as in worker=4)", param, ctx)
        return node.strip(), int(text)


class Duration(click.ParamType[float]):
    """A duration with its unit, in seconds. `usual` is what leaving it out means, as the user writes it."""

    name = "D"

    def __init__(self, usual: str = "10m") -> None:
        self._usual = usual

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `250ms`, `10s`, `1m30s`; it must be more than none."""
        try:
            duration_s = value if isinstance(value, float) else parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if duration_s <= 0:
            self.fail(f"cannot take 0: it is no time at all (leave it out for {self._usual})", param, ctx)
        return duration_s


FILE = click.argument("file", default=DEFAULT_FILE, metavar="[FILE]")
PATTERN = click.option("--pattern", metavar="NAME", help="One pattern; without it all, one after another.")
SET = click.option(
    "--set",
    "overrides",
    type=Override(),
    multiple=True,
    help="Use another value, as pipeline.nodes.worker.replicas=8. May be repeated.",
)
KEYS = click.option(
    "--keys",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the CURVE keys are (default: .keys beside the topology).",
)
JSON = click.option("--json", "json", metavar="PATH|-", help="Write a JSON document there; - is stdout.")
JUNIT = click.option(
    "--junit", "junit", metavar="PATH|-", help="Write JUnit XML there: a case a process and an expectation."
)
MARKDOWN = click.option("--markdown", "markdown", metavar="PATH|-", help="Write a page in Markdown there.")

OF_FILE = click.option(
    "--file", "file", default=DEFAULT_FILE, metavar="FILE", show_default=True, help="The topology that runs."
)
LIVE_PATTERN = click.option("--pattern", metavar="NAME", help="The run of this pattern.")
LIVE_DIR = click.option(
    "--run-dir", type=click.Path(path_type=Path), help="The run whose record is there, whatever its topology."
)
