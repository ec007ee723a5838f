"""How many messages a process is to handle, where its plan tells. Pure."""

from __future__ import annotations

from orchestrator.run.plan import Plan
from roles.kit.spec import ProcessSpec

_SOURCES = {"count", "range", "lines", "files", "call"}


def known_totals(plan: Plan) -> dict[str, int]:
    """By process name; a sink's only where every worker passes on one result for each task."""
    totals = {spec.name: total for spec in plan.processes if (total := _own_total(spec)) is not None}
    sinks = [spec.name for spec in plan.processes if spec.family == "sink"]
    sources = [spec.name for spec in plan.processes if spec.family == "ventilator"]
    if len(sinks) == 1 and sources and all(name in totals for name in sources) and _passes_all(plan):
        totals[sinks[0]] = sum(totals[name] for name in sources)
    return totals


def _own_total(spec: ProcessSpec) -> int | None:
    params = spec.params
    if spec.family == "subscriber":
        return _number(params.get("updates"))
    if spec.family == "client":
        requests = None if _SOURCES & params.keys() else _number(params.get("requests"))
        return None if requests is None else requests * (_number(params.get("sockets")) or 1)
    if spec.family in ("ventilator", "publisher"):
        share = _share(_source_total(spec), spec.replica, spec.replicas)
        return None if share is None else share + _signals(spec)
    return None


def _signals(spec: ProcessSpec) -> int:
    """The first ventilator whose `start` is connected sends one message more, the guide's batch signal."""
    return int(spec.replica == 1 and any(port.name == "start" and port.attachments for port in spec.ports))


def _source_total(spec: ProcessSpec) -> int | None:
    span = spec.params.get("range")
    if isinstance(span, list | tuple) and len(span) == 2:
        first, last = map(_number, span)
        return None if first is None or last is None else max(0, last - first + 1)
    return _number(spec.params.get("count"))


def _share(total: int | None, replica: int, replicas: int) -> int | None:
    """Replica k of n takes every n-th item, beginning with item k."""
    return None if total is None else len(range(replica - 1, total, replicas))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _passes_all(plan: Plan) -> bool:
    """True where nothing but ventilators, at most one node of plain workers and a sink takes part."""
    between = [spec for spec in plan.processes if spec.family not in ("ventilator", "sink")]
    return all(spec.family == "worker" and "call" not in spec.params for spec in between) and (
        len({spec.node for spec in between}) <= 1
    )
