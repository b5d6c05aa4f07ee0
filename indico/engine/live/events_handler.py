"""`GET /events`: the changes of a user's documents as server-sent events."""

from __future__ import annotations

import asyncio
from typing import Any

from ..http.action import LookUp
from ..http.json_handler import JSONHandler
from .ending import GOING_AWAY, Ending
from .event import NOTHING, Event
from .feed import Feed
from .subscription import Subscription

_COMMENT = b":\n\n"


class EventsHandler(JSONHandler):
    """The events of one client, in HTML's format `text/event-stream`.

    They are no operation of the API's document, because they don't end.
    """

    described = False
    SUPPORTED_METHODS = ("GET",)

    def initialize(self, feed: Feed, look_up: LookUp) -> None:
        self._feed = feed
        self._look_up = look_up
        self._ended = asyncio.Event()

    async def get(self) -> None:
        await self.authenticate(self._look_up)
        unending = self.application.unending
        unending.refuse_too_many()
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Connection", "close")  # nothing follows on the connection
        self.set_header("X-Accel-Buffering", "no")  # nginx would wait for more
        unending.add(self)
        subscription = Subscription(self._feed, self.session, self)
        keeping = asyncio.create_task(self._keep_open(subscription))
        try:
            await subscription.begin(self._last_id)
            self.stop_time()
            await self._ended.wait()
        finally:
            unending.discard(self)
            keeping.cancel()
            subscription.close()
        self.finish()  # a client that is too slow has its time for the rest

    def leave_soon(self) -> None:
        self.end(GOING_AWAY)

    def write_event(self, event: Event) -> asyncio.Future[None]:
        lines = b"id: %b\ndata: %b\n\n" % (event.id.encode("ascii"), event.text)
        self.write(_COMMENT if event is NOTHING else lines)
        return self.flush()

    async def find_session(self) -> Any:
        return await self._look_up(self)

    def end(self, ending: Ending) -> None:
        self._ended.set()

    @property
    def _last_id(self) -> str:
        """The id of the last event, by the header that browsers send when they connect again."""
        return self.request.headers.get("Last-Event-ID") or self.get_query_argument(
            "last_event_id", ""
        )

    async def _keep_open(self, subscription: Subscription) -> None:
        """Write a comment now and then, so that no proxy takes the connection for a dead one."""
        while True:
            await asyncio.sleep(self.config.websocket_ping_interval_seconds)
            subscription.keep_open()
