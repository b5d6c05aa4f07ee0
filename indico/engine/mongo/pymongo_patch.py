"""A mend for PyMongo's `AsyncMongoClient`: it survives that its operations are cancelled.

An operation waits for a server, or for a connection, at a condition, and has the lock again when
its wait ends. PyMongo 4.20 waits by `asyncio.wait_for`, which before Python 3.12 waits in a task
of its own: cancelled at the moment at which its time is up, the operation goes on without that
task, and lets go of a lock that another one holds, or leaves it held for good. Then every later
operation waits in vain, and the process can't even end by itself.

Operations are cancelled whenever a client goes away or a deadline passes; and while MongoDB is
away they all wait half a second, again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pymongo.lock

T = TypeVar("T")


async def wait_for(waiting: Awaitable[T], timeout_seconds: float | None) -> T:
    """As that of asyncio since Python 3.12: without a task, so that nothing is left behind."""
    async with asyncio.timeout(timeout_seconds):
        return await waiting


pymongo.lock.wait_for = wait_for  # type: ignore[assignment, attr-defined]
