"""The `$jsonSchema` of a model: by it MongoDB refuses documents that the code can't read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin
from uuid import UUID

from annotated_types import GroupedMetadata
from pydantic import JsonValue
from pydantic.fields import FieldInfo
from typing_extensions import ReadOnly, get_type_hints, is_typeddict

from .driver import ObjectId

Schema = dict[str, Any]

__all__ = ["Schema", "document_schema"]

_INTEGER = ["int", "long"]
_TYPES: dict[Any, Schema] = {
    Any: {},
    object: {},
    JsonValue: {},
    NoneType: {"bsonType": ["null"]},
    None: {"bsonType": ["null"]},
    bool: {"bsonType": ["bool"]},
    int: {"bsonType": _INTEGER},
    float: {"bsonType": ["double", *_INTEGER]},
    str: {"bsonType": ["string"]},
    bytes: {"bsonType": ["binData"]},
    ObjectId: {"bsonType": ["objectId"]},
    UUID: {"bsonType": ["binData"]},
    Decimal: {"bsonType": ["decimal"]},
    datetime: {"bsonType": ["date"]},
    date: {"bsonType": ["string"], "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    list: {"bsonType": ["array"]},
    dict: {"bsonType": ["object"]},
}
_QUALIFIERS = (Required, NotRequired, ReadOnly)
# An attribute of a constraint in `Annotated`, and its keywords in the schema.
_NUMBERS = {"ge": "minimum", "gt": "minimum", "le": "maximum", "lt": "maximum"}
_LENGTHS = {"min_length": ("minLength", "minItems"), "max_length": ("maxLength", "maxItems")}


def document_schema(name: str, model: Any) -> Schema:
    """Return the schema of the collection `name`, whose `title` MongoDB repeats in a refusal.

    Fields that the model does not name are allowed, so that old code and new code run side by
    side. Raises `TypeError` for a type that MongoDB has not.
    """
    return {"title": name, **_object(model, name)}


def _object(model: Any, path: str) -> Schema:
    hints = get_type_hints(model, include_extras=True)
    required = [field for field, hint in hints.items() if _is_required(model, field, hint)]
    schema: Schema = {"bsonType": ["object"]}
    if required:  # MongoDB refuses an empty list
        schema["required"] = required
    fields = {field: _schema(hint, f"{path}.{field}") for field, hint in hints.items()}
    return {**schema, "properties": fields}


def _is_required(model: Any, field: str, hint: Any) -> bool:
    # Where annotations are text, `__required_keys__` does not know of the qualifiers.
    while (origin := get_origin(hint)) in (*_QUALIFIERS, Annotated):
        if origin in (Required, NotRequired):
            return origin is Required
        hint = get_args(hint)[0]
    return field in model.__required_keys__


def _schema(hint: Any, path: str) -> Schema:
    if hint in _TYPES:
        return dict(_TYPES[hint])
    if is_typeddict(hint):
        return _object(hint, path)
    if (aliased := getattr(hint, "__value__", getattr(hint, "__supertype__", None))) is not None:
        return _schema(aliased, path)  # of a `type` statement, or a NewType
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return _any_of([_schema(each, path) for each in arguments])
    if origin is Annotated:
        schema = _schema(arguments[0], path)
        return {**schema, **_constraints(schema, arguments[1:])}
    if origin in _QUALIFIERS:
        return _schema(arguments[0], path)
    if origin in (list, Sequence):
        return {**_TYPES[list], "items": _schema(arguments[0], path)}
    if origin in (dict, Mapping):
        return {**_TYPES[dict], "additionalProperties": _schema(arguments[1], path)}
    raise TypeError(f"{path}: MongoDB has no type for {hint!r}. Use Any, or another type.")


def _any_of(schemas: Sequence[Schema]) -> Schema:
    if not all(schemas):
        return {}
    if all(set(schema) == {"bsonType"} for schema in schemas):
        return {"bsonType": [kind for schema in schemas for kind in schema["bsonType"]]}
    return {"anyOf": list(schemas)}


def _constraints(schema: Schema, metadata: Iterable[Any]) -> Schema:
    """Return the constraints of `annotated_types` and pydantic that JSON Schema has too."""
    found: Schema = {}
    lists = "array" in schema.get("bsonType", ())
    for constraint in _flat(metadata):
        for attribute, keyword in _NUMBERS.items():
            value = getattr(constraint, attribute, None)
            if isinstance(value, int | float | Decimal):
                found[keyword] = value
                if attribute in ("gt", "lt"):
                    found[f"exclusive{keyword.title()}"] = True
        for attribute, keywords in _LENGTHS.items():
            if (value := getattr(constraint, attribute, None)) is not None:
                found[keywords[lists]] = value
        if (pattern := getattr(constraint, "pattern", None)) is not None:
            found["pattern"] = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    return found


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from _flat(each.metadata)
        elif isinstance(each, GroupedMetadata):
            yield from _flat(each)
        else:
            yield each
