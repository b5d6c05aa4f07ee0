"""A fix for PyMongo's `AsyncMongoClient`, which breaks when its operations are cancelled.

An operation waits at a condition for a server or a connection, and then holds the lock again.
PyMongo 4.20 waits by `asyncio.wait_for`, which before Python 3.12 waits in a task of its own. An
operation that is cancelled at the moment of its timeout goes on without that task. The operation
then releases a lock that another one holds, or leaves the lock held for good. Then every later
operation waits in vain, and the process can't even end by itself.

Operations are cancelled whenever a client goes away or a deadline passes. While MongoDB is away,
all of them wait half a second, again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pymongo.lock

T = TypeVar("T")


async def wait_for(waiting: Awaitable[T], timeout_seconds: float | None) -> T:
    """Wait as `asyncio.wait_for` does since Python 3.12: without a task, so none is left behind."""
    async with asyncio.timeout(timeout_seconds):
        return await waiting


pymongo.lock.wait_for = wait_for  # type: ignore[assignment, attr-defined]
