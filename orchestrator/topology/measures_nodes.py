"""Which measures the nodes of a pattern can have, and why others can never be known. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.topology.measure_names import COMMAND_MEASURES, COUNTERS, QUANTILES
from orchestrator.topology.view import View
from orchestrator.topology.wiring import Wire
from orchestrator.topology.zeromq import RECEIVES, SENDS

_NUMBERED = ("missed", "gaps", "duplicates")
_RETRIED = ("duplicates", "retried", "late")
_RESULTLESS = ("worker", "server", "proxy", "publisher")
_COLLECTORS = ("sink", "subscriber", "client")


class MeasureError(ValueError):
    """A path that names no measure (`unknown-measure`), or one that can never be known (`not-measured`)."""

    def __init__(self, text: str, *, hint: str = "", code: str = "not-measured") -> None:
        super().__init__(text)
        self.hint = hint
        self.code = code


def sends(kind: str) -> bool:
    """Whether a socket of this kind counts what it sends."""
    return kind != "" and kind not in RECEIVES


def receives(kind: str) -> bool:
    """Whether a socket of this kind counts what it receives."""
    return kind != "" and kind not in SENDS


class NodeMeasures:
    """The measures of a pattern's nodes, of which nothing was left out."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._wires: dict[str, list[Wire]] = {}
        for wire in view.wires:
            self._wires.setdefault(wire.node, []).append(wire)

    def check(self, node: str, measure: str) -> None:
        """Raise MeasureError where a node and its processes cannot have the measure."""
        value = self._view.pattern.nodes[node]
        if value.external:
            raise MeasureError(f"'{node}' is started by somebody else, and nothing is known of it")
        if value.command:
            if measure not in COMMAND_MEASURES:
                known = f"known are its {', '.join(COMMAND_MEASURES[:-1])} and {COMMAND_MEASURES[-1]}"
                raise MeasureError(f"'{node}' runs a program of its own, which counts nothing", hint=known)
        elif measure.startswith("result."):
            self._check_result(node)
        elif measure in (*COUNTERS, *QUANTILES, "rate"):
            self._check_counts(node, measure)

    def _kinds(self, node: str) -> list[str]:
        return [wire.kind for wire in self._wires.get(node, ())]

    def _check_counts(self, node: str, measure: str) -> None:
        kinds = self._kinds(node)
        if self._view.family(node) == "proxy":
            raise MeasureError(f"'{node}' is a proxy: it passes messages on and counts none")
        if measure == "received" and not any(map(receives, kinds)):
            raise MeasureError(f"'{node}' receives nothing", hint=f"write {node}.sent" if kinds else "")
        if measure == "sent" and not any(map(sends, kinds)):
            raise MeasureError(f"'{node}' sends nothing", hint=f"write {node}.received" if kinds else "")
        if measure == "rate" and not kinds:
            raise MeasureError(f"'{node}' neither sends nor receives")
        if measure in (*QUANTILES, "answered") and "REQ" not in kinds:
            had = "answers" if measure == "answered" else "round trips"
            raise MeasureError(f"'{node}' makes no requests, and so has no {had}")
        if measure in (*_NUMBERED, *_RETRIED):
            self._check_special(node, measure)

    def _check_special(self, node: str, measure: str) -> None:
        """Counters that only subscribers to numbered updates have, and clients that ask again."""
        pattern = self._view.pattern
        feeds = [wire.endpoint for wire in self._wires.get(node, ()) if wire.kind == "SUB"]
        is_numbered = any(pattern.endpoints[endpoint].sequence for endpoint in feeds)
        is_client = self._view.family(node) == "client"
        retries = is_client and "retry" in pattern.nodes[node].params
        if (is_numbered and measure in _NUMBERED) or (retries and measure in _RETRIED):
            return
        if feeds and measure in _NUMBERED:
            what = "came twice" if measure == "duplicates" else "it missed"
            hint = f"write sequence: true at the endpoint '{feeds[0]}'"
            raise MeasureError(f"'{node}' cannot know what {what}: the updates have no numbers", hint=hint)
        if is_client and measure in _RETRIED:
            raise MeasureError(
                f"'{node}' never asks again, and so has no '{measure}'", hint="give it the param retry"
            )
        raise MeasureError(f"'{node}' has no '{measure}': {_who_has(measure)}")

    def _check_result(self, node: str) -> None:
        """Raise where a built-in role has no result. What a role of the user's has is not known here."""
        value = self._view.pattern.nodes[node]
        needed = ""
        if value.role in _COLLECTORS and "report" not in value.params:
            needed = "give it the param report"
        elif value.role == "ventilator" and "workload_ms" not in value.params:
            needed = "it has one with the param workload_ms"
        if needed or value.role in _RESULTLESS:
            raise MeasureError(f"'{node}' has no result", hint=needed or "roles of yours can: self.result")


def _who_has(measure: str) -> str:
    who: Sequence[str] = [
        *(["subscribers to endpoints with sequence: true"] if measure in _NUMBERED else []),
        *(["clients with retry"] if measure in _RETRIED else []),
    ]
    return f"{' and '.join(who)} have it"
