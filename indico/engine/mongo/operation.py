"""One operation of the driver: its timeout, and its errors as those of the API."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar

import pymongo
from bson.errors import BSONError
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from ..error import APIError, DeadlineExceeded, Duplicate, ServerError, Unavailable
from . import waiting
from .driver import mongodb
from .refusal import REFUSED, refusal

T = TypeVar("T")

# The label of an error after which a transaction may begin anew.
CONFLICT = "TransientTransactionError"

NO_TRANSACTIONS = (
    "MongoDB runs as a single server, and transactions need a replica set: start mongod with "
    "--replSet, and run rs.initiate() once in mongosh. One member is enough."
)
_ILLEGAL_OPERATION = 20
_TRANSACTION_TOO_LONG = 290

# Time for the driver to say what went wrong, after its own timeout.
GRACE_SECONDS = 0.5


class Deadline:
    """A time of the loop's clock, `at`, by which MongoDB has to end an operation."""

    __slots__ = ("at",)

    def __init__(self, at: float = inf) -> None:
        self.at = at


# The deadline of the current task's request.
DEADLINE: ContextVar[Deadline] = ContextVar("deadline", default=Deadline())  # noqa: B039

__all__ = [
    "DEADLINE",
    "GRACE_SECONDS",
    "NO_TRANSACTIONS",
    "Deadline",
    "guard",
    "is_timeout",
    "is_transient",
    "to_api_error",
    "until",
]


async def guard(operation: Callable[[], Awaitable[T]], timeout_seconds: float | None = None) -> T:
    """Run one operation of the driver.

    Raises `Conflict` for a duplicate key, `Unavailable` while MongoDB can't answer,
    and `DeadlineExceeded` at the deadline of the request. Raises `ServerError` for everything else
    that MongoDB refuses.
    """
    key = waiting.remember()
    try:
        return await _run(operation, timeout_seconds)
    except (PyMongoError, BSONError, TimeoutError) as error:
        api_error = to_api_error(error)
        raise api_error from api_error.__cause__
    finally:
        waiting.forget(key)


def until() -> float:
    """Return the time of the loop's clock by which MongoDB has to end what begins now."""
    return min(asyncio.get_running_loop().time() + mongodb.timeout_seconds, DEADLINE.get().at)


async def _run(operation: Callable[[], Awaitable[T]], timeout_seconds: float | None) -> T:
    """Raise `TimeoutError` when `operation` takes longer than the driver itself should allow.

    The driver's own timeout (`timeoutMS`) begins when the operation gets its turn. Under load
    Motor's operations wait for a thread first, so this function has a timeout too. On a timeout
    the operation is cancelled, but not awaited, because PyMongo may first wait for a lock.
    """
    seconds = mongodb.timeout_seconds if timeout_seconds is None else timeout_seconds
    left = DEADLINE.get().at - asyncio.get_running_loop().time()
    limited = left < seconds
    if limited:
        seconds = max(left, 0.001)
        with pymongo.timeout(seconds):
            task = asyncio.ensure_future(operation())
    else:
        task = asyncio.ensure_future(operation())
    try:
        await asyncio.wait([task], timeout=seconds + GRACE_SECONDS)
        if not task.done():
            raise TimeoutError
        return task.result()
    except (PyMongoError, TimeoutError) as error:
        if limited and is_timeout(error):
            raise DeadlineExceeded from None  # MongoDB had no fault
        raise
    finally:
        # A cancelled caller leaves the task's error alone, and asyncio would log the error.
        if task.done():
            _retrieve(task)
        else:
            task.add_done_callback(_retrieve)
            task.cancel()


def _retrieve(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


def to_api_error(error: Exception) -> Exception:
    """Return the error of the API for one of the driver's, and a copy of any other error.

    Its cause is only set to what the log may show. A copy has the cause of the original.
    """
    if isinstance(error, APIError) or not isinstance(
        error, PyMongoError | BSONError | TimeoutError
    ):
        copied = copy.copy(error)
        copied.__cause__ = error.__cause__
        return copied
    api_error = _api_error(error)
    # MongoDB's reason for a refusal may hold the document itself.
    api_error.__cause__ = error if isinstance(api_error, Unavailable) else None
    return api_error


def _api_error(error: Exception) -> APIError:
    if isinstance(error, DuplicateKeyError):
        return _duplicate(error)
    if is_transient(error):
        return Unavailable("The database is not available right now: try again later.")
    code = getattr(error, "code", None)
    if code == _ILLEGAL_OPERATION and "replica set" in str(error):
        return ServerError(NO_TRANSACTIONS)
    if code == _TRANSACTION_TOO_LONG:
        return DeadlineExceeded()
    if isinstance(error, OperationFailure) and error.code == REFUSED:
        return ServerError(refusal(error.details or {}))
    return ServerError(f"MongoDB refused an operation: {_without_documents(error)}.")


def _duplicate(error: DuplicateKeyError) -> Duplicate:
    details = error.details or {}
    index = re.search(r" index: (\S+) dup key", details.get("errmsg", ""))
    return Duplicate(index[1] if index else "", list(details.get("keyPattern", ())))


def _without_documents(error: Exception) -> str:
    """Return what the log may show of `error`."""
    if isinstance(error, OperationFailure):
        details = error.details or {}
        return f"{details.get('codeName', error.code)}, {details.get('errmsg', 'no reason given')}"
    return type(error).__name__


def is_timeout(error: Exception) -> bool:
    """Return whether the operation took longer than it was given."""
    return isinstance(error, TimeoutError) or (isinstance(error, PyMongoError) and error.timeout)


def is_transient(error: Exception) -> bool:
    """Return whether the same operation may succeed later."""
    if isinstance(error, TimeoutError | ConnectionFailure | ExecutionTimeout | WTimeoutError):
        return True
    return isinstance(error, PyMongoError) and (
        error.timeout
        or error.has_error_label("RetryableWriteError")
        or error.has_error_label(CONFLICT)
    )
