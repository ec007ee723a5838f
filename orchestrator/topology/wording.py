"""pydantic's errors in our words, at their places in the file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import ErrorDetails

from orchestrator.topology import durations
from orchestrator.topology.fields import POLICIES, TAGS
from orchestrator.topology.form import RestartForm, keys_of, level_of
from orchestrator.topology.scalars import ScalarError, Value, quoted, resolve, shown
from orchestrator.topology.suggest import did_you_mean, nearest
from orchestrator.topology.tree import Finding, Node, Path, Scalar, Table, child, find


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A finding, the path of what must go so that the rest can be read, and a missing key.

    One that `follows` from another is not told.
    """

    finding: Finding
    drop: Path
    key: str = ""
    follows: bool = False


def faults_of(errors: Iterable[ErrorDetails], tree: Node) -> list[Fault]:
    """Our words for each of pydantic's errors about `tree`.

    A key that is missing only because it is misspelt is told once, as an unknown key.
    """
    faults = [_fault(error, tree) for error in errors]
    meant = {
        (*fault.finding.path[:-1], fault.finding.hint)
        for fault in faults
        if fault.finding.code == "unknown-key"
    }
    return [replace(fault, follows=_misspelt(fault, meant)) for fault in faults]


def _misspelt(fault: Fault, meant: Collection[Path]) -> bool:
    if fault.finding.code != "missing-key":
        return False
    return (*fault.finding.path, did_you_mean(fault.key, [fault.key])) in meant


def _fault(error: ErrorDetails, tree: Node) -> Fault:
    path, rest = _path_in_file(error["loc"], tree)
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "missing":
        return _missing(path, str(rest[0]))
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "string_pattern_mismatch":
        return _bad_name(path)
    here = find(tree, path)
    told = _value_text(kind, _key(path), here, context)
    if told is None:
        told = (f"cannot take {_key(path)}: {error['msg'].lower()}", "")
    code, text, hint = (_CODES.get(kind, "value"), *told)
    return Fault(finding=Finding(code=code, text=text, path=path, hint=hint), drop=path)


_CODES = {
    "text": "not-text",
    "duration": "duration",
    "size": "size",
    "command": "command",
    "literal_error": "choice",
    "policy": "choice",
    "greater_than": "range",
    "greater_than_equal": "range",
    "less_than_equal": "range",
}


def _path_in_file(loc: Sequence[str | int], tree: Node) -> tuple[Path, tuple[str | int, ...]]:
    """How far pydantic's path leads in the file, and what is left of it."""
    path: list[str | int] = []
    here = tree
    for index, part in enumerate(loc):
        found = child(here, part)
        if found is not None:
            path.append(part)
            here = found
        elif part != "[key]" and part not in TAGS:
            return tuple(path), tuple(loc[index:])
    return tuple(path), ()


def _key(path: Path) -> str:
    """The name of a value in a message: its key, and for an item of a list the key of the list."""
    names = [str(part) for part in path if isinstance(part, str)]
    if not names:
        return "the topology"
    return f"'{names[-1][:40]}'" if isinstance(path[-1], str) else f"an item of '{names[-1][:40]}'"


def _missing(path: Path, key: str) -> Fault:
    word, form = level_of(path)
    owner = "a topology"
    if path:
        owner = _key(path) if form is RestartForm else f"{word} '{path[-1]}'"
    hints = {
        "version": "write version: 1",
        "address": "write ipc, or tcp://127.0.0.1:5555",
        "policy": "write policy: on-failure, or policy: always",
    }
    text = f"{owner} needs '{key}'"
    return Fault(
        finding=Finding(code="missing-key", text=text, path=path, hint=hints.get(key, ""), on="key"),
        drop=path or (key,),
        key=key,
    )


def _unknown_key(path: Path) -> Fault:
    key = str(path[-1])
    word, form = level_of(path[:-1])
    hint = did_you_mean(key, keys_of(form) if form else ())
    if not hint:
        hint = _belongs_to(key, word)
    if not hint and form is RestartForm:
        hint = f"restart has the keys {', '.join(keys_of(form))}"
    finding = Finding(code="unknown-key", text=f"unknown key '{key[:60]}'", path=path, hint=hint, on="key")
    return Fault(finding=finding, drop=path)


def _belongs_to(key: str, word: str) -> str:
    samples: dict[str, Path] = {
        "pattern": ("patterns", ""),
        "node": ("patterns", "", "nodes", ""),
        "endpoint": ("patterns", "", "endpoints", ""),
        "fault": ("patterns", "", "faults", 0),
        "restart": ("patterns", "", "nodes", "", "restart"),
    }
    for other, path in samples.items():
        form = level_of(path)[1]
        if other != word and form is not None and key in keys_of(form):
            article = {"endpoint": "an ", "restart": ""}.get(other, "a ")
            return f"it is a key of {article}{other}"
    return ""


