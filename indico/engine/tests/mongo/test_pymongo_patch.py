"""Moments at which PyMongo's client breaks without the patch."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest import TestCase
from unittest.mock import patch

import uvloop
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect
from tornado.testing import gen_test

from ...mongo import connection as db
from ...mongo import pymongo_patch
from ...mongo.collection import Collection
from ...mongo.driver import mongodb
from ...mongo.operation import guard
from ..async_test import AsyncTest
from ..server_test import mongodb_uri
from .fail_point_test import FailPointTest
from .proxy import Proxy
from .round_trip_test import eventually, together


class CancelledTest(AsyncTest):
    integration = True

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.proxy = self.enterContext(Proxy(mongodb_uri()))
        with patch.object(Collection, "declared", ()):  # which have nothing to do with this
            await db.connect(self.proxy.uri, "test_condition", "pymongo")
        self.topology = mongodb.client._topology

    async def asyncTearDown(self) -> None:
        await db.disconnect()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.001)

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
        gc.freeze()  # a collection of all that the tests have made takes half a second
        self.addCleanup(gc.unfreeze)
        callers = [asyncio.create_task(guard(ping))]
        await asyncio.wait(callers)
        self.assertTrue(callers.pop().cancelled())
        gc.collect()  # asyncio logs an error that nobody has seen when its task goes
        self.assertEqual(logged, [])


class ResetTest(TestCase):
    """A server that resets each connection before TLS begins, and a client of it on uvloop."""

    def setUp(self) -> None:
        self.server = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.enterContext(patch.object(pymongo_patch, "_open_socket", self.open_and_reset))

    async def open_and_reset(self, *_: Any) -> socket.socket:
        client = socket.create_connection(self.server.getsockname())
        with self.server.accept()[0] as accepted:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return client

    def test_no_descriptor_is_closed_twice(self) -> None:
        self.assertEqual(uvloop.run(self.closed_twice()), [])

    async def closed_twice(self) -> list[int]:
        """Return the descriptors that are closed after their numbers have been used again."""
        options = AsyncMongoClient[Any](tls=True).options.pool_options
        try:
            await pymongo_patch.connect(("localhost", 1), options)
        except AutoReconnect:
            taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
        await asyncio.sleep(0)  # uvloop forgets the connection
        gc.collect()
        return [descriptor for descriptor in taken if not _closes(descriptor)]


class SilentTest(AsyncTest):
    async def test_the_handshake_of_tls_has_a_timeout(self) -> None:
        options = AsyncMongoClient[Any](tls=True, connectTimeoutMS=100).options.pool_options
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = ("localhost", server.getsockname()[1])
            async with asyncio.timeout(20):
                with self.assertRaises(TimeoutError):
                    await pymongo_patch.connect(address, options)


def _closes(descriptor: int) -> bool:
    with suppress(OSError):
        os.close(descriptor)
        return True
    return False


class RetryTest(FailPointTest):
    """A driver with one connection, which looks for the primary often."""

    def uri(self) -> str:
        return f"{super().uri()}&maxPoolSize=1&heartbeatFrequencyMS=500"

    @gen_test(timeout=60)
    async def test_the_primary_is_unknown_when_a_write_gets_its_connection(self) -> None:
        """Another operation has just been told by the server that it is no primary."""
        late = {"blockConnection": True, "blockTimeMS": 200, "errorCode": 10107}
        async with self.failing("find", mode={"times": 1}, **late):
            commands = self.proxy.commands = []
            finding = asyncio.ensure_future(self.things.find_by_id(0))
            await eventually(lambda: commands)
            await together(self.things.insert({"_id": "new", "key": "new"}), finding)
        insert = next(command for command in commands if "insert" in command)
        self.assertIn("txnNumber", insert)
