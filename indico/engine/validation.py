"""What pydantic has to say against a value, as errors of ours."""

from __future__ import annotations

from pydantic import ValidationError

from .error import InvalidArgument, MissingField, WrongFieldType, short


def problems_of(error: ValidationError, field: str = "") -> list[InvalidArgument]:
    """One for each problem of the value that stands in `field`, or that is the whole body."""
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
