"""JSON schemas of the types of an API, the named ones as components that others refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"
# `details[].reason` for a value that breaks a keyword of its schema: pydantic's names of errors.
_OF_TYPE = {
    "string": ("string_type",),
    "integer": ("int_type", "int_too_long"),
    "number": ("float_type", "finite_number"),
    "boolean": ("bool_type",),
    "array": ("list_type",),
    "object": ("dict_type", "model_type"),
    "null": ("none_required",),
}
_OF_KEYWORD = {
    "minLength": ("string_too_short",),
    "maxLength": ("string_too_long",),
    "pattern": ("string_pattern_mismatch",),
    "minimum": ("greater_than_equal",),
    "maximum": ("less_than_equal",),
    "exclusiveMinimum": ("greater_than",),
    "exclusiveMaximum": ("less_than",),
    "multipleOf": ("multiple_of",),
    "minItems": ("too_short",),
    "maxItems": ("too_long",),
    "minProperties": ("too_short",),
    "maxProperties": ("too_long",),
    "enum": ("literal_error",),
    "const": ("literal_error",),
    "uniqueItems": ("set_type",),
    "prefixItems": ("tuple_type",),
    "required": ("missing",),
    "discriminator": ("union_tag_invalid", "union_tag_not_found"),
}
_OF_FORMAT = {
    "date-time": (
        *("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
        *("datetime_object_invalid", "timezone_naive", "timezone_aware"),
    ),
    "date": (
        *("date_type", "date_parsing", "date_from_datetime_parsing"),
        "date_from_datetime_inexact",
    ),
    "time": ("time_type", "time_parsing"),
    "duration": ("time_delta_type", "time_delta_parsing"),
    "uuid": ("uuid_type", "uuid_parsing"),
    "uri": ("url_type", "url_parsing", "url_scheme"),
}


_ANY_JSON = {"description": "Any JSON value. An integer fits in 64 bits."}


class Wanted(NamedTuple):
    """A type that needs a schema, as clients send it (`validation`) or get it (`serialization`)."""

    name: str
    mode: JsonSchemaMode
    adapter: TypeAdapter[Any]


class Generator(GenerateJsonSchema):
    """Pydantic's schemas, without titles of fields, and with integers as MongoDB has them."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name.replace("[", "Of").replace("]", ""))

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        found = super().int_schema(schema)
        if not found.keys() & {"minimum", "exclusiveMinimum"}:
            found["minimum"] = -(2**63)
        if not found.keys() & {"maximum", "exclusiveMaximum"}:
            found["maximum"] = 2**63 - 1
        return found

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        if str(schema.get("schema_ref", "")).startswith(f"{JsonValue.__module__}.JsonValue:"):
            return dict(_ANY_JSON)  # pydantic would refer to a component without any keyword
        return super().generate_inner(schema)

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return {**super().enum_schema(schema), "x-reasons": ["enum"]}

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return {**super().dataclass_schema(schema), "x-reasons": ["dataclass_type"]}

    def any_schema(self, schema: core_schema.AnySchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            raise PydanticInvalidForJsonSchema("Any says nothing: JsonValue is for any JSON value")
        return super().any_schema(schema)


def make_schemas(wanted: Iterable[Wanted]) -> tuple[dict[tuple[str, str], Schema], Schema]:
    """Return the schema of each wanted type by its name and mode, and the components.

    Raises `TypeError` for a type that has none, such as an answer with `Any` inside.
    """
    wanted = list(wanted)
    template = f"{REFERENCE}{{model}}"
    try:
        found, shared = TypeAdapter.json_schemas(
            wanted, ref_template=template, schema_generator=Generator
        )
    except PydanticInvalidForJsonSchema as error:
        raise TypeError(f"{_culprit(wanted)} can't be described: {error.message}.") from None
    components: Schema = shared.get("$defs", {})
    components.pop("JsonValue", None)
    # Pydantic's title is `Page` for a page of anything, and generators refuse two of one name.
    for name, schema in components.items():
        schema["title"] = name
    named: dict[tuple[str, str], Schema] = {(str(key), mode): s for (key, mode), s in found.items()}
    return named, components


def resolved(schema: Mapping[str, Any], components: Mapping[str, Schema]) -> Mapping[str, Any]:
    """Return the component that `schema` refers to, or `schema` itself."""
    reference = schema.get("$ref")
    return components[reference.removeprefix(REFERENCE)] if reference else schema


def reasons_of(schema: Schema, components: Mapping[str, Schema]) -> set[str]:
    """Return every `details[].reason` that a value against `schema` may get."""
    return {
        reason
        for part in _parts(schema, components, set())
        for reason in (
            *_OF_TYPE.get(str(part.get("type")), ()),
            *_OF_FORMAT.get(str(part.get("format")), ()),
            *part.get("x-reasons", ()),
            *(reason for keyword in part for reason in _OF_KEYWORD.get(keyword, ())),
            *(("not_settable",) if part.get("additionalProperties") is False else ()),
        )
    }


def _parts(schema: Any, components: Mapping[str, Schema], seen: set[str]) -> Iterator[Schema]:
    """Yield `schema` and all schemas inside it, each component once."""
    if isinstance(schema, list):
        for each in schema:
            yield from _parts(each, components, seen)
    elif isinstance(schema, dict):
        reference = schema.get("$ref")
        if reference and reference not in seen:
            seen.add(reference)
            yield from _parts(resolved(schema, components), components, seen)
        yield schema
        for keyword in ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties"):
            yield from _parts(schema.get(keyword), components, seen)
        yield from _parts(list(schema.get("properties", {}).values()), components, seen)


def _culprit(wanted: Iterable[Wanted]) -> str:
    """Return the name of the first type without a schema."""
    return next(each.name for each in wanted if not _has_schema(each))


def _has_schema(wanted: Wanted) -> bool:
    try:
        wanted.adapter.json_schema(mode=wanted.mode, schema_generator=Generator)
    except PydanticInvalidForJsonSchema:
        return False
    return True
