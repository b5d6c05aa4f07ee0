"""Lists by the page: the length of a page, and signed cursors to the next page."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, TypeVar

import orjson
from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field, SecretStr, TypeAdapter, ValidationError

from ..error import WrongFieldType

Position = TypeVar("Position")

DEFAULT_LIMIT = 50
Limit = Annotated[int, Field(ge=1, le=1000)]
Scalar = str | int | float | bool | None


def write_cursor(position: Sequence[Scalar], purpose: str, secret: SecretStr) -> str:
    """Return the cursor for `position`, which `read_cursor` accepts for the same `purpose` only."""
    return _serializer(purpose, secret).dumps(list(position))


def read_cursor(
    cursor: str, purpose: str, secret: SecretStr, kind: TypeAdapter[Position]
) -> Position:
    """Return the position in `cursor`, validated as `kind`, such as `TypeAdapter(tuple[str, int])`.

    Raises `WrongFieldType` for a cursor that `write_cursor` wrote for another list, or never. A
    person who knows the secret can sign anything, and an older version may have had another kind.
    """
    try:
        position = _serializer(purpose, secret).loads(cursor)
        # Only JSON refuses half a surrogate pair, as MongoDB does.
        return kind.validate_json(orjson.dumps(position), strict=True)
    except (BadData, orjson.JSONEncodeError, ValidationError):
        why = "take a next_cursor as it was answered, for the same list"
        raise WrongFieldType("cursor", why, "cursor") from None


def _serializer(purpose: str, secret: SecretStr) -> URLSafeSerializer:
    key, signer = secret.get_secret_value(), {"digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=purpose, signer_kwargs=signer)
