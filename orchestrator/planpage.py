"""A plan as a page to read: order and reasons, processes and sockets, links, what is expected and broken. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cells import NONE, Cell, Style, plain, printable, table, times
from orchestrator.graph import shown_addresses
from orchestrator.observers.stages import stage_lines
from orchestrator.run.outline import stage_nodes
from orchestrator.run.outlines import StageOutline
from orchestrator.run.plan import Plan
from roles.kit.spec import Attachment, PortSpec, ProcessSpec

MANY = 40
"""A node of more processes than this is shown by its first."""


def plan_text(plan: Plan, style: Style = plain) -> str:
    """What would be started: stages, processes, addresses and sockets, and why in that order."""
    head = printable(f": {plan.description}") if plan.description else ""
    stages = [StageOutline(nodes=stage_nodes(stage, plan), why=stage.why) for stage in plan.stages]
    blocks = [
        [style("bold", plan.pattern) + head, *stage_lines(stages)],
        table(("PROCESS", "ROLE", "PORT", "SOCKET", "DOES", "ADDRESS"), _process_rows(plan), style=style),
        table(("LINK", "KIND", "FROM", "TO", "ADDRESSES"), _link_rows(plan), style=style),
    ]
    if plan.expectations:
        blocks.append(table(("EXPECTED", "BY"), _expectation_rows(plan), style=style))
    if plan.faults:
        rows = [[Cell(printable(fault.text)), Cell(_by(fault.line, plan))] for fault in plan.faults]
        blocks.append(table(("BROKEN ON PURPOSE", "BY"), rows, style=style))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _expectation_rows(plan: Plan) -> list[list[Cell]]:
    return [
        [
            Cell(printable(f"{one.path} {one.condition}")),
            Cell("default" if one.default else _by(one.line, plan)),
        ]
        for one in plan.expectations
    ]


def _by(line: int | None, plan: Plan) -> str:
    return f"{plan.topology}:{line}" if line else "--set"


def _process_rows(plan: Plan) -> list[list[Cell]]:
    """One row a socket; a process's name and role stand at its first."""
    rows = []
    for spec in sorted(plan.processes, key=lambda spec: spec.stage):
        many = spec.replicas > MANY
        if many and spec.replica > 1:
            continue
        name = times(spec.node, spec.replicas) if many else spec.name
        sockets = [_socket_cells(port, use, plan) for port in spec.ports for use in port.attachments]
        for index, cells in enumerate(sockets or [[Cell(NONE), Cell(NONE), Cell(NONE), Cell("")]]):
            lead = [Cell(name, "bold"), Cell(_role(spec))] if index == 0 else [Cell(""), Cell("")]
            rows.append([*lead, *cells])
    return rows


def _role(spec: ProcessSpec) -> str:
    if spec.external:
        return "external"
    return printable(spec.role or f"command: {' '.join(spec.command)}")


def _socket_cells(port: PortSpec, use: Attachment, plan: Plan) -> list[Cell]:
    verb = "acknowledges" if use.acks else "binds" if use.mode == "bind" else "connects"
    # The outlet of a source and the inlet of a worker speak to one another where delivery is acknowledged.
    kind = "ROUTER" if use.acks or port.delivery in ("give", "take") else port.kind
    if use.curve is None:
        under = ""
    elif use.mode == "connect":
        under = " under curve"
    else:
        under = f" under curve, for {', '.join(use.curve) or 'nobody'}"
    addresses = next((link.addresses for link in plan.links if link.endpoint == use.endpoint), ())
    shown = shown_addresses((use.address,) if use.address else addresses)
    return [
        Cell(port.name or NONE),
        Cell(kind or NONE),
        Cell(f"{verb} {use.endpoint}{under}"),
        Cell(printable(shown)),
    ]


def _link_rows(plan: Plan) -> list[Sequence[Cell]]:
    return [
        (
            Cell(link.endpoint, "bold"),
            Cell(link.kind.replace("_", "-")),
            Cell(", ".join(link.senders) or NONE),
            Cell(", ".join(link.receivers) or NONE),
            Cell(printable(shown_addresses(link.addresses))),
        )
        for link in plan.links
    ]
