"""One attempt at a transaction, in a session of the driver."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import pymongo
from pymongo.errors import PyMongoError

from ..error import APIError, ServerError
from .driver import mongodb
from .operation import CONFLICT, DEADLINE, Deadline, guard

T = TypeVar("T")

__all__ = ["Attempt", "awaited", "current"]


class Attempt:
    """One attempt, whose operations run one at a time, because a session needs that.

    `failure` is the first error in it. MongoDB may have ended the transaction, so it can't commit.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.failure: BaseException | None = None
        self._ended = False
        self._turn = asyncio.Lock()

    async def make(self, work: Callable[[], Awaitable[T]], until: float) -> T:
        """Return what `work` returns by the time `until`, and keep its changes; or keep none."""
        await awaited(self.session.start_transaction())
        token = _current.set(self)
        try:
            async with asyncio.timeout_at(until):
                made = await work()
            self._check()
        except BaseException:
            with suppress(APIError):
                await self._end(self.session.abort_transaction)
            raise
        finally:
            _current.reset(token)
        await self._end(self.session.commit_transaction)
        return made

    async def join(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns; an error in it undoes the whole, also if it is caught."""
        if self._ended:
            raise ServerError(
                "The transaction in which this task was started has ended: await the task inside "
                "of it, or start the task after it."
            )
        self._check()
        try:
            return await work()
        except BaseException as error:
            self.failure = self.failure or error
            raise

    async def run(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run one operation of the driver, which takes part by `session`; raise as `guard` does."""
        async with self._turn:
            return await self.join(lambda: guard(operation))

    def asks_for_another(self, error: BaseException) -> bool:
        """Return whether MongoDB asks for another attempt after this one has raised `error`."""
        failure = self.failure or error
        cause = failure if isinstance(failure, PyMongoError) else failure.__cause__
        return isinstance(cause, PyMongoError) and cause.has_error_label(CONFLICT)

    def _check(self) -> None:
        if self.failure:
            raise ServerError(
                "An error has undone this transaction, so nothing more can be done in it: catch "
                "the error outside of the transaction."
            ) from self.failure

    async def _end(self, how: Callable[[], Awaitable[None]]) -> None:
        """End after the operation that is under way; tasks that outlive this can do no more."""

        async def end() -> None:
            with pymongo.timeout(mongodb.timeout_seconds):  # else the driver takes half a minute
                await how()

        token = DEADLINE.set(Deadline())  # a transaction that is cut off here may stay open
        try:
            async with self._turn:
                self._ended = True
                await guard(end)
        except APIError:
            await self._undo()
            raise
        finally:
            DEADLINE.reset(token)

    async def _undo(self) -> None:
        """Begin another transaction, so that MongoDB undoes this one if it was not kept.

        Otherwise this one locks its documents for a minute (`transactionLifetimeLimitSeconds`).
        """
        with suppress(PyMongoError):
            await awaited(self.session.start_transaction())
            await mongodb["nothing"].find_one({}, session=self.session)
            await self.session.abort_transaction()


_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)
current = _current.get


async def awaited(made: Any) -> Any:
    """Return what a method returns that only one of the drivers has as a coroutine."""
    return await made if inspect.isawaitable(made) else made
