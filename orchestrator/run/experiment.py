"""What a pattern expects and what it breaks on purpose, as the plan holds them: expectations, defaults, faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.run.plan import BookPlan, ExpectationPlan, FaultPlan
from orchestrator.topology.model import Fault, Node, Pattern


def expectations(
    pattern: Pattern, books: Iterable[BookPlan], lines: Mapping[str, int]
) -> tuple[ExpectationPlan, ...]:
    """What must hold: first what is written, then the defaults that no line replaces.

    Nothing is lost where the books can tell, unless the clients ask again; every process exits with 0.
    """
    written = [
        ExpectationPlan(path=one.path, condition=one.condition, line=lines.get(f"expect.{one.path}"))
        for one in pattern.expect
    ]
    paths = {one.path for one in written}
    lossless = {
        endpoint
        for book in books
        if book.kind == "counted"
        and not book.retried
        and not book.replies
        # Endpoints of one book lose together, so a line for one of them speaks for all.
        and paths.isdisjoint(f"{endpoint}.lost" for endpoint in book.endpoints)
        for endpoint in book.endpoints
    }
    defaults = [f"{name}.lost" for name in pattern.endpoints if name in lossless]
    defaults += [f"{name}.exit_code" for name, node in pattern.nodes.items() if not node.external]
    return (
        *written,
        *(
            ExpectationPlan(path=path, condition="== 0", default=True)
            for path in defaults
            if path not in paths
        ),
    )


def faults(pattern: Pattern, lines: Mapping[str, int]) -> tuple[FaultPlan, ...]:
    """The faults in the order in which they are written."""
    most = pattern.most_replicas()
    return tuple(
        FaultPlan(
            action=fault.action,
            text=fault_text(fault),
            at_s=fault.at_s,
            when=fault.when,
            targets=tuple(_targets(fault, pattern.nodes, most)),
            one_of_them=fault.one_of_them,
            for_s=fault.for_s,
            scale=fault.scale,
            line=lines.get(f"faults.{number}"),
        )
        for number, fault in enumerate(pattern.faults)
    )


def fault_text(fault: Fault) -> str:
    """A fault in words: `kill worker-2, 2 s after Go`, `pause any worker for 1 s when sink.received is 500`."""
    if fault.action == "scale":
        what = "scale " + ", ".join(f"{node} to {replicas}" for node, replicas in fault.scale.items())
    else:
        what = f"{fault.action} {'any ' if fault.one_of_them else ''}{fault.target}"
    lasting = f" for {fault.for_s:g} s" if fault.for_s is not None else ""
    if fault.at_s is not None:
        return f"{what}{lasting}, {fault.at_s:g} s after Go"
    reached = " and ".join(f"{path} is {number:,}" for path, number in fault.when.items())
    return f"{what}{lasting} when {reached}"


def _targets(fault: Fault, nodes: Mapping[str, Node], most: Mapping[str, int]) -> Iterator[str]:
    if fault.target in nodes:
        yield from (f"{fault.target}-{replica}" for replica in range(1, most[fault.target] + 1))
    elif fault.target:
        yield fault.target
