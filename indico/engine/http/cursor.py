"""The two fields that ask for a page: its length, and a signed cursor to its beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, cast

from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field, SecretStr

from ..error import WrongCursor
from ..mongo.documents import decode, encode
from ..validation import Reasons

DEFAULT_LIMIT = 50
Limit = Annotated[int, Field(ge=1, le=1000)]
Cursor = Annotated[
    str, Field(description="A `next_cursor`, as it was answered."), Reasons("cursor")
]


class _BSON:
    """The form of a position inside a cursor: a sorted field may hold whatever MongoDB can."""

    @staticmethod
    def dumps(position: Sequence[Any]) -> bytes:
        return encode({"": list(position)})

    @staticmethod
    def loads(data: bytes) -> list[Any]:
        position = decode(data)[""]
        if not isinstance(position, list):
            raise TypeError("no position")
        return position


def write_cursor(position: Sequence[Any], purpose: str, secret: SecretStr) -> str:
    """Return the cursor for `position`, which `read_cursor` accepts for the same `purpose` only."""
    return cast(bytes, _serializer(purpose, secret).dumps(position)).decode("ascii")


def read_cursor(cursor: str, purpose: str, secret: SecretStr) -> list[Any]:
    """Return the position in `cursor`.

    Raises `WrongCursor` for a cursor that `write_cursor` wrote for another list, or never. The
    values may be others than the caller's: a person who knows the secret can sign anything.
    """
    try:
        position: list[Any] = _serializer(purpose, secret).loads(cursor)
    except BadData:
        raise WrongCursor from None
    return position


def _serializer(purpose: str, secret: SecretStr) -> URLSafeSerializer:
    key, signer = secret.get_secret_value(), {"digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=purpose, serializer=_BSON, signer_kwargs=signer)
