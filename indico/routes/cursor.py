"""Lists by the page: how long one may be, and where it goes on, as a text that only we write."""

from __future__ import annotations

import hashlib
from typing import Annotated

from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field, SecretStr

from indico.db import ObjectId
from indico.error import WrongFieldType
from indico.service.address_book import Position

DEFAULT_LIMIT = 50
Limit = Annotated[int, Field(ge=1, le=1000)]


def write_cursor(position: Position, purpose: str, secret: SecretStr) -> str:
    """`purpose` says which list it is; the cursor is good for no other."""
    name_key, address_id = position
    return _serializer(purpose, secret).dumps([name_key, str(address_id)])


def read_cursor(cursor: str, purpose: str, secret: SecretStr) -> Position:
    """Raises `WrongFieldType` for a cursor that we did not write, or not for this."""
    try:
        name_key, address_id = _serializer(purpose, secret).loads(cursor)
    except BadData:
        why = "take a next_cursor as it was answered, for the same list"
        raise WrongFieldType("cursor", why, "cursor") from None
    return name_key, ObjectId(address_id)


def _serializer(purpose: str, secret: SecretStr) -> URLSafeSerializer:
    key, signer = secret.get_secret_value(), {"digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=purpose, signer_kwargs=signer)
