"""An example of a value, made of the examples in its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schemas import Schema, resolved

_OF_FORMAT = {
    "date-time": "2026-01-31T12:00:00.000Z",
    "date": "2026-01-31",
    "time": "12:00:00",
    "uuid": "0c5f2b7e-5a0e-4c5b-9a55-6d1f1f6e2a11",
}
_OF_TYPE = {"string": "text", "boolean": True, "null": None}


def example_of(schema: Mapping[str, Any], components: Mapping[str, Schema]) -> Any:
    """Return `examples[0]` of a schema, or a value made of the examples of its parts."""
    schema = resolved(schema, components)
    if "examples" in schema:
        return schema["examples"][0]
    chosen = schema.get("enum", []) + [schema[k] for k in ("const", "default") if k in schema]
    if "anyOf" in schema:
        kinds = [resolved(kind, components) for kind in schema["anyOf"]]
        shown = [kind for kind in kinds if "examples" in kind]
        return chosen[0] if chosen and not shown else example_of([*shown, *kinds][0], components)
    return chosen[0] if chosen else _of_type(schema, components)


def _of_type(schema: Mapping[str, Any], components: Mapping[str, Schema]) -> Any:
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example_of(part, components) for name, part in properties.items()}
    if kind == "array":
        return [example_of(schema["items"], components)] if "items" in schema else []
    if kind in ("integer", "number"):
        return schema.get("minimum", 1) if schema.get("minimum", -1) >= 0 else 1
    return _OF_FORMAT.get(str(schema.get("format")), _OF_TYPE.get(str(kind), {}))
