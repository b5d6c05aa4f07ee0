"""`Subscription`: the events of one client, from its last one on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from ..error import APIError, ServerError
from ..log import LOGGER
from ..mongo.clock import now
from .ending import SESSION_ENDED, TOO_SLOW, Ending
from .event import NOTHING, Event
from .outbox import Outbox

if TYPE_CHECKING:
    from .feed import Feed

# A client for which more bytes wait is too slow. One event may be larger.
MAX_UNSENT_BYTES = 1 << 20
REPLAY_SECONDS = 20  # without the wait for other replays
# A replay waits for a client that has taken less than all but so many bytes.
_REPLAYED_BYTES = 1 << 16


class Client(Protocol):
    """A WebSocket, or a stream of server-sent events."""

    def write_event(self, event: Event) -> asyncio.Future[None]:
        """Write an event; the future is done once the client has room for more."""

    async def find_session(self) -> Any:
        """Return the session of the client as it is now; None if it has ended."""

    def end(self, ending: Ending) -> None:
        """Close the connection."""


class Subscription:
    """The events for the user of `session`, in their order, each exactly once.

    Until `begin` has given what the client has missed, new events are held back.
    """

    def __init__(self, feed: Feed, session: Any, client: Client) -> None:
        self.session = session
        self.owner = session.user_id
        self._feed = feed
        self._client = client
        self._outbox = Outbox(client.write_event)
        self._position = ""  # up to which the client has each event
        self._begun = False
        self._held: list[Event] = []  # until it has begun
        self._held_bytes = 0
        self._lost = False  # whether events are missing among the held ones
        self._expiry: asyncio.TimerHandle | None = None
        self.closed = False

    async def begin(self, last_id: str) -> None:
        """Join the feed after the event `last_id`, or now if that is empty.

        Raises `ServerError` and `Unavailable` if MongoDB can't tell changes.
        """
        await self._feed.join(self)
        # Once more, because the session may have ended before the feed could tell.
        self._watch_session(await self._client.find_session())
        if self.closed:
            return
        if not await self._catch_up(last_id):
            self._put(self._feed.events.resync(self._position))
        self._put(self._feed.events.ready(self._position))
        self._begun = True
        for event in self._held:
            self.give(event)
        self._held.clear()

    def give(self, event: Event) -> None:
        """Give the client an event, unless the client has it."""
        if not self._begun:
            self._hold(event)
        elif event.position > self._position:
            if self._outbox.size > MAX_UNSENT_BYTES:
                self.end(TOO_SLOW)
            else:
                self._put(event)

    def resync(self) -> None:
        """Ask the client to read all its data again."""
        self._lost = True
        if self._begun:
            self._put(self._feed.events.resync(self._feed.position))

    def keep_open(self) -> None:
        """Let a client that has no event to take write something."""
        if self._begun and not self._outbox.size:
            self._outbox.put(NOTHING)

    async def recheck(self) -> None:
        """End if the session has ended; nobody knows while MongoDB does not answer."""
        try:
            self._watch_session(await self._client.find_session())
        except APIError as error:
            LOGGER.warning("A session of /live could not be checked: %s", error.message)

    def end(self, ending: Ending) -> None:
        if not self.closed:
            self.close()
            self._client.end(ending)

    def close(self) -> None:
        """Leave the feed."""
        self.closed = True
        self._feed.leave(self)
        self._outbox.close()
        self._forget_expiry()

    def _watch_session(self, session: Any) -> None:
        """End now without a session, or when the session expires."""
        if session is None:
            self.end(SESSION_ENDED)
        elif not self.closed and session.expires_at is not None:
            self._forget_expiry()
            seconds = (session.expires_at - now()).total_seconds()
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(max(seconds, 0), self.end, SESSION_ENDED)

    def _forget_expiry(self) -> None:
        if self._expiry:
            self._expiry.cancel()

    def _put(self, event: Event) -> None:
        self._position = max(self._position, event.position)
        self._outbox.put(event)

    def _hold(self, event: Event) -> None:
        self._held.append(event)
        self._held_bytes += len(event.text)
        if self._held_bytes > MAX_UNSENT_BYTES:
            self._hold_anew()
            self._lost = True

    def _hold_anew(self) -> None:
        self._held, self._held_bytes, self._lost = [], 0, False

    async def _catch_up(self, last_id: str) -> bool:
        """Give all changes after an event; return False if that is not possible."""
        last = self._feed.events.position_of(last_id) if last_id else self._feed.position
        if last is not None:
            self._position = last
            try:
                while not await self._replay():
                    pass
            except (ServerError, TimeoutError) as error:
                LOGGER.info("A client of /live reads all again: %s", error)
            else:
                return True
        self._position = self._feed.position
        return False

    async def _replay(self) -> bool:
        """Give the changes up to the feed's position; return whether the held events follow.

        More new events than can be held have to be replayed too.
        """
        self._hold_anew()
        until = self._feed.position
        if self._position < until:
            async with self._feed.replaying, asyncio.timeout(REPLAY_SECONDS):
                await self._read_past(until)
        return not self._lost

    async def _read_past(self, until: str) -> None:
        async with self._feed.past(self.owner, self._position, until) as changes:
            async for change in changes:
                for owner, event in self._feed.events_of(change):
                    if owner is None:
                        raise ServerError("nobody knows whose document was deleted")
                    if owner == self.owner:
                        self._put(event)
                if self._outbox.size > _REPLAYED_BYTES:
                    await self._outbox.emptied()
        if not changes.complete:
            raise ServerError("the stream of changes has ended")
        self._position = max(self._position, until, changes.position)
