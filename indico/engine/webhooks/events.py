"""`Events`: a change and the deliveries that tell of it are one transaction.

A change of which no webhook is to be told is no transaction. It asks MongoDB once a second at most,
for all changes together, unless there are many webhooks.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from ..mongo.driver import ObjectId
from ..mongo.transactions import current_session, in_transaction
from . import stored_webhooks
from .delivering import new_event, queue
from .listeners import LISTENERS

__all__ = ["Events"]

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=str)

# The user and the type of the event of the current `announced` function; None if nobody listens.
_event: ContextVar[tuple[ObjectId, str] | None] = ContextVar("event")


class Events(Generic[E]):
    """The events of a project, whose types are `E`.

    EventType = Literal["note.created", "note.deleted"]
    EVENTS = Events[EventType]()
    """

    def announced(
        self, type: E
    ) -> Callable[
        [Callable[Concatenate[U, P], Awaitable[T]]],
        Callable[Concatenate[U, P], Coroutine[Any, Any, T]],
    ]:
        """Run a function that calls `announce` in a transaction, if a webhook takes the event.

        The first argument is the id of the user. All else that the function does must be fit for a
        transaction, which may run it again.

            @EVENTS.announced("note.created")
            async def create(user_id: ObjectId, text: str) -> Note:
                note = await NoteDB.create(user_id, text)
                await EVENTS.announce(id=note["id"])
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

    @staticmethod
    async def announce(**ids: ObjectId) -> None:
        """Queue the event of an `announced` function, after the change.

        `ids` name what has changed, such as `id=note_id`. A receiver reads it by a call. Raises
        `LookupError` outside of such a function.
        """
        if event := _event.get():
            user_id, kind = event
            told = new_event(kind, **ids)
            for webhook_id in await stored_webhooks.find_listening(user_id, kind):
                await queue(user_id, webhook_id, told)


async def _told(user_id: object, type: str) -> tuple[ObjectId, str] | None:
    """Return the event if a webhook may take it; inside a transaction only MongoDB knows."""
    if isinstance(user_id, ObjectId) and (
        current_session() is not None or await LISTENERS.include(user_id, type)
    ):
        return user_id, type
    return None
