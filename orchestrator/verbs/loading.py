"""A file named on the command line, checked and planned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orchestrator.run.plan import Plan
from orchestrator.run.planner import make_plan
from orchestrator.sources import check_file
from orchestrator.topology.check import Checked
from orchestrator.topology.load import MAX_BYTES
from orchestrator.topology.problem import Problem, TopologyError, as_json, render
from orchestrator.verbs.fault import CommandError, fault

Overrides = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A checked topology. `file` is its name as the user gave it, `text` its content."""

    file: str
    path: Path
    text: str
    checked: Checked

    @property
    def folder(self) -> Path:
        """Where its paths and modules resolve from."""
        return self.path.resolve().parent

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What is doubtful in it, for machines."""
        return as_json(self.checked.warnings, file=self.file)

    def told_warnings(self) -> str:
        """What is doubtful in it, for the user; empty where nothing is."""
        return (
            render(self.checked.warnings, file=self.file, text=self.text) + "\n"
            if self.checked.warnings
            else ""
        )


def load(file: str, overrides: Overrides) -> Loaded:
    """Read and check a topology; raises CommandError with all its problems."""
    path = Path(file)
    try:
        checked = check_file(path, overrides=overrides, environment=os.environ)
    except TopologyError as error:
        raise _refused(error, file=file, path=path) from error
    return Loaded(file=file, path=path, text=_text(path), checked=checked)


def make_plans(loaded: Loaded, pattern: str | None) -> list[Plan]:
    """The plan of one pattern, or of all.

    Raises CommandError where there is no such pattern, or no order to launch it in.
    """
    names = list(loaded.checked.topology.patterns)
    if pattern is not None and pattern not in names:
        close = get_close_matches(pattern, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"it has {', '.join(names)}"
        raise fault(f"unknown pattern '{pattern}'", code="unknown-pattern", file=loaded.file, hint=hint)
    plans: list[Plan] = []
    faults: list[Problem] = []
    for name in [pattern] if pattern is not None else names:
        try:
            plans.append(make_plan(loaded.checked, name, file=loaded.file))
        except TopologyError as error:
            faults += error.problems
    if faults:
        raise _refused(TopologyError(faults), file=loaded.file, path=loaded.path)
    return plans


def _refused(error: TopologyError, *, file: str, path: Path) -> CommandError:
    told = render(error.problems, file=file, text=_text(path))
    return CommandError(told, exit_code=error.exit_code, problems=as_json(error.problems, file=file))


def _text(path: Path) -> str:
    """The file's content for carets, as far as it is read at all; empty where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return ""
