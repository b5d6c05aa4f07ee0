"""`Outbox`: the order of events, and a client that takes them slowly or not at all."""

from __future__ import annotations

import asyncio

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from ...live.event import Event
from ...live.outbox import Outbox
from ..async_test import AsyncTest

EVENTS = [Event(str(n), "", b"x" * n) for n in (1, 2, 3)]


class OutboxTest(AsyncTest):
    def setUp(self) -> None:
        self.written: list[tuple[Event, asyncio.Future[None]]] = []
        self.outbox = Outbox(self.write)

    def write(self, event: Event) -> asyncio.Future[None]:
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.written.append((event, taken))
        return taken

    async def take(self) -> None:
        """Let the client take the event that was written last."""
        self.written[-1][1].set_result(None)
        await asyncio.sleep(0)

    async def test_one_after_the_other(self) -> None:
        for event in EVENTS:
            self.outbox.put(event)
        self.assertEqual(self.outbox.size, 6)
        emptied = [asyncio.create_task(self.outbox.emptied()) for _ in range(2)]
        for n, size in enumerate((5, 3, 0), 1):
            self.assertEqual([event for event, _ in self.written], EVENTS[:n])
            self.assertFalse(any(task.done() for task in emptied))
            await self.take()
            self.assertEqual(self.outbox.size, size)
        await asyncio.gather(*emptied)
        await self.outbox.emptied()

    async def test_closed(self) -> None:
        self.outbox.put(EVENTS[0])
        self.outbox.put(EVENTS[1])
        emptied = asyncio.create_task(self.outbox.emptied())
        await asyncio.sleep(0)
        self.outbox.close()
        await emptied
        await self.take()
        self.outbox.put(EVENTS[2])
        self.assertEqual(len(self.written), 1)

    async def test_a_client_that_is_gone(self) -> None:
        for end in (asyncio.Future.cancel, lambda taken: taken.set_exception(OSError())):
            self.setUp()
            self.outbox.put(EVENTS[0])
            self.outbox.put(EVENTS[1])
            end(self.written[0][1])
            await self.outbox.emptied()
            self.outbox.put(EVENTS[2])
            self.assertEqual(len(self.written), 1)

    async def test_a_write_that_is_refused(self) -> None:
        for error in (StreamClosedError(), WebSocketClosedError()):

            def refuse(event: Event, error: Exception = error) -> asyncio.Future[None]:
                raise error

            outbox = Outbox(refuse)
            outbox.put(EVENTS[0])
            await outbox.emptied()
