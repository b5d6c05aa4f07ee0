"""`/live` and `/events`: what users are told of their own data."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.testing import gen_test
from tornado.websocket import WebSocketClientConnection, websocket_connect

from indico.db import Collection
from indico.engine.openapi.pages import api_of
from indico.engine.tests.http.http_servers import until
from indico.tests.server_test import PASSWORD, YOURS, ServerTest

# The collections whose documents are told. Add one here only on purpose.
LIVE = {"users", "sessions", "addresses"}


class LiveTest(ServerTest):
    """`call` makes a call over the WebSocket of Ada's."""

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


class ChangesTest(LiveTest):
    @gen_test(timeout=60)
    async def test_addresses(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        made = await self.call(caller, "address/create", entry={"name": "Grace"})
        self.assertEqual(await self.told(client, "addresses"), ("insert", made))
        change = {"id": made["id"], "entry": {"name": "Edsger"}}
        changed = await self.call(caller, "address/update", **change)
        self.assertEqual(await self.told(client, "addresses"), ("update", changed))
        await self.call(caller, "address/delete", id=made["id"])
        self.assertEqual(await self.told(client, "addresses"), ("delete", None))
        await self.close(client, caller)

    @gen_test(timeout=60)
    async def test_the_account(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        user = await self.call(caller, "user/update", update_user={"name": "Countess"})
        self.assertEqual(await self.told(client, "users"), ("update", user))
        passwords = {"current_password": PASSWORD, "new_password": f"another {PASSWORD}"}
        await self.call(caller, "user/change_password", **passwords)
        kind, document = await self.told(client, "users")
        self.assertEqual(document, await self.call(caller, "user/get"))
        await self.close(client, caller)

    @gen_test(timeout=60)
    async def test_sessions(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        account = {"email": "ada@example.com", "password": PASSWORD}
        token = (await self.call(caller, "auth/login", **account))["token"]
        kind, document = await self.told(client, "sessions")
        self.assertEqual(kind, "insert")
        self.assertEqual(document.keys(), {"id", "created_at", "address", "last_used_at"})
        self.assertNotIn(token, str(document))
        other = await self.open(token)
        await self.call(other, "auth/logout")
        self.assertEqual(await self.told(client, "sessions"), ("delete", None))
        await self.close(client, caller)

    @gen_test(timeout=60)
    async def test_a_deleted_account(self) -> None:
        client, caller = await self.open(self.token), await self.open(self.token)
        await self.call(caller, "user/delete", password=PASSWORD)
        for each in (client, caller):
            while await each.read_message() is not None:
                pass
            self.assertEqual(each.close_code, 1008)
        await self.close()


class DeclarationTest(ServerTest):
    def test_live_collections(self) -> None:
        self.assertEqual({each.name for each in YOURS if each.live}, LIVE)

    def test_a_deletion_of_an_account_deletes_each_of_its_documents(self) -> None:
        """A live collection has an owner, and so an index for it: see test_db."""
        self.assertTrue(all(each.owner for each in Collection.declared if each.live))

    def test_they_are_no_operations(self) -> None:
        """OpenAPI can't describe a WebSocket, and a call of /events does not end."""
        paths = api_of(self._app).document()["paths"]
        self.assertFalse({"/live", "/events"} & paths.keys())
