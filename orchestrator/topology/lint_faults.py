"""Lint of faults: when they come, what they do, whom they hit."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.topology.form import ACTIONS, FaultForm, any_of
from orchestrator.topology.lint_restart import goes_on, starts_over
from orchestrator.topology.measures import Vocabulary
from orchestrator.topology.measures_nodes import MeasureError
from orchestrator.topology.suggest import did_you_mean_or_list, meant_process, nearest
from orchestrator.topology.tree import Finding, Path
from orchestrator.topology.view import View

_LASTING = ("pause", "restart")
_WAITED_FOR = ("received", "sent")


def fault_keys(view: View) -> Iterator[Finding]:
    """A fault has one time, one action, and `for` only with actions that last."""
    for index, form in enumerate(view.faults):
        path = view.path("faults", index)
        times = [key for key in ("at", "when") if getattr(form, key) is not None]
        actions = _actions(form)
        for keys in (times, actions):
            for key in keys[1:]:
                text = f"a fault cannot have both '{keys[0]}' and '{key}'"
                hint = "write two faults" if keys is actions else ""
                yield Finding(code="fault", text=text, path=(*path, key), hint=hint, on="key")
        if not times and view.faults_entire:
            hint = "give it at: 2s, or when: {sink.received: 100}"
            yield Finding(code="fault", text="nobody knows when this fault is to come", path=path, hint=hint)
        if not actions and view.faults_entire:
            text, hint = "this fault does nothing", f"give it one of {', '.join(ACTIONS)}"
            yield Finding(code="fault", text=text, path=path, hint=hint)
        if form.for_ is not None and actions and not set(actions) & set(_LASTING):
            text = f"cannot {actions[0]} for a time: 'for' goes with {' and '.join(_LASTING)}"
            yield Finding(code="fault", text=text, path=(*path, "for"), on="key")


def fault_targets(view: View) -> Iterator[Finding]:
    """Whom faults hit: processes, nodes, or any of a node; nobody whom somebody else has started."""
    vocabulary = Vocabulary(view) if view.faults else None
    for index, form in enumerate(view.faults):
        for action in _actions(form):
            if action != "scale" and vocabulary is not None:
                path = view.path("faults", index, action)
                yield from _target(view, vocabulary, action, getattr(form, action), path)


def _target(view: View, vocabulary: Vocabulary, action: str, written: str, path: Path) -> Iterator[Finding]:
    is_any, name = any_of(written)
    node = name if name in view.pattern.nodes else name.rpartition("-")[0]
    if node not in view.pattern.nodes:
        if view.names_known and not {name, node} & view.lost:
            yield _unknown_target(view, name, path)
        return
    if node != name:
        if is_any:
            text = f"'{name}' is one process: there is none to choose from"
            yield Finding(code="fault-target", text=text, path=path, hint=f"write {name}, or any {node}")
            return
        try:
            vocabulary.subject_of(f"{name}.received")
        except MeasureError as error:
            yield Finding(code="fault-target", text=str(error), path=path, hint=error.hint)
            return
    if view.pattern.nodes[node].external:
        text = f"cannot {action} '{node}': it is started by somebody else"
        yield Finding(code="fault-target", text=text, path=path)
    if action == "restart" and view.is_source(node) and not goes_on(view, node):
        yield starts_over(name, path)


def _unknown_target(view: View, name: str, path: Path) -> Finding:
    first = next(iter(view.pattern.nodes), "worker")
    hint = meant_process(name, view.pattern.nodes)
    hint = hint or f"write a node, a process as {first}-1, or any {first}"
    if name in view.pattern.endpoints:
        hint = "it is an endpoint: faults hit nodes and their processes"
    return Finding(code="fault-target", text=f"unknown target '{name[:40]}'", path=path, hint=hint)


def fault_counters(view: View) -> Iterator[Finding]:
    """Counters that faults wait for: `sent` or `received` of somebody who counts it."""
    counters = [(index, path) for index, form in enumerate(view.faults) for path in form.when or ()]
    vocabulary = Vocabulary(view) if counters else None
    for index, counter in counters:
        where = view.path("faults", index, "when", counter)
        subject, _, measure = counter.partition(".")
        if measure not in _WAITED_FOR:
            near = nearest(measure, _WAITED_FOR)
            hint = f"a fault waits for received or sent, as {subject or 'sink'}.{near or 'received'}"
            text = f"cannot wait for '{counter[:60]}'"
            yield Finding(code="fault-counter", text=text, path=where, hint=hint, on="key")
            continue
        try:
            if vocabulary is not None:
                vocabulary.kind_of(counter)
        except MeasureError as error:
            yield Finding(code=error.code, text=str(error), path=where, hint=error.hint, on="key")


def fault_scales(view: View) -> Iterator[Finding]:
    """Nodes that are to have more processes: those whose newcomers need tell nobody that they are there."""
    for index, form in enumerate(view.faults):
        for name, replicas in (form.scale or {}).items():
            path = view.path("faults", index, "scale", name)
            if name not in view.pattern.nodes:
                if view.names_known and name not in view.lost:
                    hint = did_you_mean_or_list(name, view.pattern.nodes, "nodes")
                    text = f"unknown node '{name[:40]}'"
                    yield Finding(code="fault-target", text=text, path=path, hint=hint, on="key")
                continue
            why, hint = _why_not_more(view, name)
            if why:
                text = f"cannot scale '{name}': {why}"
                yield Finding(code="scale", text=text, path=path, hint=hint, on="key")
            elif replicas <= view.pattern.nodes[name].replicas:
                has = view.pattern.nodes[name].replicas
                text = f"'{name}' has {has} process{'es' if has > 1 else ''} already"
                hint = f"scale adds processes: write {has + 1} or more"
                yield Finding(code="scale", text=text, path=path, hint=hint)


def _why_not_more(view: View, name: str) -> tuple[str, str]:
    node = view.pattern.nodes[name]
    if node.external:
        return "it is started by somebody else", ""
    if view.is_source(name):
        return "its processes share out one stream of items among as many as there are at the start", ""
    bound = [endpoint for _, endpoint in node.bind]
    if bound:
        return (
            f"it binds '{bound[0]}', and nobody would know of another address",
            "let it connect, others bind",
        )
    return "", ""


def _actions(form: FaultForm) -> list[str]:
    return [action for action in ACTIONS if getattr(form, action) is not None]


RULES = (fault_keys, fault_targets, fault_counters, fault_scales)
