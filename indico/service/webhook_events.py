"""Events for webhooks: a change and the deliveries that tell of it are one transaction.

A change of which no webhook is to be told is no transaction, and asks MongoDB nothing.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from math import inf
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import indico.db.webhook_db as WebhookDB
from indico.db import ObjectId, current_session, in_transaction, turn
from indico.service.webhook_delivery import new_event, queue

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

# An event of your own is a line here, and two lines in the function that makes the change.
EventType = Literal[
    "address.created",
    "address.updated",
    "address.deleted",
    "user.updated",
]

# The user and the type of the event of the current `announced` function; None if nobody listens.
_event: ContextVar[tuple[ObjectId, EventType] | None] = ContextVar("event")


class Listeners:
    """The users whose webhooks take an event, as this process read them a second ago at most.

    So one read a second serves all changes. A webhook that another process has made gets events
    after a second.
    """

    SECONDS = 1.0
    MOST = 1_000  # a read of more takes too long, so that each change asks for its own user

    def __init__(self) -> None:
        self._found: frozenset[tuple[ObjectId, str]] = frozenset()
        self._until = -inf

    async def include(self, user_id: ObjectId, type: EventType) -> bool:
        if time.monotonic() >= self._until:
            async with turn(self):
                if time.monotonic() >= self._until:
                    await self._read()
        if len(self._found) > self.MOST:
            return bool(await WebhookDB.find_listening(user_id, type))
        return (user_id, type) in self._found

    def forget(self) -> None:
        """Read them anew for the next change, because this process has changed a webhook."""
        self._until = -inf

    async def _read(self) -> None:
        began = time.monotonic()
        self._found = await WebhookDB.find_listeners(self.MOST + 1)
        self._until = began + self.SECONDS


LISTENERS = Listeners()


def announced(
    type: EventType,
) -> Callable[
    [Callable[Concatenate[U, P], Awaitable[T]]], Callable[Concatenate[U, P], Coroutine[Any, Any, T]]
]:
    """Run a function that calls `announce` in a transaction, if a webhook takes the event.

    The first argument is the id of the user. All else that the function does must be fit for a
    transaction, which may run it again.

        @announced("note.created")
        async def create(user_id: ObjectId, text: str) -> Note:
            note = await NoteDB.create(user_id, text)
            await announce(id=note["id"])
            return note
    """

    def decorate(
        function: Callable[Concatenate[U, P], Awaitable[T]],
    ) -> Callable[Concatenate[U, P], Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def kept_together(user_id: U, /, *args: P.args, **kwargs: P.kwargs) -> T:
            event = await _told(user_id, type)
            token = _event.set(event)
            try:
                if event:
                    return await in_transaction(lambda: function(user_id, *args, **kwargs))
                return await function(user_id, *args, **kwargs)
            finally:
                _event.reset(token)

        return kept_together

    return decorate


async def announce(**ids: ObjectId) -> None:
    """Queue the event of an `announced` function, after the change.

    `ids` name what has changed, such as `id=note_id`. A receiver reads it by a call. Raise
    `LookupError` outside of such a function.
    """
    if event := _event.get():
        user_id, kind = event
        told = new_event(kind, **ids)
        for webhook_id in await WebhookDB.find_listening(user_id, kind):
            await queue(user_id, webhook_id, told)


async def _told(user_id: object, type: EventType) -> tuple[ObjectId, EventType] | None:
    """Return the event if a webhook may take it; inside a transaction only MongoDB knows."""
    if isinstance(user_id, ObjectId) and (
        current_session() is not None or await LISTENERS.include(user_id, type)
    ):
        return user_id, type
    return None
