"""`LiveTest`: a test of the sample's live memos, with WebSockets of their users."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from bson import ObjectId
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from ...http.json_handler import JSONHandler
from ...http.session_cookie import set_cookie
from ...live.feed import Feed
from ...live.live_handler import LiveHandler
from ...mongo.clock import now
from ..environment import DRIVER, HTTP_SERVER, LANE, LOOP
from ..http.http_servers import ask_narrowly, get, until
from ..sample import accounts
from ..sample.app import MEMOS
from ..server_test import ServerTest

Message = dict[str, Any]
UPGRADE = (
    *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class LiveTest(ServerTest):
    """Base of tests with the sessions of Ada and Eve, and `memo` to change a memo of Ada's."""

    varies_with: ClassVar[tuple[str, ...]] = (DRIVER, LANE, HTTP_SERVER, LOOP)
    indexed = (MEMOS,)
    shares_database = False  # a change stream tells what empties a database

    def setUp(self) -> None:
        super().setUp()
        self.clients: list[WebSocketClientConnection] = []
        ada, eve = (self.run_async(self.sign_up(name)) for name in ("ada", "eve"))
        self.ada, self.token = ada
        self.eve, self.other_token = eve

    def tearDown(self) -> None:
        self.run_async(self.close())
        super().tearDown()

    async def sign_up(self, name: str) -> tuple[ObjectId, str]:
        login = await accounts.register(f"{name}@example.com", name)
        return login["user"]["id"], login["token"]

    async def close(self) -> None:
        for client in self.clients:
            client.close()
        await until(lambda: not self._app.unending)
        await until(lambda: self.feed._running is None)

    @property
    def feed(self) -> Feed:
        rules = self._app.wildcard_router.rules
        feed: Feed = next(r.target_kwargs["feed"] for r in rules if r.target is LiveHandler)
        return feed

    async def connect_live(
        self, token: str | None = None, last_id: str = "", port: int = 0, **headers: str
    ) -> WebSocketClientConnection:
        """Return a WebSocket that the server has accepted; "" is no token."""
        token = self.token if token is None else token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        query = urlencode({"last_event_id": last_id}) if last_id else ""
        url = f"ws://127.0.0.1:{port or self.get_http_port()}/live?{query}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client = await websocket_connect(HTTPRequest(url, headers=named))
        self.clients.append(client)
        return client

    async def ready(self, **options: Any) -> WebSocketClientConnection:
        """Return a WebSocket that gets each change from now on."""
        client = await self.connect_live(**options)
        self.assertTrue((await self.next(client))["ready"])
        return client

    async def until_ready(self, last_id: str) -> list[Message]:
        """Return what a new client is told before it is ready."""
        client = await self.connect_live(last_id=last_id)
        found = []
        while not (message := await self.next(client)).get("ready"):
            found.append(message)
        client.close()
        return found

    def ask_narrowly(self, path: bytes, *fields: bytes) -> socket.socket:
        """Return a client that has asked for `path`, reads nothing, and has little room."""
        token = b"Authorization: Bearer " + self.token.encode()
        client = ask_narrowly(self.get_http_port(), get(path, token, *fields))
        self.addCleanup(client.close)
        return client

    async def next(self, client: WebSocketClientConnection) -> Message:
        async with asyncio.timeout(60):
            text = await client.read_message()
        self.assertIsNotNone(text, (client.close_code, client.close_reason))
        message: Message = json.loads(text or "")
        return message

    async def ended(self, client: WebSocketClientConnection) -> int | None:
        """Return the code with which the server closes, and pass over what it tells before."""
        async with asyncio.timeout(60):
            while await client.read_message() is not None:
                pass
        return client.close_code

    async def cookie(self) -> str:
        """Return the header with a cookie that this server has signed."""

        class CookieHandler(JSONHandler):
            described = False

            def get(handler) -> None:  # noqa: N805
                set_cookie(handler, self.token, now() + timedelta(hours=1))
                handler.finish()

        self._app.add_handlers(".*", [("/cookie", CookieHandler)])
        answer = await self.http_client.fetch(self.get_url("/cookie"))
        return answer.headers["Set-Cookie"].partition(";")[0]

    async def memo(self, text: str, owner: ObjectId | None = None) -> ObjectId:
        """Store a memo, of Ada unless another owner is given."""
        memo_id = ObjectId()
        await MEMOS.insert(
            {"_id": memo_id, "user_id": owner or self.ada, "text": text, "secret": "hidden"}
        )
        return memo_id

    def told(self, message: Message) -> tuple[str, str, Any]:
        """Return what a message says of a change: its kind, the id, and the text of the memo."""
        self.assertEqual(message["collection"], MEMOS.name)
        document = message["document"]
        if document is not None:
            self.assertEqual(document.keys(), {"id", "text"})
            self.assertEqual(document["id"], message["document_id"])
        return message["change"], message["document_id"], document and document["text"]
