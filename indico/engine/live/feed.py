"""`Feed`: the changes of all live collections, for the clients of their owners."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from pydantic import SecretStr

from ..error import ServerError
from ..log import LOGGER
from ..mongo.change_stream import Change
from ..mongo.collection import Collection, Document, DocumentId
from ..mongo.live_changes import LiveChanges, PastChanges
from ..tasks import start, wait_until_set
from .ending import SESSION_ENDED, UNAVAILABLE
from .event import Event, EventWriter
from .replays import Replays
from .subscription import Subscription

# Clients that are told of a change in one turn of the event loop.
_CLIENTS_A_TURN = 50
PAUSE_SECONDS = 1.0


class Feed:
    """The changes of all live collections, for the clients of their owners.

    One change stream serves all clients of the process; it is open while there are clients. The
    same stream tells which of the `sessions` end.
    """

    def __init__(self, sessions: Collection[Any], secret: SecretStr) -> None:
        self.events = EventWriter(secret)
        self.replays = Replays(self)
        self._sessions = sessions
        self._clients: dict[DocumentId, set[Subscription]] = {}
        self._running: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._changes: LiveChanges
        self._resync: asyncio.TimerHandle | None = None

    @property
    def position(self) -> str:
        """The position up to which all changes were read; later ones are still to be told."""
        return self._changes.position

    async def join(self, client: Subscription) -> None:
        """Tell `client` all changes from now on. Raises what keeps MongoDB from telling them."""
        self._clients.setdefault(client.owner, set()).add(client)
        if self._running is None:
            self._begun.clear()
            # In a context of its own, because the deadline of a request would end the stream.
            self._running = contextvars.Context().run(start, self._run())
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        await wait_until_set(self._begun, self._running)

    def leave(self, client: Subscription) -> None:
        """Tell `client` nothing more."""
        clients = self._clients.get(client.owner, set())
        clients.discard(client)
        if not clients:
            self._clients.pop(client.owner, None)
        if self._running and not self._clients:
            self._running.cancel()
            self._running = None

    def past(self, owners: Sequence[DocumentId], after: str, until: str) -> PastChanges:
        """Return the changes that concern some owners between two positions."""
        return PastChanges([*self._live().values()], owners, after, until)

    def events_of(self, change: Change[Document]) -> list[tuple[DocumentId | None, Event]]:
        """Return an event for each owner whom a change concerns."""
        live = self._live().get(change.collection)
        try:
            if live and live.owner and live.live:
                return [*self.events.of_change(change, live.owner, live.live)]
        except Exception as error:
            LOGGER.error("live= of %s fails for a document", change.collection, exc_info=error)
        return []

    @staticmethod
    def _live() -> dict[str, Collection[Any]]:
        return {each.name: each for each in Collection.declared if each.live}

    def _all(self) -> list[Subscription]:
        return [*chain.from_iterable(self._clients.values())]

    async def _run(self) -> None:
        """Follow the changes until there is no client. Raises what keeps MongoDB from it."""
        lost = False
        try:
            while True:
                try:
                    await self._follow(lost)
                except ServerError as error:
                    if not self._begun.is_set():
                        raise
                    LOGGER.error("All live clients read everything again: %s", error.message)
                lost = True
                await asyncio.sleep(PAUSE_SECONDS)
        except Exception as error:
            LOGGER.error("All live clients are disconnected", exc_info=error)
            self._running = None
            for client in self._all():
                client.end(UNAVAILABLE)
            raise

    async def _follow(self, lost: bool) -> None:
        """Tell the clients of each change, and first that some were `lost`."""
        watched = {**self._live(), self._sessions.name: self._sessions}
        async with LiveChanges([*watched.values()]) as changes:
            await changes.begin()
            self._changes = changes
            self._begun.set()
            if lost:
                self._resync_all()
                for client in self._all():
                    await client.recheck()
            async for change in changes:
                await self._tell(change)

    async def _tell(self, change: Change[Document]) -> None:
        if change.collection == self._sessions.name and change.operation != "insert":
            self._check_session(change)
        for owner, event in self.events_of(change):
            if owner is None:
                self._resync_soon()
            else:
                await self._give(event, self._clients.get(owner, ()))

    async def _give(self, event: Event, clients: Iterable[Subscription]) -> None:
        for number, client in enumerate([*clients], 1):
            client.give(event)
            if number % _CLIENTS_A_TURN == 0:
                await asyncio.sleep(0)

    def _check_session(self, change: Change[Document]) -> None:
        """End the clients of a session that was deleted, and look at a changed one again."""
        owner = (change.document or change.before or {}).get(self._sessions.owner or "")
        clients = self._all() if owner is None else [*self._clients.get(owner, ())]
        for client in clients:
            if client.session.id != change.id:
                continue
            if change.operation == "delete":
                client.end(SESSION_ENDED)
            else:
                start(client.recheck())

    def _resync_soon(self) -> None:
        """Ask all clients to read again, once for many deletions."""
        loop = asyncio.get_running_loop()
        self._resync = self._resync or loop.call_later(PAUSE_SECONDS, self._resync_all)

    def _resync_all(self) -> None:
        self._resync = None
        for client in self._all():
            client.resync()
