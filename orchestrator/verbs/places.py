"""The directory of a run that is about to begin, with what is to run in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.run.plan import Plan
from orchestrator.run.planfile import keep_plan
from orchestrator.rundir import RunDir, make_run_dir
from orchestrator.verbs.fault import fault
from orchestrator.verbs.loading import Loaded


def new_place(asked: Path | None, plan: Plan, loaded: Loaded, *, several: bool) -> RunDir:
    """Make the directory that is `asked` for, or one of `.runs`, and put plan and topology there.

    Of `several` patterns each has a part of it. Raises CommandError where that cannot be.
    """
    try:
        place = make_run_dir(asked, part=plan.pattern if several else "")
        keep_plan(place.path, plan)
        shutil.copyfile(loaded.path, place.path / loaded.path.name)
    except FileExistsError as error:
        text = f"cannot use the run directory {error}: it is not empty"
        raise fault(text, code="run-dir", file=loaded.file, hint="name another, or remove it") from error
    except OSError as error:
        text = f"cannot create the run directory: {error.strerror}: {error.filename}"
        hint = "name another with --run-dir"
        raise fault(text, code="run-dir", file=loaded.file, hint=hint, exit_code=3) from error
    return place
