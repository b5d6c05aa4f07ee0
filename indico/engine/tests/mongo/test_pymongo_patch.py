"""Operations are cancelled at the moment at which PyMongo's client used to break."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any
from unittest import IsolatedAsyncioTestCase

from ...mongo import connection as db
from ...mongo.driver import mongodb
from ...mongo.operation import guard
from ..server_test import mongodb_uri
from .proxy import Proxy


class CancelledTest(IsolatedAsyncioTestCase):
    integration = True

    async def asyncSetUp(self) -> None:
        self.proxy = self.enterContext(Proxy(mongodb_uri()))
        await db.connect(self.proxy.uri, "test_condition", "pymongo")
        self.topology = mongodb.client._topology

    async def asyncTearDown(self) -> None:
        await db.disconnect()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0)

    async def test_while_it_waits_for_a_server(self) -> None:
        """The wait times out while another operation holds the lock that the waiter needs again."""
        self.proxy.refuse = True
        self.proxy.cut()
        await self.until(lambda: not self.topology.description.has_writable_server())
        operations = [asyncio.create_task(mongodb.command("ping")) for _ in range(3)]
        await self.until(lambda: len(self.topology._condition._waiters) == len(operations))
        lock = self.topology._lock
        async with lock:
            await self.until(lambda: len(lock._waiters or ()) >= len(operations))
            for operation in operations:
                operation.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertTrue(lock.locked())
        outcomes = await asyncio.gather(*operations, return_exceptions=True)
        self.assertEqual([type(outcome) for outcome in outcomes], [asyncio.CancelledError] * 3)
        self.proxy.refuse = False
        self.assertTrue(await db.ping(20))

    async def test_while_its_error_is_on_the_way(self) -> None:
        """The caller is cancelled in the turn of the event loop in which the operation fails."""
        loop = asyncio.get_running_loop()
        logged: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: logged.append(context))

        async def ping() -> None:
            try:
                await mongodb.command("ping")
            finally:
                loop.call_soon(callers[0].cancel)

        self.proxy.cut()
        callers = [asyncio.create_task(guard(ping))]
        await asyncio.wait(callers)
        self.assertTrue(callers.pop().cancelled())
        gc.collect()  # asyncio logs an error that nobody has seen when its task goes
        self.assertEqual(logged, [])
