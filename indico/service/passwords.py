"""Password hashing with argon2id, in a few threads beside the event loop."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import StringConstraints

from indico.error import Unavailable

T = TypeVar("T")

Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, t=2, p=1.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# With more pending hashes the last ones would wait longer than clients do.
MAX_PENDING = 512

_pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="argon2")
_pending = 0
_no_ones_hash = HASHER.hash(secrets.token_hex(16))


async def hash_password(password: str) -> str:
    """Return the hash of a password. Raise `Unavailable` when too many hashes are pending."""
    return await _in_pool(lambda: HASHER.hash(password))


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether `password` has this hash.

    The hash None gives False after the same time as any other hash. So the duration of a login
    doesn't tell an attacker whether an account exists.
    """
    return await _in_pool(lambda: _verify(password_hash, password))


def needs_renewal(password_hash: str) -> bool:
    """Return whether the parameters of `password_hash` differ from today's."""
    return HASHER.check_needs_rehash(password_hash)


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        same = HASHER.verify(password_hash or _no_ones_hash, password)
    except (VerificationError, InvalidHashError):
        return False
    return same and password_hash is not None


async def _in_pool(work: Callable[[], T]) -> T:
    global _pending
    if _pending >= MAX_PENDING:
        raise Unavailable("Too many people are logging in right now: try again later.")
    _pending += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_pool, work)
    finally:
        _pending -= 1
