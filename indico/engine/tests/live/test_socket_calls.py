"""Calls of actions over /live."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest.mock import AsyncMock, patch

from tornado.testing import gen_test
from tornado.websocket import WebSocketClientConnection

from ...live import live_handler, socket_calls
from ..http.http_servers import until
from ..sample import accounts
from .live_test import UPGRADE, LiveTest, Message


class CallTest(LiveTest):
    async def send(self, client: WebSocketClientConnection, **message: Any) -> None:
        await client.write_message(json.dumps(message))

    async def call(self, client: WebSocketClientConnection, **message: Any) -> Message:
        await self.send(client, **message)
        return await self.next(client)


class SocketCallsTest(CallTest):
    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        client = await self.ready()
        answer = await self.call(client, id=1, action="user/get", body={})
        self.assertEqual((answer["id"], answer["status"]), (1, 200))
        self.assertEqual(answer["data"]["email"], "ada@example.com")
        answer = await self.call(client, id="two", action="system/echo", body={"a": [1]})
        self.assertEqual(answer, {"id": "two", "status": 200, "data": {"a": [1]}})
        await client.write_message(b'{"id": 3, "action": "system/ping"}', binary=True)
        self.assertEqual(await self.next(client), {"id": 3, "status": 200, "data": "pong"})

    @gen_test(timeout=60)
    async def test_several_at_once(self) -> None:
        client = await self.ready()
        held = asyncio.Event()
        get = accounts.get

        async def get_later(user_id: Any) -> Any:
            await held.wait()
            return await get(user_id)

        with patch.object(accounts, "get", get_later):
            await self.send(client, id=1, action="user/get")
            self.assertEqual((await self.call(client, id=2, action="system/ping"))["id"], 2)
            held.set()
            self.assertEqual((await self.next(client))["id"], 1)

    @gen_test(timeout=60)
    async def test_wrong_calls(self) -> None:
        client = await self.ready()
        wrong: list[tuple[str, int, Any]] = [
            ("{", 400, None),
            ("[]", 400, None),
            ('{"id": 1}', 400, 1),
            ('{"id": 1.5, "action": "user/get"}', 400, None),
            ('{"id": 1, "action": "user"}', 400, 1),
            ('{"id": 1, "action": "user/get", "token": "a"}', 401, 1),
            ('{"id": 1, "action": "user/get", "nosuch": "a"}', 400, 1),
            ('{"id": 1, "action": "user/nosuch"}', 404, 1),
            ('{"id": 1, "action": "nosuch/get"}', 404, 1),
            ('{"id": 1, "action": "system/wait", "body": {"seconds": "1"}}', 400, 1),
        ]
        for text, status, its_id in wrong:
            await client.write_message(text)
            answer = await self.next(client)
            self.assertEqual((answer["status"], answer["id"]), (status, its_id), text)
            self.assertRegex(answer["error"]["request_id"], r"\.\d+$")

    @gen_test(timeout=60)
    async def test_headers_of_its_own(self) -> None:
        client = await self.ready()
        answer = await self.call(client, id=1, action="user/get", token=self.other_token)
        self.assertEqual(answer["data"]["email"], "eve@example.com")
        answer = await self.call(
            client, id=2, action="system/wait", body={"seconds": 60.0}, timeout_ms=1
        )
        self.assertEqual(answer["status"], 504)
        answer = await self.call(client, action="nosuch/get", request_id="its-own")
        self.assertEqual((answer["id"], answer["error"]["request_id"]), (None, "its-own"))

    @gen_test(timeout=60)
    async def test_before_the_client_signs_in(self) -> None:
        client = await self.connect_live("")
        self.assertEqual((await self.call(client, action="user/get"))["status"], 401)
        account = {"email": "ada@example.com", "password": "ada"}
        token = (await self.call(client, action="auth/login", body=account))["data"]["token"]
        self.assertTrue((await self.call(client, token=token))["ready"])
        self.assertEqual((await self.call(client, action="user/get"))["status"], 200)

    @gen_test(timeout=60)
    async def test_too_many(self) -> None:
        client = await self.ready()
        with patch.object(socket_calls, "MAX_CALLS", 1):
            await self.send(client, id=1, action="system/wait", body={"seconds": 60})
            refused = await self.call(client, id=2, action="system/ping")
        self.assertEqual((refused["id"], refused["status"]), (2, 429))
        self.assertTrue(refused["error"]["retryable"])
        client.close()  # ends the call
        await until(lambda: not self._app.admission.in_flight)

    @gen_test(timeout=60)
    async def test_a_call_in_flight_at_the_drain(self) -> None:
        client = await self.ready()
        held = asyncio.Event()

        async def get_later(user_id: Any) -> Any:
            await held.wait()
            return {"id": user_id, "email": "a@example.com", "name": None}

        with patch.object(accounts, "get", get_later):
            await self.send(client, id=1, action="user/get")
            await until(lambda: self._app.admission.in_flight)
            self._app.drain()
            refused = await self.call(client, id=2, action="system/ping")
            self.assertEqual((refused["id"], refused["status"]), (2, 503))
            held.set()
            self.assertEqual((await self.next(client))["id"], 1)
        self.assertEqual(await self.ended(client), 1001)

    @gen_test(timeout=60)
    async def test_revoked_by_its_own_call(self) -> None:
        with patch.object(live_handler, "LAST_ANSWERS_SECONDS", 60):
            client = await self.ready()
            answer = await self.call(client, id=1, action="auth/logout")
            self.assertEqual(answer["data"], {"revoked": 1})
            self.assertEqual(await self.ended(client), 1008)

    @gen_test(timeout=60)
    async def test_a_client_that_does_not_close(self) -> None:
        """A server that has closed answers no more, and takes no call."""
        client = self.ask_narrowly(b"/live", *UPGRADE)
        await until(lambda: self._app.unending)
        held, asked = asyncio.Event(), asyncio.Event()

        async def get_later(user_id: Any) -> Any:
            asked.set()
            await held.wait()
            return {"id": user_id, "email": "a@example.com", "name": None}

        with (
            patch.object(accounts, "get", get_later),
            patch.object(live_handler, "LAST_ANSWERS_SECONDS", 0),
        ):
            client.sendall(masked(b'{"action": "user/get"}'))
            await asked.wait()
            (handler,) = self._app.unending._answers
            await accounts.logout(self.token)
            await until(lambda: handler.ws_connection is None)  # type: ignore[attr-defined]
            client.sendall(masked(b'{"action": "system/ping"}'))
            held.set()
            await until(lambda: not self._app.admission.in_flight)
        client.close()
        await until(lambda: not self._app.unending)

    @gen_test(timeout=60)
    async def test_a_call_that_outlives_the_session(self) -> None:
        client = await self.ready()
        await self.send(client, action="system/wait", body={"seconds": 60.0})
        await until(lambda: self._app.admission.in_flight)
        await accounts.logout(self.token)
        self.assertEqual(await self.ended(client), 1008)
        await until(lambda: not self._app.admission.in_flight)


class SlowTest(CallTest):
    settings = {"write_timeout_seconds": 0.05}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_a_client_that_takes_no_answer(self) -> None:
        client = self.ask_narrowly(b"/live", *UPGRADE)
        await until(lambda: self._app.unending)
        user = {"id": self.ada, "email": "a@example.com", "name": "x" * (4 << 20)}
        with patch.object(accounts, "get", AsyncMock(return_value=user)):
            client.sendall(masked(b'{"action": "user/get"}'))
            await until(lambda: not self._app.unending)


def masked(text: bytes) -> bytes:
    """Return the frame of a short text from a client, with a mask of zeros."""
    return b"\x81" + bytes([0x80 | len(text)]) + bytes(4) + text
