"""Values that are stored encrypted, with a key that is made of the settings."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

__all__ = ["Encryption", "UnknownKey"]

_NONCE_BYTES = 12


class UnknownKey(Exception):
    """A value that was encrypted with a key which this server does not have, or elsewhere."""


class Encryption:
    """AES-GCM with a key of `secret_key` for one purpose; `old_secret_keys` decrypt too."""

    def __init__(self, purpose: str, secret_key: SecretStr, old: Sequence[SecretStr]) -> None:
        keys = [key.get_secret_value().encode() for key in (secret_key, *old)]
        self._ciphers = [AESGCM(hmac.digest(key, purpose.encode(), "sha256")) for key in keys]

    def encrypt(self, value: bytes, place: bytes) -> bytes:
        """Return what is stored; it can be decrypted in the same `place` only, such as an id."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, value, place)

    def decrypt(self, stored: bytes, place: bytes) -> bytes:
        """Return the value. Raises `UnknownKey`."""
        return self._decrypt(stored, place)[0]

    def renewed(self, stored: bytes, place: bytes) -> bytes | None:
        """Return the value encrypted with the key of `secret_key`, or None if it is already.

        Raises `UnknownKey`.
        """
        value, is_old = self._decrypt(stored, place)
        return self.encrypt(value, place) if is_old else None

    def _decrypt(self, stored: bytes, place: bytes) -> tuple[bytes, bool]:
        """Return the value, and whether its key is an old one."""
        nonce, encrypted = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
        for number, cipher in enumerate(self._ciphers):
            with suppress(InvalidTag):
                return cipher.decrypt(nonce, encrypted, place), number > 0
        raise UnknownKey
