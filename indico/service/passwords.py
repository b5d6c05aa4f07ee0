"""Password hashing with argon2id, in a few threads beside the event loop."""

from __future__ import annotations

import base64
import os
import secrets
import unicodedata
from pathlib import Path
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError, PydanticKnownError

from indico.error import Reasons
from indico.service.fields import has_control_characters
from indico.service.offload import Threads

MIN_LENGTH = 8
MAX_LENGTH = 128
# Passwords of at least eight characters that attackers try first.
COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text().split())


def _password(value: str) -> str:
    normal = _normal(value)
    if len(normal) < MIN_LENGTH:
        raise PydanticKnownError("string_too_short", {"min_length": MIN_LENGTH})
    if has_control_characters(normal):
        raise PydanticCustomError("password", "it must be without control characters")
    if not normal.strip():
        raise PydanticCustomError("password", "it must not be blank")
    if normal.casefold() in COMMON:
        raise PydanticCustomError("password", "it is one of the commonest: choose another one")
    return value


_SHOWN = Field(
    examples=["correct horse battery"],
    json_schema_extra={"format": "password", "minLength": MIN_LENGTH},
    description="In Unicode's form NFC. Not blank, without control characters, and none of the "
    "commonest passwords.",
)
Password = Annotated[
    str,
    StringConstraints(max_length=MAX_LENGTH),
    AfterValidator(_password),
    _SHOWN,
    Reasons("password"),
]
# Nobody can log in with a password that was never accepted, so a login takes any text.
OldPassword = Annotated[str, Field(examples=["correct horse battery"])]

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, t=2, p=1.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# With more pending hashes the last ones would wait longer than clients do.
THREADS = Threads(
    min(4, os.cpu_count() or 1),
    limit=512,
    busy="Too many people are logging in right now: try again later.",
)


async def hash_password(password: str) -> str:
    """Return the hash of a password. Raise `Overloaded` when too many hashes are pending."""
    return await THREADS.run(lambda: HASHER.hash(_normal(password)))


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether `password` has this hash.

    The hash None gives False after the same time as any other hash. So the duration of a login
    doesn't tell an attacker whether an account exists.
    """
    return await THREADS.run(lambda: _verify(password_hash, password))


def needs_renewal(password_hash: str) -> bool:
    """Return whether the parameters of `password_hash` differ from today's."""
    return HASHER.check_needs_rehash(password_hash)


def _normal(password: str) -> str:
    """Return the password in NFC, because keyboards send different bytes for the same character.

    A text too long to be a password stays as it is, because normalizing it takes quadratic time.
    """
    return unicodedata.normalize("NFC", password) if len(password) <= MAX_LENGTH else password


def _verify(password_hash: str | None, password: str) -> bool:
    # Up to version 1.0.0 a hash was made of the text as it was typed.
    spellings = dict.fromkeys([_normal(password), password])
    known = password_hash or _no_ones_hash()
    same = any(_matches(known, spelling) for spelling in spellings)
    return same and password_hash is not None


def _no_ones_hash() -> str:
    """Return the text of a hash with today's parameters that no password has."""
    salt, digest = _base64(HASHER.salt_len), _base64(HASHER.hash_len)
    parameters = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${parameters}${salt}${digest}"


def _base64(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")


def _matches(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
