"""The JSON Schema of the topology file, for editors and other checkers."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.topology import durations
from orchestrator.topology.form import FileForm
from orchestrator.topology.scalars import Value

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file's format, short and long forms alike."""
    made = FileForm.model_json_schema(ref_template="#/$defs/{model}")
    return {"$schema": DIALECT, "title": "ZeroMQ topology", **_tidied(made)}


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
    elif kept.get("pattern") == durations.PATTERN and isinstance(default, float):
        kept["default"] = f"{default:g}s" if default >= 1 else f"{default * 1000:g}ms"
    options = kept.get("anyOf")
    if options and {"type": "null"} in options:
        rest = [option for option in options if option != {"type": "null"}]
        del kept["anyOf"]
        kept = {**rest[0], **kept} if len(rest) == 1 else {**kept, "anyOf": rest}
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    return kept