def _bad_name(path: Path) -> Fault:
    name = str(path[-1])
    better = "".join(char if char.isascii() and char.isalnum() else "_" for char in name.lower()).strip("_")
    hint = f"write {better[:40]}" if better[:1].isalpha() else ""
    text = f"cannot use the name '{name[:40]}': names are a-z, 0-9 and _, and begin with a letter"
    return Fault(finding=Finding(code="name", text=text, path=path, hint=hint, on="key"), drop=path)


def not_text(key: str, node: Node | None) -> tuple[str, str]:
    """Text and hint for a value that should be text: what YAML makes of it, and what to quote."""
    if not isinstance(node, Scalar):
        return f"{key} must be text, not {'a mapping' if isinstance(node, Table) else 'a list'}", ""
    if node.value is None:
        return f"{key} has no value", "" if not node.text else f"quote it: {quoted(node.text)}"
    made = shown(node.value)
    if isinstance(node.value, bool):
        text = f"{node.text} is {made} to YAML, not text"
    elif made == node.text:
        text = f"{node.text} is a number, not text"
    else:
        text = f"{node.text} is {made} to YAML, not text"
    return text, f"quote it: {quoted(node.text)}"


def _value_text(kind: str, key: str, node: Node | None, context: Mapping[str, Any]) -> tuple[str, str] | None:
    """Text and hint for a value of the wrong kind; None for kinds of error that are not known here."""
    value = node.value if isinstance(node, Scalar) else ({} if isinstance(node, Table) else [])
    told: tuple[str, str] | None = None
    if kind == "text":
        told = not_text(key, node)
    elif kind == "literal_error":
        told = _not_a_choice(key, node, value, str(context["expected"]))
    elif kind == "policy":
        told = _not_a_policy(key, node, value)
    elif kind in _BOUNDS:
        told = f"{key} must be {_bound(kind, context)}, not {shown(value)}", ""
    elif kind in ("duration", "size") and "said" in context:
        text, _, hint = str(context["said"]).partition(" (")
        told = text, hint.rstrip(")")
    elif kind == "command":
        told = f"cannot split {key} into words: {context.get('said', 'it is empty')}", "write it as a list"
    elif kind in _KINDS:
        told = f"{key} must be {_KINDS[kind]}, not {shown(value)}", _without_quotes(kind, node)
    elif kind == "too_short":
        told = f"{key} must not be empty", ""
    return told


_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}


def _bound(kind: str, context: Mapping[str, Any]) -> str:
    words, key = _BOUNDS[kind]
    bound = context[key]
    return f"{words} {durations.in_words(bound) if isinstance(bound, float) else bound}"


_KINDS = {
    "integer": "a whole number",
    "flag": "true or false",
    "duration": "a duration, as 250ms, 10s or 1m30s",
    "size": "a size, as 512KiB or 64MiB",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}


def _without_quotes(kind: str, node: Node | None) -> str:
    """A hint for text in quotes that would be right without them."""
    if kind not in ("integer", "flag") or not isinstance(node, Scalar) or not node.quoted:
        return ""
    try:
        bare = resolve(node.text)
    except ScalarError:
        return ""
    right = type(bare) is (int if kind == "integer" else bool)
    return "write it without quotes" if right else ""


def _not_a_choice(key: str, node: Node | None, value: Value, expected: str) -> tuple[str, str]:
    choices = expected.replace(" or ", ", ")
    names = [choice.strip("'") for choice in choices.split(", ")]
    if isinstance(node, Scalar) and not isinstance(value, str) and names != ["1"]:
        return not_text(key, node)
    near = nearest(value, names) if isinstance(value, str) else ""
    hint = f"did you mean '{near}'?" if near else ""
    words = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    return f"{key} must be {words}, not {shown(value)}", hint


_POLICY_HINTS = {
    **dict.fromkeys(("yes", "on", "true"), "write on-failure or always"),
    **dict.fromkeys(("any", "unless-stopped"), "did you mean 'always'?"),
    "never": "did you mean 'no'?",
}
"""What is meant by words that other programs have for a policy, and by those that are true to YAML."""


def _not_a_policy(key: str, node: Node | None, value: Value) -> tuple[str, str]:
    said = node.text if isinstance(node, Scalar) and isinstance(value, bool) else value
    hint = ""
    if isinstance(said, str):
        hint = _POLICY_HINTS.get(said.lower()) or did_you_mean(said, POLICIES)
    return f"{key} must be one of {', '.join(POLICIES)}, not {shown(said)}", hint
