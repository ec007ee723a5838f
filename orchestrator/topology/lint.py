"""The ZeroMQ lint: rules about a pattern whose keys and values are in order.

A rule is a function from a view of one pattern to findings; `RULES` lists them. A pattern's `allow` silences
those of the codes in `ALLOWED` that it breaks on purpose.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from orchestrator.topology import (
    lint_batch,
    lint_delivery,
    lint_expect,
    lint_faults,
    lint_links,
    lint_nodes,
    lint_options,
    lint_restart,
    lint_security,
    lint_sequence,
    lint_size,
)
from orchestrator.topology.suggest import did_you_mean_or_list
from orchestrator.topology.tree import Finding
from orchestrator.topology.view import View

Rule = Callable[[View], Iterator[Finding]]

MAX_FINDINGS = 200
"""No more findings of one rule than these are looked for."""

RULES: tuple[Rule, ...] = (
    *lint_nodes.RULES,
    *lint_links.RULES,
    *lint_options.RULES,
    *lint_sequence.RULES,
    *lint_batch.RULES,
    *lint_delivery.RULES,
    *lint_size.RULES,
    *lint_expect.RULES,
    *lint_faults.RULES,
    *lint_restart.RULES,
    *lint_security.RULES,
)

ALLOWED = frozenset(
    {
        "batch-frame",
        "bind-replicas",
        "conflate-multipart",
        "nobody-connects",
        "never-ends",
        "port-codecs",
        "relaxed-without-correlate",
        "same-address",
        "sees-nothing",
        "sequence-frame",
        "slow-joiner",
        "socket-pair",
        "starts-over",
        "two-binders",
        "unused-endpoint",
    }
)
"""Codes that a pattern may allow: what they name can be started, if only to show how it goes wrong."""


def lint(view: View) -> Iterator[Finding]:
    """What the rules find in a pattern, but for what it allows."""
    yield from _unknown_codes(view)
    for rule in RULES:
        for finding in itertools.islice(rule(view), MAX_FINDINGS):
            if finding.code not in view.pattern.allow or finding.code not in ALLOWED:
                yield finding


def _unknown_codes(view: View) -> Iterator[Finding]:
    for index, code in enumerate(view.pattern.allow):
        if code not in ALLOWED:
            hint = did_you_mean_or_list(code, sorted(ALLOWED), "codes")
            if code == "open-bind":  # the file's own word for it, which says what it does
                hint = "write insecure: true at the endpoint"
            path = view.path("allow", index)
            yield Finding(code="unknown-code", text=f"cannot allow '{code[:40]}'", path=path, hint=hint)
