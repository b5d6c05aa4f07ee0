"""`/live`: signing in, changes, and the ends of a WebSocket."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import weakref
from datetime import timedelta
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.httpclient import HTTPClientError
from tornado.testing import gen_test

from ...error import Unavailable
from ...live import live_handler, protocol, subscription
from ...log import LOGGER
from ...mongo.clock import now
from ...mongo.driver import mongodb
from ..http.http_servers import until
from ..sample import accounts
from ..sample.app import MEMOS
from .live_test import UPGRADE, LiveTest


class SignInTest(LiveTest):
    async def refusal(self, **options: Any) -> tuple[int, str]:
        """Return status and code of the answer to a handshake."""
        with self.assertRaises(HTTPClientError) as raised:
            await self.connect_live(**options)
        assert raised.exception.response
        error = json.loads(raised.exception.response.body)["error"]
        return raised.exception.code, error["code"]

    @gen_test(timeout=60)
    async def test_by_header(self) -> None:
        client = await self.ready()
        memo_id = await self.memo("by header")
        self.assertEqual(self.told(await self.next(client)), ("insert", str(memo_id), "by header"))

    @gen_test(timeout=60)
    async def test_by_message(self) -> None:
        client = await self.connect_live("")
        await client.write_message(json.dumps({"token": self.token}))
        ready = await self.next(client)
        self.assertTrue(ready["ready"])
        memo_id = await self.memo("by message")
        missed = await self.next(client)
        self.assertEqual(self.told(missed), ("insert", str(memo_id), "by message"))
        again = await self.connect_live("")
        await again.write_message(
            json.dumps({"token": self.token, "last_event_id": ready["event_id"]})
        )
        self.assertEqual(await self.next(again), missed)

    @gen_test(timeout=60)
    async def test_by_cookie(self) -> None:
        cookie = await self.cookie()
        origin = self.get_url("")
        client = await self.ready(token="", Cookie=cookie, Origin=origin)
        await client.write_message('{"id": 1, "action": "auth/check"}')
        answer = await self.next(client)
        self.assertEqual((answer["id"], answer["data"]), (1, {"user_id": str(self.ada)}))
        for foreign in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
            refusal = await self.refusal(token="", Cookie=cookie, **foreign)
            self.assertEqual(refusal, (403, "permission_denied"))

    @gen_test(timeout=60)
    async def test_a_foreign_page_with_a_token(self) -> None:
        refusal = await self.refusal(Origin="http://evil.example")
        self.assertEqual(refusal, (403, "permission_denied"))

    @gen_test(timeout=60)
    async def test_a_wrong_token(self) -> None:
        self.assertEqual(await self.refusal(token="wrong"), (401, "unauthenticated"))

    @gen_test(timeout=60)
    async def test_no_websocket(self) -> None:
        answer = await self.http_client.fetch(self.get_url("/live"), raise_error=False)
        error = json.loads(answer.body)
        self.assertEqual((answer.code, error["error"]["code"]), (400, "invalid_argument"))
        self.assertIn("/events", error["data"])

    @gen_test(timeout=60)
    async def test_another_version_of_websockets(self) -> None:
        headers = {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Version": "7"}
        answer = await self.http_client.fetch(
            self.get_url("/live"), headers=headers, raise_error=False
        )
        self.assertEqual(answer.code, 426)

    @gen_test(timeout=60)
    async def test_a_client_that_leaves_during_the_handshake(self) -> None:
        asked = asyncio.Event()

        async def find_never(session_id: bytes) -> None:
            asked.set()
            await asyncio.Event().wait()

        with patch.object(accounts.SESSIONS, "find_by_id", find_never):
            client = self.ask_narrowly(b"/live", *UPGRADE)
            await asked.wait()
            client.close()
            await until(lambda: not self._app.admission.in_flight)

    @gen_test(timeout=60)
    async def test_a_server_that_stops_during_the_handshake(self) -> None:
        """A WebSocket that opens afterwards would never be closed with 1001."""
        find = accounts.SESSIONS.find_by_id

        async def drain_and_find(session_id: bytes) -> Any:
            self._app.drain()
            return await find(session_id)

        with patch.object(accounts.SESSIONS, "find_by_id", drain_and_find):
            self.assertEqual(await self.refusal(), (503, "unavailable"))

    @gen_test(timeout=60)
    async def test_a_wrong_first_message(self) -> None:
        for wrong in ("", "{", "[]", '{"token": ""}', '{"token": "a b"}', '{"token": "wrong"}'):
            client = await self.connect_live("")
            await client.write_message(wrong)
            self.assertEqual(await self.ended(client), 1008, wrong)
            self.assertIn("token", client.close_reason or "")

    @gen_test(timeout=60)
    async def test_no_first_message(self) -> None:
        with patch.object(live_handler, "SIGN_IN_SECONDS", 0.01):
            client = await self.connect_live("")
        self.assertEqual(await self.ended(client), 1008)

    @gen_test(timeout=60)
    async def test_mongodb_is_away_at_the_first_message(self) -> None:
        client = await self.connect_live("")
        with patch.object(accounts.SESSIONS, "find_by_id", side_effect=Unavailable):
            await client.write_message('{"token": "any"}')
            self.assertEqual(await self.ended(client), 1013)

    @gen_test(timeout=60)
    async def test_a_server_that_stops_while_a_client_signs_in(self) -> None:
        client = await self.connect_live("")
        asked, answered = asyncio.Event(), asyncio.Event()
        find = accounts.SESSIONS.find_by_id

        async def find_later(session_id: bytes) -> Any:
            asked.set()
            await answered.wait()
            return await find(session_id)

        with patch.object(accounts.SESSIONS, "find_by_id", find_later):
            await client.write_message(json.dumps({"token": self.token}))
            await asked.wait()
            self._app.drain()
            answered.set()
            self.assertEqual(await self.ended(client), 1001)
        self.assertIsNone(self.feed._running)


class ChangesTest(LiveTest):
    @gen_test(timeout=60)
    async def test_each_change_of_ones_own(self) -> None:
        client, other = await self.ready(), await self.ready(token=self.other_token)
        await self.memo("Eve's", self.eve)
        memo_id = await self.memo("one")
        await MEMOS.update_by_id(memo_id, {"text": "two"})
        await mongodb[MEMOS.name].replace_one(
            {"_id": memo_id}, {"user_id": self.ada, "text": "three", "secret": "hidden"}
        )
        found = [await self.next(client) for _ in range(3)]
        await MEMOS.delete_by_id(memo_id)
        found.append(await self.next(client))
        kinds = [self.told(message)[0] for message in found]
        self.assertEqual(kinds, ["insert", "update", "update", "delete"])
        self.assertEqual(self.told(found[2]), ("update", str(memo_id), "three"))
        self.assertEqual(self.told(found[3]), ("delete", str(memo_id), None))
        self.assertEqual(self.told(await self.next(other))[2], "Eve's")
        self.assertNotIn("hidden", str(found))

    @gen_test(timeout=60)
    async def test_another_owner(self) -> None:
        memo_id = await self.memo("given away")
        client, other = await self.ready(), await self.ready(token=self.other_token)
        await MEMOS.update_by_id(memo_id, {"user_id": self.eve})
        self.assertEqual(self.told(await self.next(client)), ("delete", str(memo_id), None))
        told = self.told(await self.next(other))
        self.assertEqual(told, ("update", str(memo_id), "given away"))

    @gen_test(timeout=60)
    async def test_one_stream_for_many(self) -> None:
        clients = [await self.ready() for _ in range(120)]
        running = self.feed._running
        memo_id = await self.memo("for all")
        for client in clients:
            self.assertEqual(self.told(await self.next(client))[1], str(memo_id))
        self.assertIs(self.feed._running, running)

    @gen_test(timeout=60)
    async def test_a_document_that_can_not_be_shown(self) -> None:
        client = await self.ready()
        with (
            patch.object(MEMOS, "live", side_effect=KeyError("text")),
            self.assertLogs(LOGGER, "ERROR") as logged,
        ):
            await self.memo("broken")
            await until(lambda: logged.output)
        await self.memo("good")
        self.assertEqual(self.told(await self.next(client))[2], "good")


class EndTest(LiveTest):
    @gen_test(timeout=60)
    async def test_logged_out(self) -> None:
        client, other = await self.ready(), await self.ready(token=self.other_token)
        again = (await accounts.login("ada@example.com", "ada"))["token"]
        second = await self.ready(token=again)
        await accounts.logout(self.token)
        self.assertEqual(await self.ended(client), 1008)
        await self.memo("still there")
        self.assertEqual(self.told(await self.next(second))[2], "still there")
        other.close()

    @gen_test(timeout=60)
    async def test_logged_out_before_the_feed_knows_the_client(self) -> None:
        join = self.feed.join

        async def join_late(client: Any) -> None:
            await join(client)
            self.enterContext(patch.object(accounts.SESSIONS, "find_by_id", return_value=None))

        # Else the feed might tell of the session's own insertion, and end the client first.
        untold = patch.object(subscription.Subscription, "recheck")
        with untold, patch.object(self.feed, "join", join_late):
            client = await self.connect_live()
            self.assertEqual(await self.ended(client), 1008)

    @gen_test(timeout=60)
    async def test_a_session_that_expires(self) -> None:
        late = now() + timedelta(hours=1)
        await accounts.SESSIONS.update({}, {"expires_at": late})
        with patch.object(subscription, "now", return_value=late):
            client = await self.connect_live()
            self.assertEqual(await self.ended(client), 1008)

    @gen_test(timeout=60)
    async def test_a_session_that_changes(self) -> None:
        client, other = await self.ready(), await self.ready(token=self.other_token)
        query = {"user_id": self.ada}
        await accounts.SESSIONS.update(query, {"expires_at": now() + timedelta(hours=1)})
        await accounts.SESSIONS.update(query, {"expires_at": now()})
        self.assertEqual(await self.ended(client), 1008)
        await self.memo("Eve's", self.eve)
        self.assertEqual(self.told(await self.next(other))[2], "Eve's")

    @gen_test(timeout=60)
    async def test_a_session_that_can_not_be_checked(self) -> None:
        client = await self.ready()
        with (
            patch.object(accounts.SESSIONS, "find_by_id", side_effect=Unavailable),
            self.assertLogs(LOGGER, "WARNING") as logged,
        ):
            await accounts.SESSIONS.update({}, {"expires_at": now() + timedelta(hours=1)})
            await until(lambda: logged.output)
        await self.memo("still there")
        self.assertEqual(self.told(await self.next(client))[2], "still there")

    @gen_test(timeout=60)
    async def test_too_long_a_message(self) -> None:
        longest = live_handler.MAX_MESSAGE_BYTES
        client = await self.ready()
        await client.write_message("x" * longest)
        self.assertEqual((await self.next(client))["status"], 400)
        for size in (longest + 1, 40 * longest):
            client = await self.ready()
            written = asyncio.ensure_future(client.write_message("x" * size))
            self.assertEqual(await self.ended(client), 1009)
            await asyncio.wait([written])
            written.exception()

    @gen_test(timeout=60)
    async def test_a_client_that_goes_on_after_too_long_a_message(self) -> None:
        client = self.ask_narrowly(b"/live", *UPGRADE)
        await until(lambda: self._app.unending)
        client.sendall(b"\x81\xff" + (1 << 20).to_bytes(8) + bytes(4) + b"x")
        with patch.object(protocol, "_SECONDS", 0.01):
            await until(lambda: not self._app.unending)
        client.setblocking(True)
        self.assertIn(b"\x03\xf1message too big", await asyncio.to_thread(self.rest, client))

    def rest(self, client: socket.socket) -> bytes:
        """Return all that the server sends until its end."""
        found = b""
        while data := client.recv(1 << 16):
            found += data
        return found

    @gen_test(timeout=60)
    async def test_a_slow_reader(self) -> None:
        other = await self.ready()
        self.ask_narrowly(b"/live", *UPGRADE)
        await until(lambda: len(self._app.unending) == 2)
        with patch.object(subscription, "MAX_UNSENT_BYTES", 1000):
            text = "x" * (1 << 20)
            while len(self._app.unending) == 2:
                await self.memo(text)
                self.assertEqual(len(self.told(await self.next(other))[2]), len(text))

    @gen_test(timeout=60)
    async def test_drain(self) -> None:
        client, anonymous = await self.ready(), await self.connect_live("")
        self._app.drain()
        self.assertEqual(await self.ended(client), 1001)
        self.assertEqual(await self.ended(anonymous), 1001)
        self.assertEqual(self._app.admission.in_flight, 0)
        with self.assertRaises(HTTPClientError) as raised:
            await self.connect_live()
        self.assertEqual(raised.exception.code, 503)

    @gen_test(timeout=60)
    async def test_too_many(self) -> None:
        client = await self.ready()
        with patch.object(self._app.unending, "_limit", 1):
            with self.assertRaises(HTTPClientError) as raised:
                await self.connect_live()
            self.assertEqual(raised.exception.code, 503)
        client.close()


class ForgottenTest(LiveTest):
    @gen_test(timeout=60)
    async def test_no_cycle_keeps_a_closed_websocket(self) -> None:
        """The garbage collection of old objects seldom runs."""
        (await self.ready()).close()
        await until(lambda: not self._app.unending)
        self.addCleanup(gc.enable)
        gc.disable()
        client = await self.ready()
        (handler,) = self._app.unending._answers
        kept = weakref.ref(handler)
        del handler
        await client.write_message('{"action": "system/ping"}')
        await self.next(client)
        client.close()
        await until(lambda: kept() is None)


class PingTest(LiveTest):
    settings: ClassVar[dict[str, Any]] = {"websocket_ping_interval_seconds": 0.5}

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        client = await self.ready()
        pings: list[bytes] = []
        client.on_ping = pings.append  # type: ignore[assignment]
        await until(lambda: pings)
        client.close()

    @gen_test(timeout=60)
    async def test_a_client_that_is_dead(self) -> None:
        client = await self.ready()
        client.protocol._send_pong = lambda data: None  # type: ignore[union-attr]
        await until(lambda: not self._app.unending)
