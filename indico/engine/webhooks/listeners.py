"""`LISTENERS`: the users whose webhooks take an event, as this process knows them."""

from __future__ import annotations

import time
from math import inf

from ..mongo.driver import ObjectId
from ..mongo.turns import turn
from . import stored_webhooks

__all__ = ["LISTENERS", "Listeners"]


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

    async def include(self, user_id: ObjectId, type: str) -> bool:
        if time.monotonic() >= self._until:
            async with turn(self):
                if time.monotonic() >= self._until:
                    await self._read()
        if len(self._found) > self.MOST:
            return bool(await stored_webhooks.find_listening(user_id, type))
        return (user_id, type) in self._found

    def forget(self) -> None:
        """Read them anew for the next change, because this process has changed a webhook."""
        self._until = -inf

    async def _read(self) -> None:
        began = time.monotonic()
        self._found = await stored_webhooks.find_listeners(self.MOST + 1)
        self._until = began + self.SECONDS


LISTENERS = Listeners()
