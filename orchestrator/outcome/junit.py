"""Test cases -> JUnit XML, for CI systems. Pure.

The form is what Jenkins' `junit-10` schema allows, and no more: suites within one `testsuites`, places in the
texts since a test case has none, times with three decimals and nothing to part thousands. `timestamp` is in UTC
and bears no zone, since other readers of JUnit's XML refuse one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from orchestrator.cells import printable
from orchestrator.outcome.cases import Case, Suite, suite
from orchestrator.outcome.entries import Entry

_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_NONCHARACTERS = re.compile("[\ufffe\uffff]")
"""Those that XML 1.0 forbids and `printable` lets pass; it escapes control characters and surrogates."""


def junit_text(entries: Iterable[Entry]) -> str:
    """The whole document. It is ASCII, with character references, and so the same in every encoding."""
    suites = [suite(entry) for entry in entries]
    counts = _counts([case for one in suites for case in one.cases])
    del counts["skipped"]  # the schema has it in a suite alone
    total_s = sum(round(one.time_s, 3) for one in suites)
    root = ET.Element("testsuites", {"name": "orchestrator", **counts, "time": _time(total_s)})
    for one in suites:
        _add_suite(root, one)
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=False)
    return f"{_HEAD}{body.decode()}\n"


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.bad == "failure" for case in cases)),
        "errors": str(sum(case.bad == "error" for case in cases)),
        "skipped": str(sum(case.bad == "skipped" for case in cases)),
    }


def _add_suite(root: ET.Element, told: Suite) -> None:
    attributes = {"name": told.name, **_counts(told.cases), "time": _time(told.time_s), "file": told.file}
    if told.started_at:
        attributes["timestamp"] = told.started_at.removesuffix("Z")
    element = _add(root, "testsuite", attributes)
    if told.properties:
        properties = _add(element, "properties", {})
        for name, value in told.properties.items():
            _add(properties, "property", {"name": name, "value": value})
    for case in told.cases:
        _add_case(element, case)


def _add_case(parent: ET.Element, case: Case) -> None:
    attributes = {"classname": case.group, "name": case.name, "time": _time(case.time_s)}
    element = _add(parent, "testcase", attributes)
    if case.bad:
        _add(element, case.bad, {"type": case.kind, "message": case.message}).text = _clean(case.text)
    if case.out:
        _add(element, "system-out", {}).text = _clean("\n".join(case.out))


def _add(parent: ET.Element, name: str, attributes: dict[str, str]) -> ET.Element:
    return ET.SubElement(parent, name, {key: _clean(value) for key, value in attributes.items()})


def _time(value_s: float) -> str:
    return f"{value_s:.3f}"


def _clean(text: str) -> str:
    """The text with all that XML cannot hold, and all that would steer a terminal, written as escapes."""
    lines = "\n".join(printable(line) for line in text.split("\n"))
    return _NONCHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", lines)
