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
# A replay goes on once the client has taken what waits, if that is more.
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
        self.position = ""  # up to which the client has each event
        self._full = False  # whether a replay has to wait until the client has taken events
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
            self._put(self._feed.events.resync(self.position))
        self._put(self._feed.events.ready(self.position))
        self._begun = True
        for event in self._held:
            self.give(event)
        self._held.clear()

    def give(self, event: Event) -> None:
        """Give the client an event, unless the client has it."""
        if not self._begun:
            self._hold(event)
        elif event.position > self.position:
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
        self.position = max(self.position, event.position)
        self._outbox.put(event)

    def _hold(self, event: Event) -> None:
        self._held.append(event)
        self._held_bytes += len(event.text)
        if self._held_bytes > MAX_UNSENT_BYTES:
            self.begin_replay()
            self._lost = True

    async def _catch_up(self, last_id: str) -> bool:
        """Give all changes after an event; return False if that is not possible."""
        last = self._feed.events.position_of(last_id) if last_id else self._feed.position
        if last is not None:
            self.position = last
            try:
                while not await self._replay():
                    await self._outbox.emptied()
            except (ServerError, TimeoutError) as error:
                LOGGER.info("A client of /live reads all again: %s", error)
            else:
                return True
        self.position = self._feed.position
        return False

    async def _replay(self) -> bool:
        """Get the changes up to the feed's position; return whether the held events follow.

        More changes than may wait for the client need several replays. So do more new events than
        can be held.
        """
        self.begin_replay()
        if self.position < self._feed.position:
            await self._feed.replays.replay(self)
        return not (self._lost or self._full)

    # What a replay calls.

    def begin_replay(self) -> None:
        """Hold the events that come from now on."""
        self._held, self._held_bytes, self._lost, self._full = [], 0, False, False

    def replay(self, event: Event) -> None:
        """Give the client an event of the past, unless the client has it, or has no room."""
        if event.position > self.position and not self._full:
            self._put(event)
            self._full = self._outbox.size > _REPLAYED_BYTES

    def end_replay(self, position: str) -> None:
        """Go on from a later position, unless the client has had no room."""
        if not self._full:
            self.position = max(self.position, position)
