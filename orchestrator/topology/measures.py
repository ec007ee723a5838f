"""Measures: which the run, a node, a process or an endpoint has, by their paths. Pure.

This is the vocabulary of `expect`, and of the counters that a fault may wait for. What a topology can never know,
although there is a word for it, is told by `measures_nodes` and `measures_links`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.topology.expectations import is_result
from orchestrator.topology.measure_names import (
    COUNTERS,
    ENDPOINT_MEASURES,
    NODE_MEASURES,
    NUMBERS,
    RUN_MEASURES,
    SPREADS,
)
from orchestrator.topology.measures_links import LinkMeasures
from orchestrator.topology.measures_nodes import MeasureError, NodeMeasures
from orchestrator.topology.suggest import did_you_mean_or_list, meant_process
from orchestrator.topology.view import View

Kind = Literal["number", "share", "exit", "anything"]
"""What a measure may be: a number, one from 0 to 1, an exit code or the name of a signal, or whatever a role says."""

UNKNOWN = "unknown-measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose measures a path names: the run, a node, one process of a node, or an endpoint."""

    kind: Literal["run", "node", "process", "endpoint"]
    name: str = ""
    node: str = ""


class Vocabulary:
    """The measures of one pattern. Where something of it was left out, it finds no reason against any."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._nodes = NodeMeasures(view)
        self._links = LinkMeasures(view)

    def kind_of(self, path: str) -> Kind | None:
        """What the measure at `path` may be, None where nothing can be said; raises MeasureError."""
        subject, measure = self.subject_of(path)
        if subject is None:
            return None
        if subject.kind == "run":
            self._check_run(measure)
        elif subject.kind == "endpoint":
            self._check_endpoint(subject, measure)
        else:
            self._check_process(subject, measure)
        if is_result(path):
            return "anything"
        if measure == "exit_code":
            return "exit"
        return "share" if measure.endswith(".jain") else "number"

    def subject_of(self, path: str) -> tuple[Subject | None, str]:
        """Whom a path speaks of, None where that was left out, and the rest of it; raises MeasureError."""
        if path in RUN_MEASURES:
            return Subject(kind="run"), path
        name, dot, measure = path.partition(".")
        if not name or (dot and not all(measure.split("."))):
            hint = "write NODE.MEASURE, as sink.received"
            raise MeasureError(f"cannot read the path '{path[:60]}'", hint=hint, code=UNKNOWN)
        subject = self._subject(name)
        if subject is None:
            self._tell_unknown(name, has_measure=bool(dot))
        elif not dot:
            sample = f"{name}.{'lost' if subject.kind == 'endpoint' else 'received'}"
            raise MeasureError(f"'{name}' is no measure", hint=f"write {sample}", code=UNKNOWN)
        return subject, measure

    def _subject(self, name: str) -> Subject | None:
        pattern = self._view.pattern
        if name in pattern.nodes:
            return Subject(kind="node", name=name, node=name)
        if name in pattern.endpoints:
            return Subject(kind="endpoint", name=name)
        node, dash, number = name.rpartition("-")
        if not dash or node not in pattern.nodes:
            return None
        most = self._view.most[node]
        is_there = number.isascii() and number.isdecimal() and number[0] != "0" and int(number[:9]) <= most
        if not is_there and node not in self._view.damaged:
            hint = f"it is {node}-1" if most == 1 else f"there are {node}-1 to {node}-{most}"
            raise MeasureError(f"there is no process '{name[:40]}'", hint=hint, code=UNKNOWN)
        return Subject(kind="process", name=name, node=node)

    def _tell_unknown(self, name: str, *, has_measure: bool) -> None:
        """Raise where there is no subject of that name, and none was left out."""
        view = self._view
        if not view.names_known or {name, name.rpartition("-")[0]} & view.lost:
            return
        if not has_measure:
            hint = did_you_mean_or_list(name, RUN_MEASURES, "measures of the run")
            raise MeasureError(f"the run has no measure '{name[:40]}'", hint=hint, code=UNKNOWN)
        nodes, endpoints = view.pattern.nodes, view.pattern.endpoints
        hint = meant_process(name, nodes, endpoints) or f"there are {', '.join([*nodes, *endpoints][:20])}"
        raise MeasureError(f"there is no node or endpoint '{name[:40]}'", hint=hint, code=UNKNOWN)

    def _check_run(self, measure: str) -> None:
        view = self._view
        if measure == "speedup" and view.entire and not any(map(self._works, view.pattern.nodes)):
            hint = "a node needs role: worker, or a role of yours that receives and sends"
            raise MeasureError("there is no speed-up without workers", hint=hint)

    def _works(self, node: str) -> bool:
        """Whether a node is one whose time at work makes the speed-up."""
        family = self._view.family(node)
        is_users_own = ":" in (self._view.pattern.nodes[node].role or "") and not family
        return family == "worker" or (is_users_own and node in self._links.passing_on)

    def _check_process(self, subject: Subject, measure: str) -> None:
        base, dot, spread = measure.rpartition(".")
        if measure == "result":
            hint = f"write {subject.name}.result.KEY"
            raise MeasureError(f"'{subject.name}.result' holds several values", hint=hint, code=UNKNOWN)
        if dot and base in (*COUNTERS, *NUMBERS) and spread in SPREADS:
            if subject.kind == "process":
                text = f"'{spread}' is taken over all processes of a node"
                raise MeasureError(text, hint=f"write {subject.node}.{measure}", code=UNKNOWN)
            measure = base
        elif measure not in NODE_MEASURES and not measure.startswith("result."):
            raise self._no_such_measure(subject, measure)
        if subject.node not in self._view.damaged and self._view.entire:
            self._nodes.check(subject.node, measure)

    def _check_endpoint(self, subject: Subject, measure: str) -> None:
        if measure not in ENDPOINT_MEASURES:
            raise self._no_such_measure(subject, measure)
        if self._view.entire:
            self._links.check(subject.name, measure)

    def _no_such_measure(self, subject: Subject, measure: str) -> MeasureError:
        is_endpoint = subject.kind == "endpoint"
        base, _, spread = measure.rpartition(".")
        if measure in (NODE_MEASURES if is_endpoint else ENDPOINT_MEASURES):
            owners = "nodes" if is_endpoint else "endpoints"
            hint = f"{owners} have it, as {self._across(subject)}.{measure}"
        elif is_endpoint:
            hint = did_you_mean_or_list(measure, ENDPOINT_MEASURES, "it has")
        elif base in (*COUNTERS, *NUMBERS):
            hint = did_you_mean_or_list(spread, SPREADS, f"of {base} there are")
        elif base in NODE_MEASURES:
            hint = f"write {subject.name}.{base}"
        else:
            hint = did_you_mean_or_list(measure, (*NODE_MEASURES, "result.KEY"), "it has")
        return MeasureError(f"'{subject.name}' has no measure '{measure[:40]}'", hint=hint, code=UNKNOWN)

    def _across(self, subject: Subject) -> str:
        """An endpoint that a node meets, or a node that meets an endpoint."""
        is_endpoint = subject.kind == "endpoint"
        for wire in self._view.wires:
            if (wire.endpoint if is_endpoint else wire.node) in (subject.name, subject.node):
                return wire.node if is_endpoint else wire.endpoint
        return "NODE" if is_endpoint else "ENDPOINT"
