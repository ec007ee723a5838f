"""What must be done to make one plan of another while it runs: who comes, who goes, who is started again. Pure.

Whoever is the same in both is left alone. What only the coordinator looks at (a restart policy, a grace period, an
expectation) changes without touching anybody.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgspec

from orchestrator.cells import name_list, plural
from orchestrator.run.plan import BookPlan, End, Plan
from roles.kit.spec import PortSpec, ProcessSpec

_TOLD_TO_NOBODY = (
    *("slot", "stage", "replicas", "receives", "sends"),
    *("restart", "ready_within_s", "stop_grace_s", "start_delay_s", "task_timeout_s"),
)
"""Of a spec, what its process makes nothing of, or what is only ever true of its beginning."""

_WATCHED = {
    "restart": "restart",
    "ready_within_s": "ready_within",
    "stop_grace_s": "stop_grace_period",
    "task_timeout_s": "task_timeout",
}
"""Of a spec, what the coordinator alone goes by: it changes at once and touches nobody, in the file's words."""

_SETTINGS = {
    "description": "description",
    "duration_s": "duration",
    "stall_s": "stall",
    "settle_s": "settle",
}
"""Of a plan, what changes at once and touches nobody, in the file's words."""

_FIXED = {"hold": "close", "barrier": "sync", "faults": "faults"}
"""Of a plan, what cannot change in the middle of a run."""

