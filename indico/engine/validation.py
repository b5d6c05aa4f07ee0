"""Validation: the limits of every JSON value, what types say of themselves, pydantic's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from .error import MAX_DETAILS, InvalidArgument, MissingField, WrongFieldType, short

MAX_DEPTH = 64  # objects and lists, each inside the other
MAX_SENTENCES = 10  # of one error
INT_TOO_LONG = ("an integer must fit in 64 bits", "int_too_long")  # a sentence's end, and a reason
_DECODER = json.JSONDecoder()


class Reasons:
    """The `reason`s that a validator of a type gives, for the API's document.

    Email = Annotated[str, AfterValidator(_email), Reasons("email")]
    """

    def __init__(self, *reasons: str) -> None:
        self._reasons = list(reasons)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "x-reasons": self._reasons}


class Described:
    """The type that the API's document shows in place of another, which is less exact.

    Entry = Annotated[dict[str, Any], AfterValidator(_check), Described(AddressEntry)]
    """

    def __init__(self, kind: Any) -> None:
        self._kind: TypeAdapter[Any] = TypeAdapter(kind)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self._kind.core_schema)


def fits_64_bits(number: int) -> bool:
    """Return whether MongoDB can store `number` as an integer."""
    return -(2**63) <= number < 2**63


def refuse(problems: list[InvalidArgument]) -> None:
    """Raise one error with all `problems`, if there are any, and clear the list.

    The traceback of a single problem refers to the list, which would be a cycle.
    """
    try:
        if problems:
            raise joined(problems)
    finally:
        problems.clear()


def joined(problems: Sequence[InvalidArgument]) -> InvalidArgument:
    """Return one error with all `problems`; a single problem is returned as it is.

    Problems beyond `MAX_DETAILS` are only counted, which keeps the answer small.
    """
    if len(problems) == 1:
        return problems[0]
    details = [detail for problem in problems for detail in problem.details]
    sentences = [detail["message"] for detail in details[:MAX_SENTENCES]]
    if len(details) > MAX_SENTENCES:
        number = len(details) + sum(problem.followers for problem in problems)
        sentences.append(f"There are {number} problems in all.")
    return InvalidArgument(" ".join(sentences), details=details[:MAX_DETAILS])


def as_invalid_argument(error: ValidationError) -> InvalidArgument:
    """Return one error with all problems that pydantic has found."""
    return joined(problems_of(error))


def problems_of(error: ValidationError, field: str = "") -> list[InvalidArgument]:
    """Return an error for each problem of the value in `field`; "" stands for the whole body.

    Problems beyond `MAX_DETAILS` are only counted, because a client can make 100,000 of them.
    """
    problems = [_problem(entry, field) for entry in _entries(error)]
    problems[-1].followers = error.error_count() - len(problems)
    return problems


def _problem(entry: Mapping[str, Any], field: str) -> InvalidArgument:
    path = ".".join(short(str(part)) for part in (field, *entry["loc"]) if part != "")
    if entry["type"] == "missing" and entry["loc"]:
        return MissingField(path)
    if entry["type"] == "extra_forbidden":
        return WrongFieldType(path, "it can't be set here", "not_settable")
    why = entry["msg"][:1].lower() + entry["msg"][1:]
    return WrongFieldType(path, why, entry["type"])


def _entries(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    if error.error_count() <= MAX_DETAILS:
        return error.errors(include_url=False, include_input=False, include_context=False)
    # `errors()` makes objects of all entries, which takes four times as long as their text.
    text = error.json(include_url=False, include_input=False, include_context=False)
    entries: list[dict[str, Any]] = []
    end = 0
    while len(entries) < MAX_DETAILS:
        entry, end = _DECODER.raw_decode(text, end + 1)  # behind a bracket or a comma
        entries.append(entry)
    return entries
