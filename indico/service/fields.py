"""Types of the fields that more than one route takes."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from typing import Annotated, Self

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from indico.error import Reasons

# Characters that can't be seen and that `email_validator` accepts: Unicode's
# Default_Ignorable_Code_Point, and the braille pattern without dots.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def _email(value: str) -> str:
    if _INVISIBLE.search(value):
        raise PydanticCustomError("email", "it must be without invisible characters")
    try:
        # Only a sent mail can prove that a mailbox exists. `.test` is for trials (RFC 2606).
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise PydanticCustomError(
            "email", "it is not a valid email address ({why})", {"why": str(error).rstrip(".")}
        ) from None


def has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text)


def _name(value: str) -> str:
    if has_control_characters(value):
        raise PydanticCustomError("name", "it must be without control characters")
    if not value.strip():
        raise PydanticCustomError("name", "it must not be blank")
    return value


MAX_EMAIL_LENGTH = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
Email = Annotated[
    str,
    StringConstraints(max_length=MAX_EMAIL_LENGTH),
    AfterValidator(_email),
    Field(examples=["ada@example.com"], json_schema_extra={"format": "email"}),
    Reasons("email"),
]
# The email of an account that exists: any other text has no account.
OldEmail = Annotated[str, Field(examples=["ada@example.com"])]
Name = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_name),
    Field(examples=["Ada Lovelace"], json_schema_extra={"format": "name"}),
    Reasons("name"),
]
# What this server or another service has made, and a client only passes on.
Opaque = Annotated[str, StringConstraints(max_length=8000)]
Returned = Annotated[
    dict[str, Opaque],
    Field(
        description="The query of the address to which another service has led.",
        examples=[{"state": "...", "code": "..."}],
    ),
]


class UserUpdate(BaseModel):
    """The fields of an account that its user may change; no other field can be changed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    # A field that the client doesn't send stays. Null is no valid email.
    email: Email = Field(default_factory=str)
    name: Name | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("missing", "Give `name`, `email` or both")
        return self


def normal_email(text: str) -> str | None:
    """Return an email address in the spelling that is stored; None for a text too long to be one.

    A text that is no address stays as it is, because no account has it.
    """
    if len(text) > MAX_EMAIL_LENGTH:  # folding a long text takes quadratic time
        return None
    with suppress(PydanticCustomError):
        return _email(text)
    return text
