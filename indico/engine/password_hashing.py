"""`PasswordHashing`: hashes of passwords, in a few threads beside the event loop."""

from __future__ import annotations

import base64
import os
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from .offload.thread import Threads

__all__ = ["PasswordHashing"]

_PENDING = 512  # beyond it the last ones would wait longer than clients do


class PasswordHashing:
    """Hashes with the parameters of `hasher`, for passwords of up to `max_length` characters.

    `busy` is the sentence for a person who comes when too many hashes are pending.
    """

    def __init__(self, hasher: PasswordHasher, max_length: int, busy: str) -> None:
        self.hasher = hasher
        self.threads = Threads(min(4, os.cpu_count() or 1), limit=_PENDING, busy=busy)
        self._max_length = max_length

    async def hash(self, password: str) -> str:
        """Return the hash of a password. Raises `Overloaded` when too many hashes are pending."""
        return await self.threads.run(lambda: self.hasher.hash(self.normal(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether `password` has this hash. Raises `Overloaded` as `hash` does.

        The hash None gives False after the same time as any other hash. So the duration of a login
        doesn't tell an attacker whether an account exists.
        """
        return await self.threads.run(lambda: self._verify(password_hash, password))

    def needs_renewal(self, password_hash: str) -> bool:
        """Return whether the parameters of `password_hash` differ from today's."""
        return self.hasher.check_needs_rehash(password_hash)

    def normal(self, password: str) -> str:
        """Return the password in NFC. Keyboards send different bytes for the same character.

        A text too long to be a password stays as it is, because normalizing it takes quadratic
        time.
        """
        short = len(password) <= self._max_length
        return unicodedata.normalize("NFC", password) if short else password

    def _verify(self, password_hash: str | None, password: str) -> bool:
        # An old hash may be of the text as it was typed.
        spellings = dict.fromkeys([self.normal(password), password])
        known = password_hash or self._no_ones_hash()
        same = any(self._matches(known, spelling) for spelling in spellings)
        return same and password_hash is not None

    def _no_ones_hash(self) -> str:
        """Return the text of a hash with today's parameters that no password has."""
        of = self.hasher
        salt, digest = _base64(of.salt_len), _base64(of.hash_len)
        parameters = f"m={of.memory_cost},t={of.time_cost},p={of.parallelism}"
        return f"$argon2id$v=19${parameters}${salt}${digest}"

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self.hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _base64(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
