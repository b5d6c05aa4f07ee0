"""ObjectId as pydantic knows the class: in answers as it is, in JSON as 24 hex digits."""

from __future__ import annotations

from typing import Annotated, Any

from bson import ObjectId
from pydantic import GetPydanticSchema
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core import core_schema as schemas

__all__ = ["Id", "ObjectId"]

_DESCRIBED = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{24}$",
    "description": "24 hex digits",
    "examples": ["65f2a1c04b3d9e0012345678"],
    "x-reasons": ["object_id"],
}


def _object_id(value: str) -> ObjectId:
    if not ObjectId.is_valid(value):
        raise PydanticCustomError("object_id", "it must be an id, of 24 hex digits")
    return ObjectId(value)


def _described(schema: Any) -> CoreSchema:
    described: CoreSchema = {
        **schema,
        "metadata": {"pydantic_js_functions": [lambda _schema, _handler: dict(_DESCRIBED)]},
    }
    return described


_TEXT = _described(schemas.no_info_after_validator_function(_object_id, schemas.str_schema()))
_EITHER = _described(
    schemas.json_or_python_schema(
        _TEXT, schemas.is_instance_schema(ObjectId), serialization=schemas.to_string_ser_schema()
    )
)
# PyMongo's class lets pydantic know nothing, so an answer `{"id": ObjectId}` could not be checked.
setattr(  # noqa: B010 - mypy knows no such attribute
    ObjectId, "__get_pydantic_core_schema__", classmethod(lambda _kind, _source, _handler: _EITHER)
)

# An id as a client sends it: `type_check(Id)` passes the ObjectId to the action.
Id = Annotated[ObjectId, GetPydanticSchema(lambda _source, _handler: _TEXT)]
