"""The observation of operations: how many, how long, and their spans."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ..error import APIError, ServerError
from ..telemetry import metrics, tracing


class _Named(Protocol):
    name: str


T = TypeVar("T")
P = ParamSpec("P")
N = TypeVar("N", bound=_Named)

_begun = 0

__all__ = ["observed", "operations_begun"]


def observed(
    method: Callable[Concatenate[N, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[N, P], Coroutine[Any, Any, T]]:
    """Count, time and trace this method of a collection, as its caller waits for it.

    An observed method may not call another one, because the operation would count twice.
    """
    name = method.__name__

    @functools.wraps(method)
    async def observing(self: N, /, *args: P.args, **kwargs: P.kwargs) -> T:
        global _begun
        _begun += 1
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


def operations_begun() -> int:
    """Return how many observed operations have begun in this process."""
    return _begun


def _error_name(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return error.code if isinstance(error, APIError) else ServerError.code
