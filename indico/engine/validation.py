"""Validation: the limits of every JSON value, and pydantic's verdict as errors."""

from __future__ import annotations

from pydantic import ValidationError

from .error import InvalidArgument, MissingField, WrongFieldType, short

MAX_DEPTH = 64  # objects and lists, each inside the other
INT_TOO_LONG = ("an integer must fit in 64 bits", "int_too_long")  # a sentence's end, and a reason


def fits_64_bits(number: int) -> bool:
    """Return whether MongoDB can store `number` as an integer."""
    return -(2**63) <= number < 2**63


def problems_of(error: ValidationError, field: str = "") -> list[InvalidArgument]:
    """Return an error for each problem of the value in `field`; "" stands for the whole body."""
    problems: list[InvalidArgument] = []
    for entry in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(short(str(part)) for part in (field, *entry["loc"]) if part != "")
        if entry["type"] == "missing" and entry["loc"]:
            problems.append(MissingField(path))
        elif entry["type"] == "extra_forbidden":
            problems.append(WrongFieldType(path, "it can't be set here", "not_settable"))
        else:
            why = entry["msg"][:1].lower() + entry["msg"][1:]
            problems.append(WrongFieldType(path, why, entry["type"]))
    return problems
