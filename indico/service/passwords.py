"""Passwords: which ones are accepted, and how they are hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from argon2 import PasswordHasher
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError, PydanticKnownError

from indico.engine.password_hashing import PasswordHashing
from indico.error import Reasons
from indico.service.fields import has_control_characters

__all__ = [
    "HASHING",
    "OldPassword",
    "Password",
    "hash_password",
    "needs_renewal",
    "verify_password",
]

MIN_LENGTH = 8
MAX_LENGTH = 128
# Passwords of at least eight characters that attackers try first.
COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text().split())


def _password(value: str) -> str:
    normal = HASHING.normal(value)
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
HASHING = PasswordHashing(
    PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),
    MAX_LENGTH,
    busy="Too many people are logging in right now: try again later.",
)
hash_password, verify_password = HASHING.hash, HASHING.verify
needs_renewal = HASHING.needs_renewal
