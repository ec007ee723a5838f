"""`plan --diff`: what `up` would change of a run, were it to become what the file says now."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.outcome.summary import to_json
from orchestrator.run.difference import Difference, difference, successor
from orchestrator.run.plan import Plan
from orchestrator.run.planfile import PLAN, kept_plan
from orchestrator.terminal import Terminal
from orchestrator.verbs.codes import VERSION
from orchestrator.verbs.documents import check_documents, json_document, on_stdout, write_documents
from orchestrator.verbs.fault import CommandError, fault
from orchestrator.verbs.loading import Overrides, load, make_plans


def plan_difference(
    file: str,
    run_dir: Path,
    *,
    pattern: str | None,
    overrides: Overrides,
    json: str | None,
    terminal: Terminal,
) -> int:
    """Show what would change; 1 where something stands against it.

    Raises CommandError where the file is wrong, or the run's plan cannot be read.
    """
    place = _place(run_dir, pattern)
    documents = json_document(json, partial(_json_text, file, place))
    check_documents(documents)
    old = _kept(place)
    if pattern not in (None, old.pattern):
        text = f"cannot compare: it is a run of pattern '{old.pattern}'"
        raise fault(text, code="other-pattern", file=str(place), hint=f"leave out --pattern {pattern}")
    loaded = load(file, overrides)
    terminal.tell(loaded.told_warnings())
    (new,) = make_plans(loaded, old.pattern)
    found = difference(old, successor(new, old))
    if not on_stdout(documents):
        _tell(found, file, terminal)
    return write_documents(documents, (old.pattern, found), terminal) or int(bool(found.why_not))


def _tell(found: Difference, file: str, terminal: Terminal) -> None:
    if found.why_not:
        text = f"cannot change the run: {found.why_not}"
        hint = "take it down, and up again"
        terminal.tell(f"{fault(text, code='cannot-change', file=file, hint=hint).text}\n")
    elif found.changes:
        terminal.answer("".join(f"  {line}\n" for line in found.changes))
    else:
        terminal.answer("nothing to do: it runs so already\n")


def _json_text(file: str, place: Path, content: tuple[str, Difference]) -> str:
    pattern, found = content
    head: dict[str, Any] = {"version": VERSION, "topology": file, "run_dir": str(place), "pattern": pattern}
    return to_json(head | msgspec.structs.asdict(found)).decode()


def _place(run_dir: Path, pattern: str | None) -> Path:
    """The run's directory: the one that is named, or in a folder of several that of the pattern."""
    if (run_dir / PLAN).exists():
        return run_dir
    several = sorted(path.parent.name for path in run_dir.glob(f"*/{PLAN}"))
    if pattern in several:
        return run_dir / str(pattern)
    hint = "name the directory of a run, as .runs/latest"
    if several:
        hint = f"say which with --pattern: {', '.join(several)}"
    raise _unreadable(run_dir, f"it has no {PLAN}", hint)


def _kept(place: Path) -> Plan:
    try:
        return kept_plan(place)
    except OSError as error:
        raise _unreadable(place, str(error.strerror), "") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise _unreadable(place, f"its {PLAN} is none of this version ({error})", "") from error


def _unreadable(place: Path, why: str, hint: str) -> CommandError:
    return fault(f"cannot compare: {why}", code="no-plan", file=str(place), hint=hint)
