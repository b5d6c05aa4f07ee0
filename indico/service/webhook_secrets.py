"""The secrets of webhooks: made, kept encrypted, and used to sign as Standard Webhooks says.

A signature needs the secret itself, so a hash can't be stored. A copy of the database alone tells
no secret, because the key of the encryption is made of the setting `secret_key`.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook as Signer

from indico.db import ObjectId

_SECRET_BYTES = 32  # Standard Webhooks: 24 to 64
_NONCE_BYTES = 12
_ciphers: list[AESGCM] = []


class UnknownKey(Exception):
    """The key with which a secret was encrypted is no key of this server any more."""


def use_keys(secret_key: SecretStr, old_keys: Sequence[SecretStr]) -> None:
    """Encrypt with `secret_key` from now on, and decrypt with the old keys too."""
    _ciphers[:] = [_cipher(key.get_secret_value().encode()) for key in (secret_key, *old_keys)]


def new_secret() -> str:
    return f"whsec_{base64.b64encode(os.urandom(_SECRET_BYTES)).decode()}"


def encrypt(secret: str, webhook_id: ObjectId) -> bytes:
    """Return what is stored, which is worth nothing in another webhook's document."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _ciphers[0].encrypt(nonce, secret.encode(), webhook_id.binary)


def decrypt(stored: bytes, webhook_id: ObjectId) -> str:
    """Return the secret. Raise `UnknownKey`."""
    nonce, encrypted = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
    for cipher in _ciphers:
        with suppress(InvalidTag):
            return cipher.decrypt(nonce, encrypted, webhook_id.binary).decode()
    raise UnknownKey


def signature_headers(secret: str, message_id: str, body: str, time: datetime) -> dict[str, str]:
    """Return the headers by which the receiver knows that the body is of this server, and new."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": Signer(secret).sign(message_id, time, body),
    }


def _cipher(key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, b"webhook secrets", "sha256"))
