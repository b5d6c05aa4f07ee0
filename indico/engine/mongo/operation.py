"""Between us and the driver: every operation bounded in time, its errors turned into ours."""

from __future__ import annotations

import asyncio
import copy
import functools
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from math import inf
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

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

from ..error import APIError, Conflict, ServerError, Unavailable
from ..telemetry import metrics, tracing
from .driver import mongodb


class _Named(Protocol):
    name: str


T = TypeVar("T")
P = ParamSpec("P")
N = TypeVar("N", bound=_Named)

# What the driver has beyond its own timeout to say what went wrong, before we give up.
GRACE_SECONDS = 0.5


class Deadline:
    """`at` is when MongoDB is to end what is asked of it, by the loop's clock."""

    __slots__ = ("at",)

    def __init__(self, at: float = inf) -> None:
        self.at = at


# That of the request which a task works on.
DEADLINE: ContextVar[Deadline] = ContextVar("deadline", default=Deadline())  # noqa: B039

__all__ = ["DEADLINE", "GRACE_SECONDS", "Deadline", "bounded", "guard", "observed", "our_error"]


def observed(
    method: Callable[Concatenate[N, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[N, P], Coroutine[Any, Any, T]]:
    """Counts, times and traces this method of a collection, as who calls it waits for it.

    None of these calls another, or an operation would count twice.
    """
    name = method.__name__

    @functools.wraps(method)
    async def observing(self: N, /, *args: P.args, **kwargs: P.kwargs) -> T:
        began = perf_counter()
        try:
            if tracing.tracer is None:
                return await method(self, *args, **kwargs)
            with tracing.tracer.operation(self.name, name):
                return await method(self, *args, **kwargs)
        except BaseException as error:
            metrics.OPERATION_ERRORS.labels(self.name, name, _error_name(error)).inc()
            raise
        finally:
            metrics.count_operation(self.name, name, perf_counter() - began)

    return observing


def _error_name(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return error.code if isinstance(error, APIError) else ServerError.code


async def guard(operation: Callable[[], Awaitable[T]], timeout_seconds: float | None = None) -> T:
    """Runs one operation of the driver.

    Raises `Conflict` for a duplicate key, `Unavailable` while MongoDB can't answer,
    `ServerError` for what else MongoDB refuses.
    """
    try:
        return await bounded(operation, timeout_seconds)
    except (PyMongoError, BSONError, TimeoutError) as error:
        ours = our_error(error)
        raise ours from ours.__cause__


async def bounded(operation: Callable[[], Awaitable[T]], timeout_seconds: float | None = None) -> T:
    """Raises `TimeoutError` when `operation` takes longer than the driver itself should allow.

    The driver's own timeout (`timeoutMS`) begins when the operation gets its turn; under load
    Motor's operations wait for a thread first, so the time is bounded here too. An operation
    that is given up is cancelled, but not waited for: PyMongo may have a lock to wait for first.
    """
    seconds = mongodb.timeout_seconds if timeout_seconds is None else timeout_seconds
    left = DEADLINE.get().at - asyncio.get_running_loop().time()
    if left < seconds:
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
    finally:
        if not task.done():
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            task.cancel()


def our_error(error: Exception) -> Exception:
    """A new error, of ours, for one of the driver's; its cause is what the log may show."""
    if isinstance(error, APIError) or not isinstance(
        error, PyMongoError | BSONError | TimeoutError
    ):
        return copy.copy(error)
    ours = _ours(error)
    # What MongoDB says of an operation that it refuses may hold the document itself.
    ours.__cause__ = error if isinstance(ours, Unavailable) else None
    return ours


def _ours(error: Exception) -> APIError:
    if isinstance(error, DuplicateKeyError):
        return Conflict()
    if _is_transient(error):
        return Unavailable("The database is not available right now: try again later.")
    return ServerError(f"MongoDB refused an operation: {_without_documents(error)}.")


def _without_documents(error: Exception) -> str:
    """What the log may hold of `error`."""
    if isinstance(error, OperationFailure):
        details = error.details or {}
        return f"{details.get('codeName', error.code)}, {details.get('errmsg', 'no reason given')}"
    return type(error).__name__


def _is_transient(error: Exception) -> bool:
    """Whether the same operation may succeed later: no server, no primary, no time, no place."""
    if isinstance(error, TimeoutError | ConnectionFailure | ExecutionTimeout | WTimeoutError):
        return True
    return (isinstance(error, PyMongoError) and error.timeout) or (
        isinstance(error, OperationFailure) and error.has_error_label("RetryableWriteError")
    )
