"""The verb `keys`, and where a run finds the keys of its nodes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.run.keys import FOLDER, NoCurveError, make_folder, make_missing, nodes_under_curve
from orchestrator.run.plan import Plan
from orchestrator.terminal import Terminal
from orchestrator.verbs.fault import fault
from orchestrator.verbs.loading import Loaded, Overrides, load, make_plans
from roles.kit.keys import SECRET_SUFFIX, KeyFileError, read_pair, read_public


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysOptions:
    """What the command line asks of `keys`. `folder` is None where it leaves that open."""

    file: str
    pattern: str | None = None
    overrides: Overrides = ()
    folder: Path | None = None


def make_keys(options: KeysOptions, terminal: Terminal) -> int:
    """Make what keys are missing; those that are there stay. Raises CommandError where that cannot be."""
    loaded = load(options.file, options.overrides)
    plans = make_plans(loaded, options.pattern)
    needed = {plan.pattern: nodes_under_curve((*plan.processes, *plan.reserves)) for plan in plans}
    if not any(needed.values()):
        hint = "write security: curve at a pattern or an endpoint"
        raise fault("no endpoint is under CURVE", code="no-curve", file=options.file, hint=hint)
    folder = options.folder or loaded.folder / FOLDER
    try:
        make_folder(folder)
        _leave_out_of_git(folder)
        for pattern, nodes in needed.items():
            made = make_missing(folder / pattern, nodes)
            for node in nodes:
                verb = "made" if node in made else "kept"
                terminal.answer(f"{verb} {_shown(folder / pattern / node)}{SECRET_SUFFIX}\n")
    except OSError as error:
        text = f"cannot make keys in {folder}: {error.strerror}"
        raise fault(text, code="keys", file=options.file, hint="name another folder: --keys DIR") from error
    except (KeyFileError, NoCurveError) as error:
        raise fault(str(error), code="keys", file=options.file) from error
    return 0


def folder_of_keys(plan: Plan, loaded: Loaded, asked: Path | None) -> Path | None:
    """Where the keys of a pattern lie, each of them looked at; None where the run is to make its own.

    That is so where nobody has ever made any. Raises CommandError where one is missing, or cannot be used.
    """
    if not nodes_under_curve(plan.processes):
        return None
    folder: Path | None = (asked or loaded.folder / FOLDER).absolute() / plan.pattern
    if asked is None and folder is not None and not os.path.lexists(folder):
        folder = None
    check_keys(plan, folder, file=loaded.file)
    return folder


def check_keys(plan: Plan, folder: Path | None, *, file: str) -> None:
    """Make sure that every node of a plan has its keys, or without a folder that the run can make them.

    Raises CommandError where one is missing, or cannot be used.
    """
    specs = (*plan.processes, *plan.reserves)
    external = {spec.node for spec in specs if spec.external}
    for node in nodes_under_curve(specs):
        if folder is None:
            if node in external:
                text = (
                    f"cannot run {plan.pattern}: '{node}' is started by somebody else, who needs a key for it"
                )
                raise fault(text, code="keys", file=file, hint=f"make keys: orchestrator keys {file}")
            continue
        try:
            read_public(folder, node)
            if node not in external:
                read_pair(folder, node)
        except KeyFileError as error:
            raise fault(str(error), code="keys", file=file) from error


def _leave_out_of_git(folder: Path) -> None:
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def _shown(path: Path) -> str:
    """As the user would write it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
