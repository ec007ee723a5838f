"""What Jenkins' `junit-10` schema asks of a JUnit document, in our own words, and that its counts are true."""

import re
from xml.etree import ElementTree as ET

TIME = re.compile(r"[0-9]+(\.[0-9]{0,3})?")
"""The part of the schema's pattern that needs no separators."""

_OUTPUT = {"system-out", "system-err"}
_BAD = {"failure", "error", "skipped"}
_SUITE = (
    *("name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"),
    *("hostname", "id", "package", "file", "log", "url"),
)
_RERUN = {"rerunFailure", "rerunError", "flakyFailure", "flakyError"}

# element: attributes that it must have, those that it may have, its children, whether it holds text
RULES = {
    "testsuites": ((), ("name", "time", "tests", "failures", "errors"), {"testsuite"}, False),
    "testsuite": (_SUITE[:4], _SUITE, {"testsuite", "properties", "testcase"} | _OUTPUT, False),
    "testcase": (("name",), ("name", "time", "classname", "group"), _BAD | _OUTPUT | _RERUN, False),
    "properties": ((), (), {"property"}, False),
    "property": (("name", "value"), ("name", "value"), set(), False),
    **dict.fromkeys(_BAD, ((), ("type", "message"), set(), True)),
    **dict.fromkeys(_OUTPUT, ((), (), set(), True)),
}


def parsed(text):
    """The document's root."""
    return ET.fromstring(text)  # noqa: S314 - we have written it ourselves


def faults(text):
    """What is wrong with a document; an empty list where nothing is."""
    try:
        root = parsed(text)
    except ET.ParseError as error:
        return [f"no XML: {error}"]
    found = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    for element in root.iter():
        found += _form(element)
    for suite in root.iter("testsuite"):
        found += _counts(suite, ("tests", "failures", "errors", "skipped"))
        stamp = suite.get("timestamp", "2026-01-01T00:00:00")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", stamp):
            found.append(f"timestamp {stamp}")
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    found += [f"two cases {name}" for name in set(names) if names.count(name) > 1]
    return found + _counts(root, ("tests", "failures", "errors"))


def _form(element):
    tag = element.tag
    if tag not in RULES:
        return [f"unknown element {tag}"]
    required, allowed, children, holds_text = RULES[tag]
    found = [f"{tag} lacks {name}" for name in required if name not in element.attrib]
    found += [f"{tag} has {name}" for name in element.attrib if name not in allowed]
    found += [f"{child.tag} in {tag}" for child in element if child.tag not in children]
    if not holds_text and "".join([element.text or "", *(child.tail or "" for child in element)]).strip():
        found.append(f"text in {tag}")
    if not TIME.fullmatch(element.get("time", "0")):
        found.append(f"{tag} time {element.get('time')}")
    return found


def _counts(element, names):
    cases = list(element.iter("testcase"))
    bad = [[child.tag for child in case if child.tag in _BAD] for case in cases]
    true = {
        "tests": len(cases),
        "failures": sum(tags == ["failure"] for tags in bad),
        "errors": sum(tags == ["error"] for tags in bad),
        "skipped": sum(tags == ["skipped"] for tags in bad),
    }
    found = [f"{tags} in one case" for tags in bad if len(tags) > 1]
    return found + [
        f"{element.tag} {name} {element.get(name)}" for name in names if element.get(name) != str(true[name])
    ]
