"""The rules for an entry of an address book: known fields are checked, other fields are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
from pydantic_core import PydanticCustomError

from indico.error import Described, Reasons, as_invalid_argument
from indico.service.documents import DOCUMENT_REASONS, check_document, size_of
from indico.service.fields import Email
from indico.service.offload import LARGE_BYTES, in_thread

# Checking one email address takes 30 microseconds, and a long one of another script 1 ms.
MAX_ITEMS = 100


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


def _check(entry: dict[str, Any]) -> dict[str, Any]:
    check_document(entry)
    AddressEntry.model_validate(entry, strict=True)
    return entry


# For `type_check`: the action gets the entry exactly as the client sent it.
Entry = Annotated[
    dict[str, Any],
    AfterValidator(_check),
    Described(AddressEntry),
    Reasons(*DOCUMENT_REASONS),
]
# A JSON Merge Patch: null deletes a field. The merged entry is refused for the reasons of an entry.
Patch = Annotated[
    dict[str, Any],
    Reasons(
        *DOCUMENT_REASONS,
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
        raise as_invalid_argument(error) from None


async def check_off_loop(entry: dict[str, Any]) -> None:
    """Check an entry as `check_entry` does, a large one in a thread."""
    if is_large(entry):
        await in_thread(check_entry, entry)
    else:
        check_entry(entry)


def is_large(entry: dict[str, Any]) -> bool:
    """Return whether work on each value of `entry` needs a thread."""
    return size_of(entry) >= LARGE_BYTES
