"""`Replays`: the past, for clients that come again with the id of their last event."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..error import ServerError
from ..mongo.collection import DocumentId
from ..mongo.live_changes import seconds_between
from ..tasks import start

if TYPE_CHECKING:
    from .feed import Feed
    from .subscription import Subscription

REPLAY_SECONDS = 20
# All clients of a server that has stopped come again at once. One stream reads the past for those
# that were away for less than this time.
TOGETHER_SECONDS = 60
_ALONE = 4  # clients that were away for longer, at the same time


class Replays:
    """The past of `feed`, for clients that come again with the id of their last event."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._waiting: dict[Subscription, asyncio.Future[None]] = {}
        self._working = False
        self._alone = asyncio.Semaphore(_ALONE)

    async def replay(self, client: Subscription) -> None:
        """Give `client` all changes from its position up to where the feed is by now.

        Raises `ServerError` and `TimeoutError` if MongoDB can't tell them.
        """
        if seconds_between(client.position, self._feed.position) > TOGETHER_SECONDS:
            async with self._alone:
                await self._read([client])
            return
        done = self._waiting[client] = asyncio.get_running_loop().create_future()
        if not self._working:
            self._working = True
            contextvars.Context().run(start, self._work())
        await done

    async def _work(self) -> None:
        """Replay for all clients that wait, and again for those that have come meanwhile."""
        while self._waiting:
            group, self._waiting = self._waiting, {}
            error: BaseException | None = None
            try:
                await self._read([*group])
            except Exception as raised:
                error = raised
            for done in group.values():
                if done.done():  # the client has left
                    continue
                if error:
                    done.set_exception(error)
                else:
                    done.set_result(None)
        self._working = False

    async def _read(self, clients: Sequence[Subscription]) -> None:
        for client in clients:
            client.begin_replay()
        until = self._feed.position
        after = min(client.position for client in clients)
        by_owner: dict[DocumentId, list[Subscription]] = {}
        for client in clients:
            by_owner.setdefault(client.owner, []).append(client)
        async with (
            asyncio.timeout(REPLAY_SECONDS),
            self._feed.past([*by_owner], after, until) as changes,
        ):
            async for change in changes:
                for owner, event in self._feed.events_of(change):
                    if owner is None:
                        raise ServerError("nobody knows whose document was deleted")
                    for client in by_owner.get(owner, ()):
                        client.replay(event)
        if not changes.complete:
            raise ServerError("the stream of changes has ended")
        for client in clients:
            client.end_replay(max(until, changes.position))
