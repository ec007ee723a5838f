"""The JSON Schema of the topology file, for editors and other checkers."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.topology import durations
from orchestrator.topology.form import FileForm
from orchestrator.topology.scalars import Value

DIALECT = "https://json-schema.org/draft/2020-12/schema"


VARIABLE = {
    "description": "A variable of the environment: ${NAME} or ${NAME:-default}",
    "type": "string",
    "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}$]*)?\}",
}


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file's format, short and long forms alike."""
    made = FileForm.model_json_schema(ref_template="#/$defs/{model}")
    tidy = _tidied(made)
    tidy["$defs"] = {**tidy["$defs"], "Variable": VARIABLE}
    return {"$schema": DIALECT, "title": "ZeroMQ topology", **tidy}


def schema_text() -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(value: Value, key: str = "") -> Value:
    """The schema without what pydantic adds for its own sake: titles, nulls that the file does not need."""
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    if key in ("properties", "$defs"):
        return {name: _tidied(inner) for name, inner in value.items()}
    kept = {
        name: _tidied(inner, name) for name, inner in value.items() if name not in ("title", "discriminator")
    }
    default = kept.get("default", ...)
    if default is None:
        del kept["default"]
    elif _is_duration(kept) and isinstance(default, float):
        kept["default"] = durations.in_words(default)
    options = kept.get("anyOf")
    if options and {"type": "null"} in options:
        rest = [option for option in options if option != {"type": "null"}]
        del kept["anyOf"]
        kept = {**rest[0], **kept} if len(rest) == 1 else {**kept, "anyOf": rest}
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    return _or_variable(kept)


_ABOUT = ("description", "default", "examples")


def _or_variable(value: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that a variable may stand for."""
    if value.get("type") not in ("integer", "boolean") and "enum" not in value and not _is_duration(value):
        return value
    about = {key: inner for key, inner in value.items() if key in _ABOUT}
    kept = {key: inner for key, inner in value.items() if key not in _ABOUT}
    return {**about, "anyOf": [kept, {"$ref": "#/$defs/Variable"}]}


def _is_duration(value: dict[str, Any]) -> bool:
    return value.get("pattern") == durations.PATTERN
