"""Events for webhooks: a change and the deliveries that tell of it are one transaction.

A change of a user without webhooks is no transaction, and asks MongoDB nothing.
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

# An event of your own is a line here, and a call of `announce`.
EventType = Literal[
    "address.created",
    "address.updated",
    "address.deleted",
    "user.updated",
]

_told: ContextVar[bool | None] = ContextVar("told", default=None)


class Owners:
    """The users who have a webhook that is on, as this process read them a second ago at most.

    So one read a second serves all changes. A webhook that another process has made gets events
    after a second.
    """

    SECONDS = 1.0
    MOST = 10_000  # of more users none are kept, and each change asks for its own user

    def __init__(self) -> None:
        self._users: frozenset[ObjectId] = frozenset()
        self._until = -inf

    async def include(self, user_id: ObjectId) -> bool:
        if time.monotonic() >= self._until:
            async with turn(self):
                if time.monotonic() >= self._until:
                    await self._read()
        if len(self._users) > self.MOST:
            return await WebhookDB.is_owner(user_id)
        return user_id in self._users

    def forget(self) -> None:
        """Read them anew for the next change, because this process has changed a webhook."""
        self._until = -inf

    async def _read(self) -> None:
        began = time.monotonic()
        self._users = await WebhookDB.find_owners(self.MOST + 1)
        self._until = began + self.SECONDS


OWNERS = Owners()


def announced(
    function: Callable[Concatenate[U, P], Awaitable[T]],
) -> Callable[Concatenate[U, P], Coroutine[Any, Any, T]]:
    """Run a function that calls `announce` in a transaction, if the user has webhooks.

    The first argument is the id of the user. All else that the function does must be fit for a
    transaction, which may run it again.

        @announced
        async def create(user_id: ObjectId, text: str) -> Note:
            note = await NoteDB.create(user_id, text)
            await announce(user_id, "note.created", id=note["id"])
            return note
    """

    @functools.wraps(function)
    async def kept_together(user_id: U, /, *args: P.args, **kwargs: P.kwargs) -> T:
        is_told = isinstance(user_id, ObjectId) and (
            current_session() is not None or await OWNERS.include(user_id)
        )
        token = _told.set(is_told)
        try:
            if is_told:
                return await in_transaction(lambda: function(user_id, *args, **kwargs))
            return await function(user_id, *args, **kwargs)
        finally:
            _told.reset(token)

    return kept_together


async def announce(user_id: ObjectId | str, type: EventType, **ids: ObjectId) -> None:
    """Queue an event for the webhooks of a user that take its type, after a change.

    `ids` name what has changed, such as `id=note_id`. A receiver reads it by a call.
    """
    if (is_told := _told.get()) is None:
        raise RuntimeError("announce() is for functions with @announced")
    if is_told and isinstance(user_id, ObjectId):
        event = new_event(type, **ids)
        for webhook_id in await WebhookDB.find_listening(user_id, type):
            await queue(user_id, webhook_id, event)
