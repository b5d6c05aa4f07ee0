"""/live of two server processes with one database, one of which stops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bson import ObjectId
from tornado.websocket import WebSocketClientConnection, websocket_connect

from ..async_test import AsyncTest
from ..environment import CHOSEN
from ..server_process import ServerProcess
from ..server_test import mongodb_uri

DATABASE = "test_live_processes"


class ProcessesTest(AsyncTest):
    integration = True

    async def serve(self) -> ServerProcess:
        flags = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", DATABASE)
        server = ServerProcess(*flags, "--max-delay-seconds", CHOSEN["max_delay_seconds"])
        self.addCleanup(server.__exit__)
        return await asyncio.to_thread(server.wait_until_it_listens)

    async def call(self, server: ServerProcess, path: str, body: Any = None) -> Any:
        status, data = await asyncio.to_thread(server.call, path, body, self.token)
        self.assertLess(status, 300, data)
        return data

    async def rename(self, server: ServerProcess, name: str) -> None:
        await self.call(server, "/user/update", {"update_user": {"name": name}})

    async def connect(self, server: ServerProcess, last_id: str) -> WebSocketClientConnection:
        url = f"ws://127.0.0.1:{server.port}/live?last_event_id={last_id}"
        client = await websocket_connect(url)
        await client.write_message(json.dumps({"token": self.token, "last_event_id": last_id}))
        return client

    async def next(self, client: WebSocketClientConnection) -> dict[str, Any]:
        async with asyncio.timeout(60):
            message: dict[str, Any] = json.loads(await client.read_message() or "{}")
        return message

    async def test_a_client_that_has_to_change_its_server(self) -> None:
        first, second = await asyncio.gather(self.serve(), self.serve())
        self.token = ""
        account = {"email": f"{ObjectId()}@example.com", "password": "correct horse"}
        self.token = (await self.call(first, "/auth/register", account))["token"]
        client = await self.connect(first, "")
        self.assertTrue((await self.next(client))["ready"])
        await self.rename(second, "one")
        message = await self.next(client)
        self.assertEqual(message["document"]["name"], "one")
        self.assertEqual(message["document"], await self.call(second, "/user/get"))
        self.assertEqual(await asyncio.to_thread(first.stop), 0)
        async with asyncio.timeout(60):
            self.assertIsNone(await client.read_message())
        self.assertEqual(client.close_code, 1001)
        await self.rename(second, "two")
        client = await self.connect(second, message["event_id"])
        self.assertEqual((await self.next(client))["document"]["name"], "two")
        self.assertTrue((await self.next(client))["ready"])
        await self.rename(second, "three")
        self.assertEqual((await self.next(client))["document"]["name"], "three")
        client.close()
