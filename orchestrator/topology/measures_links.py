"""Which measures the endpoints of a pattern can have, and why others can never be known. Pure."""

from __future__ import annotations

import functools

from orchestrator.topology.delivery import Reach, reaches
from orchestrator.topology.measure_names import REPLY_MEASURES
from orchestrator.topology.measures_nodes import MeasureError
from orchestrator.topology.traffic import Traffic, joined, traffic
from orchestrator.topology.view import View
from orchestrator.topology.wiring import Wire

_WAS = {
    "sent": "was sent",
    "received": "was received",
    "lost": "was lost",
    "unread": "was left unread",
    "duplicates": "came twice",
    "redelivered": "was given again",
    "foreign": "was none of ours",
}
_NUMBER_THEM = "write sequence: true at the endpoint"


class LinkMeasures:
    """The measures of a pattern's endpoints, of which nothing was left out."""

    def __init__(self, view: View) -> None:
        self._view = view

    def check(self, endpoint: str, measure: str) -> None:
        """Raise MeasureError where an endpoint cannot have the measure."""
        one = self._traffic[endpoint]
        if measure in REPLY_MEASURES and not one.replies:
            raise MeasureError(f"'{endpoint}' carries no replies")
        what = measure.removeprefix("replies.")
        why, hint = self._why_not(one, what, replies=measure in REPLY_MEASURES)
        if why:
            raise MeasureError(f"'{endpoint}' has no count of what {_WAS[what]}: {why}", hint=hint)

    def _why_not(self, one: Traffic, what: str, *, replies: bool) -> tuple[str, str]:
        """Why something is not counted, and what to write; two empty texts where it is."""
        group = self._groups[one.endpoint]
        senders = [wire for each in group for wire in each.senders]
        receivers = [wire for each in group for wire in each.receivers]
        if replies:
            senders, receivers = receivers, senders
        blind = [wire.node for each in group for wire in (*each.binders, *each.connectors) if not wire.port]
        why = f"'{blind[0]}' keeps no counts" if blind else "nobody here keeps counts"
        if what in ("sent", "received", "foreign"):
            counting = senders if what == "sent" else receivers
            return ("", "") if any(map(self._counts, counting)) else (why, "")
        is_feed = one.kind == "publish_subscribe"
        if what == "redelivered" or (what == "duplicates" and not is_feed):
            return self._why_not_twice(one.endpoint, what)
        if blind:
            return why, ""
        is_numbered = all(self._view.pattern.endpoints[each.endpoint].sequence for each in group)
        if is_feed and what == "duplicates":
            return ("", "") if is_numbered else ("the updates have no numbers", _NUMBER_THEM)
        if is_feed and not (is_numbered and what == "lost"):
            hint = _NUMBER_THEM if what == "lost" else ""
            return "publish-subscribe drops what nobody wants", hint
        return "", ""

    def _why_not_twice(self, endpoint: str, what: str) -> tuple[str, str]:
        """Of acknowledged tasks it is known how often they were given again, of their results what came twice."""
        tasks = {reach.tasks for reach in self._reaches}
        results = {name for reach in self._reaches for name in reach.results}
        if endpoint in (tasks if what == "redelivered" else results):
            return "", ""
        if what == "redelivered":
            return "only acknowledged tasks are", "write delivery: at_least_once where a source gives tasks"
        return "only updates with numbers have it, and results of acknowledged tasks", ""

    @functools.cached_property
    def _reaches(self) -> list[Reach]:
        return reaches(self._view.pattern.endpoints, self._view.wires)

    def _counts(self, wire: Wire) -> bool:
        return bool(wire.port) and wire.node not in self._proxies

    @functools.cached_property
    def passing_on(self) -> frozenset[str]:
        """Nodes that receive at one link and send at another."""
        links = self._traffic.values()
        senders = {wire.node for one in links for wire in one.senders}
        return frozenset(wire.node for one in links for wire in one.receivers if wire.node in senders)

    @functools.cached_property
    def _proxies(self) -> frozenset[str]:
        return frozenset(node for node in self._view.pattern.nodes if self._view.family(node) == "proxy")

    @functools.cached_property
    def _traffic(self) -> dict[str, Traffic]:
        return {
            name: traffic(name, (*self._view.at(name, "bind"), *self._view.at(name, "connect")))
            for name in self._view.pattern.endpoints
        }

    @functools.cached_property
    def _groups(self) -> dict[str, tuple[Traffic, ...]]:
        groups = joined(list(self._traffic.values()), self._proxies)
        return {one.endpoint: group for group in groups for one in group}
