"""Transactions: several changes of which either all are kept or none."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from pymongo.errors import PyMongoError

from ..error import Unavailable
from ..tasks import start
from .driver import mongodb
from .operation import CONFLICT, to_api_error

T = TypeVar("T")

_TRIES = 10


async def transaction(work: Callable[[Any], Awaitable[T]]) -> T:
    """Return what `work` returns, and keep its changes together; keep none if it raises.

    `work` gets the driver's session, and passes it to each operation of `mongodb`. MongoDB asks
    for another run of `work` when two transactions change the same document. Raises the errors
    of a `Collection`: `Conflict`, `Unavailable` and `ServerError`. A transaction that has begun
    goes on when its caller is cancelled, so that no document stays locked.

        async def move(session: Any) -> None:
            await mongodb.notes.delete_one({"_id": note_id}, session=session)
            await mongodb.archive.insert_one(note, session=session)

        await transaction(move)
    """
    return await asyncio.shield(start(_run(work)))


async def _run(work: Callable[[Any], Awaitable[T]]) -> T:
    started = mongodb.client.start_session()
    async with await started if inspect.isawaitable(started) else started as session:
        try:
            return await _committed(session, work)
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                await _end(session)
            api_error = to_api_error(error)
            raise api_error from api_error.__cause__


async def _committed(session: Any, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run `work` until it is committed. Raises `Unavailable` after `_TRIES`.

    Both drivers run the work again after a conflict in one of its operations, PyMongo's client for
    two minutes. Motor does not after a conflict in the commit, as when several transactions make
    the same collection.
    """
    tries = 0

    async def tried(session: Any) -> T:
        nonlocal tries
        if tries == _TRIES:
            raise Unavailable
        tries += 1
        return await work(session)

    while True:
        try:
            done: T = await session.with_transaction(tried)
        except PyMongoError as error:
            if not error.has_error_label(CONFLICT):
                raise
        except Unavailable:
            if tries == _TRIES:  # its commit has failed, and MongoDB may not know
                await _end(session)
            raise
        else:
            return done


async def _end(session: Any) -> None:
    """Begin another transaction, so that MongoDB undoes the last one if that was not kept.

    Otherwise the last one locks its documents for a minute (`transactionLifetimeLimitSeconds`).
    """
    with suppress(PyMongoError):
        begun = session.start_transaction()
        if inspect.isawaitable(begun):
            await begun
        await mongodb["nothing"].find_one({}, session=session)
        await session.abort_transaction()
