"""Transactions: several changes of which either all are kept or none."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from pymongo.errors import PyMongoError

from ..error import APIError, DeadlineExceeded, ServerError
from ..log import LOGGER
from ..tasks import start
from .attempt import Attempt, awaited, current
from .driver import mongodb
from .operation import DEADLINE, Deadline, to_api_error

T = TypeVar("T")
P = ParamSpec("P")

__all__ = ["current_session", "in_transaction", "outside_transaction", "transaction"]

# Where no request has a deadline; the drivers take as long.
_SECONDS = 120.0
# The pauses between attempts are random, so that transactions on one document come apart.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5


def transaction(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run this async function in a transaction, or as part of the one that is open.

    See `in_transaction`.

        @transaction
        async def archive(note: Document) -> None:
            await NOTES.delete_by_id(note["_id"])
            await ARCHIVE.insert(note)
    """

    @functools.wraps(function)
    async def kept_together(*args: P.args, **kwargs: P.kwargs) -> T:
        return await in_transaction(lambda: function(*args, **kwargs))

    return kept_together


async def in_transaction(
    work: Callable[[], Awaitable[T]], final: tuple[type[Exception], ...] = ()
) -> T:
    """Return what `work` returns, and keep its changes together; keep none if it raises.

    All operations of a `Collection` inside take part, and read what was written before. `work` runs
    again after a transient error of MongoDB, until the deadline of the request. Such an error comes
    when two transactions change the same document. An inner transaction is part of the outer one.
    Raises the errors of a `Collection`. After an error of a `final` type `work` does not run again.
    A transaction goes on when its caller is cancelled, as when a client disconnects.
    """
    if outer := current():
        return await outer.join(work)
    task = start(_made(work, final))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_log_fault)
        raise


def current_session() -> Any:
    """Return the driver's session of the current transaction, or None outside.

    `Collection` needs none. An operation of `mongodb` itself takes part only with the session. Two
    such operations may not run at the same time.

        await mongodb.notes.count_documents({}, session=current_session())
    """
    attempt = current()
    return attempt and attempt.session


def outside_transaction(what: str) -> None:
    """Raise `ServerError` inside a transaction, because `what` can't be undone.

    async def send(mail: Mail) -> None:
        outside_transaction("send a mail")
    """
    if current():
        raise ServerError(
            f"Can't {what} in a transaction, because that can't be undone, and a transaction may "
            "run again: let the transaction end first."
        )


async def _made(work: Callable[[], Awaitable[T]], final: tuple[type[Exception], ...]) -> T:
    """Attempt `work` in a session until it is made."""
    deadline, time = DEADLINE.get().at, asyncio.get_running_loop().time
    until = min(deadline, time() + _SECONDS)
    DEADLINE.set(Deadline(deadline))  # the one of the request is lifted when the request ends
    pause = _FIRST_PAUSE
    async with await awaited(mongodb.client.start_session()) as session:
        while True:
            attempt = Attempt(session)
            try:
                return await attempt.make(work, until)
            except Exception as error:
                again = attempt.asks_for_another(error) and not isinstance(error, final)
                if not again or time() + pause >= until:
                    raised = _raised(error)
                    raise raised from raised.__cause__
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def _log_fault(abandoned: asyncio.Task[Any]) -> None:
    """Log the error of a transaction whose caller is gone, unless it is one for a client."""
    error = None if abandoned.cancelled() else abandoned.exception()
    if error and not isinstance(error, APIError):
        LOGGER.error("A transaction failed, and its caller is gone.", exc_info=error)


def _raised(error: Exception) -> Exception:
    if isinstance(error, PyMongoError):  # of `mongodb` itself
        return to_api_error(error)
    return DeadlineExceeded() if isinstance(error, TimeoutError) else error
