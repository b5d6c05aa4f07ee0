"""`Outbox`: the events that one client has yet to take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from .event import Event


class Outbox:
    """The events that one client has yet to take, written one after the other.

    `write` returns a future that is done once the client has room for more. `size` counts the bytes
    of all events that are not written, or not taken.
    """

    def __init__(self, write: Callable[[Event], asyncio.Future[None]]) -> None:
        self._write = write
        self._waiting: deque[Event] = deque()
        self._emptied: asyncio.Future[None] | None = None
        self._closed = False
        self.size = 0

    def put(self, event: Event) -> None:
        """Write `event` after those that wait."""
        if self._closed:
            return
        self._waiting.append(event)
        self.size += len(event.text)
        if len(self._waiting) == 1:
            self._write_next()

    async def emptied(self) -> None:
        """Wait until the client has taken all events, or is gone."""
        if self._waiting:
            self._emptied = self._emptied or asyncio.get_running_loop().create_future()
            await asyncio.wait([self._emptied])

    def close(self) -> None:
        """Forget what waits, and write nothing more."""
        self._closed = True
        self._waiting.clear()
        self._tell()

    def _write_next(self) -> None:
        try:
            written = self._write(self._waiting[0])
        except (StreamClosedError, WebSocketClosedError):
            self.close()
        else:
            written.add_done_callback(self._written)

    def _written(self, written: asyncio.Future[None]) -> None:
        if written.cancelled() or written.exception():
            self.close()
        if self._closed:
            return
        self.size -= len(self._waiting.popleft().text)
        if self._waiting:
            self._write_next()
        else:
            self._tell()

    def _tell(self) -> None:
        emptied, self._emptied = self._emptied, None
        if emptied:
            emptied.set_result(None)
