"""The rules for an entry of an address book: known fields are checked, other fields are kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from indico.error import (
    INT_TOO_LONG,
    MAX_DEPTH,
    Described,
    InvalidArgument,
    Reasons,
    fits_64_bits,
    problems_of,
)
from indico.service.fields import Email
from indico.service.offload import LARGE_BYTES, in_thread

MAX_BYTES = 1 << 20
# Checking one email address takes 30 microseconds, and a long one of another script 1 ms.
MAX_ITEMS = 100
MAX_PROBLEMS = 100
# Checking this many takes 50 ms; a mebibyte could hold ten times as many.
MAX_VALUES = 50_000


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("number", "it must be a whole number or a text")
    return value


Number = Annotated[
    int | str, PlainValidator(_number, json_schema_input_type=int | str), Reasons("number")
]


class _Known(BaseModel):
    """Optional fields; fields without a name here may hold anything."""

    model_config = ConfigDict(extra="allow")


class PostalAddress(_Known):
    """A postal address of an entry."""

    kind: Literal["home", "work"] = "home"
    building_name: str = ""
    unit_number: Number = ""
    street_number: Number = ""
    street_name: str = ""
    locality: str = ""
    city: str = ""
    province: str = ""
    pincode: Number = ""
    country: str = ""


class PhoneNumber(_Known):
    """A phone or fax number of an entry."""

    kind: str = ""
    country_code: Number = ""
    area_code: Number = ""
    local_number: Number = ""


class EmailAddress(_Known):
    """An email address of an entry."""

    kind: str = ""
    email: Email = Field(default_factory=str)


_EXAMPLE: JsonValue = {
    "full_name": "Grace Hopper",
    "emails": [{"kind": "work", "email": "grace@example.com"}],
}


class AddressEntry(_Known):
    """An entry of an address book. All fields are optional, and other fields are kept as they are.

    An entry has at most 1 MiB (as compact JSON), 64 levels and 50,000 values. In an action, the
    body itself is one of the levels. Values that MongoDB would change are refused: keys that are
    empty, begin with `$`, or contain a dot or NUL, and integers beyond 64 bits. Searches look at
    `name`, or at `full_name` without a `name`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = ""
    full_name: str = ""
    addresses: list[PostalAddress] = Field([], max_length=MAX_ITEMS)
    phone_numbers: list[PhoneNumber] = Field([], max_length=MAX_ITEMS)
    fax_numbers: list[PhoneNumber] = Field([], max_length=MAX_ITEMS)
    emails: list[EmailAddress] = Field([], max_length=MAX_ITEMS)


# The path of a value: the trail of its container, and its key or index in the container.
_Trail = tuple[Any, ...]

_UNFAITHFUL_KEY = re.compile(r"\A\$|[.\0]|\A\Z")
_NEVER_WRONG = {str, bool, type(None)}


def _check(entry: dict[str, Any]) -> dict[str, Any]:
    errors = []
    for trail, why, reason in _unfaithful(entry):
        problem = PydanticCustomError(reason, why)
        errors.append(InitErrorDetails(type=problem, loc=_location(trail), input=None))
        if len(errors) == MAX_PROBLEMS:
            break
    if errors or (errors := _too_large(entry)):
        raise ValidationError.from_exception_data("entry", errors)
    AddressEntry.model_validate(entry, strict=True)
    return entry


_REASONS = ("key", "too_many", "too_deep", "too_large", "not_json", "int_too_long")
# For `type_check`: the action gets the entry exactly as the client sent it.
Entry = Annotated[
    dict[str, Any],
    AfterValidator(_check),
    Described(AddressEntry),
    Reasons(*_REASONS),
]
# A JSON Merge Patch: null deletes a field. The merged entry is refused for the reasons of an entry.
Patch = Annotated[
    dict[str, Any],
    Reasons(
        *_REASONS,
        *("string_type", "string_too_long", "number", "email", "literal_error"),
        *("list_type", "too_long", "model_type"),
    ),
]
# In an answer, an entry as it is stored.
Stored = Annotated[dict[str, JsonValue], Described(AddressEntry)]
_ENTRY: TypeAdapter[dict[str, Any]] = TypeAdapter(Entry)


def check_entry(entry: dict[str, Any]) -> None:
    """Check an entry. Raise `InvalidArgument` with the path of each problem."""
    try:
        _ENTRY.validate_python(entry, strict=True)
    except ValidationError as error:
        raise InvalidArgument.join(problems_of(error)) from None


async def check_off_loop(entry: dict[str, Any]) -> None:
    """Check an entry as `check_entry` does, a large one in a thread."""
    if is_large(entry):
        await in_thread(check_entry, entry)
    else:
        check_entry(entry)


def is_large(entry: dict[str, Any]) -> bool:
    """Return whether work on each value of `entry` needs a thread."""
    return _size(entry) >= LARGE_BYTES


def _unfaithful(entry: dict[str, Any]) -> Iterator[tuple[_Trail, str, str]]:
    """Yield trail, reason and code of each value that MongoDB or JSON would change."""
    level: list[tuple[_Trail, Any]] = [((), entry)]
    count = 0
    for _ in range(MAX_DEPTH):
        deeper: list[tuple[_Trail, Any]] = []
        for trail, container in level:
            count += len(container)
            if count > MAX_VALUES:
                yield (), f"it has more than {MAX_VALUES} values", "too_many"
                return
            pairs = container.items() if isinstance(container, dict) else enumerate(container)
            for key, value in pairs:
                if isinstance(key, str) and _UNFAITHFUL_KEY.search(key):
                    why = "a key must not be empty, begin with $, or contain a dot or NUL"
                    yield (trail, key), why, "key"
                kind = type(value)
                if kind is dict or kind is list:
                    deeper.append(((trail, key), value))
                elif kind not in _NEVER_WRONG and (wrong := _wrong_value(value)):
                    yield (trail, key), *wrong
        level = deeper
    if level:
        yield level[0][0], f"it is nested deeper than {MAX_DEPTH}", "too_deep"


def _wrong_value(value: Any) -> tuple[str, str] | None:
    if isinstance(value, int):
        return None if fits_64_bits(value) else INT_TOO_LONG
    if isinstance(value, float) and math.isfinite(value):
        return None
    return "JSON has no such value", "not_json"


def _too_large(entry: dict[str, Any]) -> list[InitErrorDetails]:
    try:
        size = len(orjson.dumps(entry))
    except TypeError as error:  # half a surrogate pair, or a key that isn't text
        why, reason = f"JSON has no such value ({error})", "not_json"
    else:
        why, reason = f"it has {size} bytes, over the limit of {MAX_BYTES}", "too_large"
        if size <= MAX_BYTES:
            return []
    return [InitErrorDetails(type=PydanticCustomError(reason, why), loc=(), input=None)]


def _size(entry: dict[str, Any]) -> int:
    """Return the bytes of an entry as JSON; of a wrong value, more than any."""
    try:
        return len(orjson.dumps(entry))
    except TypeError:
        return MAX_BYTES + 1


def _location(trail: _Trail) -> tuple[int | str, ...]:
    keys: list[int | str] = []
    while trail:
        trail, key = trail
        keys.append(key)
    return tuple(reversed(keys))
