"""The verbs that show what is in a file and start nothing: `plan`, `graph`, `schema`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from orchestrator.graph import dot, mermaid
from orchestrator.outcome.summary import to_json
from orchestrator.planpage import plan_text
from orchestrator.run.plan import Plan
from orchestrator.terminal import Terminal
from orchestrator.topology.schema import schema_text
from orchestrator.verbs.codes import VERSION
from orchestrator.verbs.documents import check_documents, json_document, on_stdout, write_documents
from orchestrator.verbs.loading import Loaded, Overrides, load, make_plans


def plan(
    file: str, *, pattern: str | None, overrides: Overrides, json: str | None, terminal: Terminal
) -> int:
    """Show what would be started, in which order and why."""
    documents = json_document(json, partial(_plans_json, file))
    check_documents(documents)
    loaded = _loaded(file, overrides, terminal)
    plans = make_plans(loaded, pattern)
    if not on_stdout(documents):
        terminal.answer("\n".join(plan_text(plan, terminal.out_style) for plan in plans))
    return write_documents(documents, plans, terminal)


def _plans_json(file: str, plans: Sequence[Plan]) -> str:
    document = {"version": VERSION, "topology": file, "plans": [msgspec.to_builtins(plan) for plan in plans]}
    return to_json(document).decode()


def graph(file: str, *, pattern: str | None, overrides: Overrides, form: str, terminal: Terminal) -> int:
    """Show the topology as a picture."""
    plans = make_plans(_loaded(file, overrides, terminal), pattern)
    terminal.answer(dot(*plans) if form == "dot" else mermaid(*plans))
    return 0


def schema(terminal: Terminal) -> int:
    """Show the JSON Schema of a topology file."""
    terminal.answer(schema_text())
    return 0


def _loaded(file: str, overrides: Overrides, terminal: Terminal) -> Loaded:
    loaded = load(file, overrides)
    terminal.tell(loaded.told_warnings())
    return loaded
