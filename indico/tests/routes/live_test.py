"""`LiveTest`: a test with WebSockets of a user of your app."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from indico.engine.tests.http.http_servers import until
from indico.tests.server_test import ServerTest


class LiveTest(ServerTest):
    """Base of tests with a user, whose token is `self.token`."""

    def setUp(self) -> None:
        super().setUp()
        self.token = self.register(name="Ada")["token"]

    async def open(self, token: str) -> WebSocketClientConnection:
        url = self.get_url("/live").replace("http", "ws")
        client = await websocket_connect(
            HTTPRequest(url, headers={"Authorization": f"Bearer {token}"})
        )
        self.assertTrue((await self.next(client))["ready"])
        return client

    async def next(self, client: WebSocketClientConnection) -> dict[str, Any]:
        async with asyncio.timeout(60):
            message: dict[str, Any] = json.loads(await client.read_message() or "{}")
        return message

    async def told(self, client: WebSocketClientConnection, collection: str) -> tuple[str, Any]:
        """Return the kind and the document of the next change in a collection."""
        while (message := await self.next(client)).get("collection") != collection:
            pass
        return message["change"], message["document"]

    async def call(self, client: WebSocketClientConnection, action: str, **body: Any) -> Any:
        """Return the data of an answer."""
        await client.write_message(json.dumps({"id": 1, "action": action, "body": body}))
        while "id" not in (answer := await self.next(client)):
            pass
        self.assertLess(answer["status"], 300, answer)
        return answer["data"]

    async def close(self, *clients: WebSocketClientConnection) -> None:
        for client in clients:
            client.close()
        await until(lambda: not self._app.unending)
