"""Transactions: several changes, all of which are kept or none."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from pymongo.errors import PyMongoError

from .driver import mongodb
from .operation import our_error

T = TypeVar("T")


async def transaction(work: Callable[[Any], Awaitable[T]]) -> T:
    """Return what `work` returns; its changes are kept together, unless it raises an error.

    `work` gets the driver's session, and passes it to each operation of `mongodb`. It may run more
    than once, because MongoDB asks for that when two transactions change the same document.
    Raises as the operations of a `Collection` do.

        async def move(session: Any) -> None:
            await mongodb.notes.delete_one({"_id": note_id}, session=session)
            await mongodb.archive.insert_one(note, session=session)

        await transaction(move)
    """
    started = mongodb.client.start_session()
    async with await started if inspect.isawaitable(started) else started as session:
        try:
            done: T = await session.with_transaction(work)
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                await _end(session)
            ours = our_error(error)
            raise ours from ours.__cause__
    return done


async def _end(session: Any) -> None:
    """Begin another transaction, by which MongoDB undoes the last one if that was not kept.

    Else the last one would hold its documents for a minute (`transactionLifetimeLimitSeconds`).
    """
    with suppress(PyMongoError):
        begun = session.start_transaction()
        if inspect.isawaitable(begun):
            await begun
        await mongodb["nothing"].find_one({}, session=session)
        await session.abort_transaction()