_WORDS = {"ports": "sockets", "command": "command", "role": "role", "external": "external"}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What changes, in words, and whom it touches by name. `why_not` says what stands against it.

    `coming` are new, `again` are the same with another spec, `leaving` are to go.
    """

    changes: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    why_not: str = ""


def difference(old: Plan, new: Plan) -> Difference:
    """From `old`, which runs, to `new`."""
    before = {spec.name: spec for spec in old.processes}
    after = {spec.name: spec for spec in new.processes}
    reasons = {name: _reasons(before[name], spec, old, new) for name, spec in after.items() if name in before}
    touched = {name: why for name, why in reasons.items() if why and not after[name].external}
    coming = tuple(name for name in after if name not in before and not after[name].external)
    leaving = tuple(name for name in before if name not in after and not before[name].external)
    return Difference(
        changes=(
            *_told(before, after, touched),
            *_watched(before, after),
            *_gaps(old, new),
            *_settings(old, new),
        ),
        coming=coming,
        again=tuple(touched),
        leaving=leaving,
        why_not=_why_not(old, new),
    )


def successor(new: Plan, old: Plan) -> Plan:
    """The new plan as what becomes of the old in the middle of a run.

    Who goes on keeps its slot, who comes has one that nobody had; and who has left stays in the books.
    """
    slots = {spec.name: spec.slot for spec in (*old.processes, *old.reserves, *old.retired)}
    free = itertools.count(1 + max(slots.values(), default=-1))

    def slotted(spec: ProcessSpec) -> ProcessSpec:
        if spec.slot < 0:
            return spec
        slot = slots.get(spec.name, -1)
        return msgspec.structs.replace(spec, slot=next(free) if slot < 0 else slot)

    here = {spec.name for spec in new.processes}
    return msgspec.structs.replace(
        new,
        processes=tuple(map(slotted, new.processes)),
        reserves=tuple(map(slotted, new.reserves)),
        retired=tuple(spec for spec in (*old.processes, *old.retired) if spec.name not in here),
        books=_with_old_ends(new.books, old.books),
    )


def _with_old_ends(new: Sequence[BookPlan], old: Sequence[BookPlan]) -> tuple[BookPlan, ...]:
    """The new books with all who have ever counted in them, and the old ones that are no more."""
    before = {(book.name, book.replies): book for book in old}
    books = []
    for book in new:
        past = before.pop((book.name, book.replies), None)
        if past is not None:
            book = msgspec.structs.replace(  # noqa: PLW2901 - the same book, with more in it
                book,
                senders=tuple(dict.fromkeys((*book.senders, *past.senders))),
                receivers=tuple(dict.fromkeys((*book.receivers, *past.receivers))),
                conduits=tuple(dict.fromkeys((*book.conduits, *past.conduits))),
                strangers_send=tuple(dict.fromkeys((*book.strangers_send, *past.strangers_send))),
                strangers_receive=tuple(dict.fromkeys((*book.strangers_receive, *past.strangers_receive))),
            )
        books.append(book)
    return (*books, *before.values())


def _reasons(old: ProcessSpec, new: ProcessSpec, before: Plan, after: Plan) -> tuple[str, ...]:
    """What is different for a process, as the file names it; empty where it can go on as it is."""
    fields = [
        field
        for field in ProcessSpec.__struct_fields__
        if field not in _TOLD_TO_NOBODY and _comparable(old, field) != _comparable(new, field)
    ]
    if new.source and old.replicas != new.replicas:
        fields.append("replicas")  # each takes every n-th item
    words = [_WORDS.get(field, field) for field in fields]
    moved = _moved(before, after)
    endpoints = {one.endpoint for port in new.ports for one in port.attachments}
    return tuple(dict.fromkeys([*words, *(f"address of {name}" for name in moved if name in endpoints)]))


def _comparable(spec: ProcessSpec, field: str) -> object:
    """A field without what follows from how many others there are."""
    if field == "ports":
        return tuple(map(_bare, spec.ports))
    return getattr(spec, field)


def _bare(port: PortSpec) -> PortSpec:
    attached = tuple(msgspec.structs.replace(one, peers=0) for one in port.attachments)
    # A subscriber has to know of each publisher; of subscribers a publisher learns by itself.
    partners = port.partners if port.kind == "SUB" else ()
    return msgspec.structs.replace(port, attachments=attached, partners=partners)


def _moved(old: Plan, new: Plan) -> list[str]:
    """The endpoints whose addresses are others."""
    before = {link.endpoint: link.addresses for link in old.links}
    return [
        link.endpoint for link in new.links if before.get(link.endpoint, link.addresses) != link.addresses
    ]


def _watched(before: dict[str, ProcessSpec], after: dict[str, ProcessSpec]) -> Iterator[str]:
    """A line for each node that is looked after in another way."""
    for node in dict.fromkeys(spec.node for spec in after.values()):
        pairs = [(before[name], after[name]) for name in _of(node, after) if name in before]
        words = [
            word
            for field, word in _WATCHED.items()
            if any(getattr(old, field) != getattr(new, field) for old, new in pairs)
        ]
        if words:
            yield f"{node}: {', '.join(words)} changed: nobody is touched"


def _gaps(old: Plan, new: Plan) -> Iterator[str]:
    """A line for each book in which a gap does something else."""
    before = {(book.name, book.replies): book.gaps for book in old.books}
    for book in new.books:
        if before.get((book.name, book.replies), book.gaps) != book.gaps:
            yield f"{book.name}: gaps changed: nobody is touched"


def _settings(old: Plan, new: Plan) -> list[str]:
    words = [word for field, word in _SETTINGS.items() if getattr(old, field) != getattr(new, field)]
    if _written(old) != _written(new):
        words.append("expect")
    return [f"{', '.join(words)} changed: nobody is touched"] if words else []


def _written(plan: Plan) -> list[tuple[str, str]]:
    """The expectations that somebody has written."""
    return [(one.path, one.condition) for one in plan.expectations if not one.default]


def _why_not(old: Plan, new: Plan) -> str:
    fixed = [word for field, word in _FIXED.items() if getattr(old, field) != getattr(new, field)]
    if fixed:
        return f"'{fixed[0]}' cannot change in the middle of a run"
    kinds = {(book.name, book.replies): (book.kind, book.sequenced) for book in old.books}
    for book in new.books:
        if kinds.get((book.name, book.replies), (book.kind, book.sequenced)) != (book.kind, book.sequenced):
            return f"what is counted at {book.name} would be another thing than before"
    counted = {
        _of_node(end): book.name
        for book in old.books
        if not book.replies
        for end in (*book.senders, *book.receivers)
    }
    for book in new.books:
        for end in () if book.replies else (*book.senders, *book.receivers):
            if counted.get(_of_node(end), book.name) != book.name:
                node, port = _of_node(end)
                return f"what {node} has counted at {port} would be counted at {book.name} from now on"
    grouped = {endpoint: book.name for book in old.books for endpoint in book.endpoints}
    for book in new.books:
        for endpoint in book.endpoints:
            if grouped.get(endpoint, book.name) != book.name:
                return f"{endpoint} would be counted together with others than before"
    return ""


def _of_node(end: End) -> tuple[str, str]:
    """An end of a book by its node."""
    return end[0].rpartition("-")[0], end[1]


def _told(
    before: dict[str, ProcessSpec], after: dict[str, ProcessSpec], touched: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    """A line a node, in the order of the new plan, then those that are gone."""
    nodes = dict.fromkeys(spec.node for spec in (*after.values(), *before.values()))
    for node in nodes:
        had, has = _of(node, before), _of(node, after)
        again = [name for name in touched if name in has]
        parts = [_number(had, has)] if len(had) != len(has) else []
        if again:
            what = ", ".join(dict.fromkeys(word for name in again for word in touched[name]))
            parts.append(
                f"{what} changed: {name_list(again)} {'starts' if len(again) == 1 else 'start'} again"
            )
        if parts:
            yield f"{node}: {'; '.join(parts)}"


def _number(had: Sequence[str], has: Sequence[str]) -> str:
    if not had:
        return f"new, {plural(len(has), 'process', 'processes')}"
    if not has:
        return f"goes, {plural(len(had), 'process', 'processes')}"
    differ = [name for name in (has if len(has) > len(had) else had) if name not in had or name not in has]
    verb = "come" if len(has) > len(had) else "leave"
    return f"{len(had)} → {len(has)} processes: {name_list(differ)} {verb}{'s' if len(differ) == 1 else ''}"


def _of(node: str, specs: dict[str, ProcessSpec]) -> list[str]:
    return [name for name, spec in specs.items() if spec.node == node]
