"""`Feed`: when its stream can't be opened, and two servers on one database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

from tornado.httpclient import HTTPClientError
from tornado.testing import bind_unused_port, gen_test

from ...error import ServerError, Unavailable
from ...live.event import Event
from ...live.feed import Feed
from ...live.subscription import Subscription
from ...log import LOGGER
from ...mongo import change_stream
from ...process.http_servers import make_server
from ..http.http_servers import until
from ..sample import accounts
from .live_test import LiveTest


class OpenTest(LiveTest):
    @gen_test(timeout=60)
    async def test_no_changes_can_be_told(self) -> None:
        for error in (ServerError("no replica set"), Unavailable()):
            with (
                patch.object(change_stream, "_next_time", side_effect=error),
                self.assertLogs(LOGGER, "ERROR"),
            ):
                client = await self.connect_live()
                self.assertEqual(await self.ended(client), 1013)
            self.assertIsNone(self.feed._running)
        await self.ready()

    @gen_test(timeout=60)
    async def test_mongodb_is_away_when_the_stream_is_opened_anew(self) -> None:
        client = await self.ready()
        await until(lambda: self.feed._changes._stream)
        with (
            patch.object(change_stream, "_next_time", side_effect=Unavailable()),
            patch.object(Feed, "_tell", side_effect=ServerError("the stream is lost")),
            self.assertLogs(LOGGER, "ERROR"),
        ):
            await self.memo("one")
            self.assertEqual(await self.ended(client), 1013)

    @gen_test(timeout=60)
    async def test_a_client_that_leaves_at_once(self) -> None:
        client = await self.connect_live()
        client.protocol.stream.close()  # type: ignore[union-attr]
        await until(lambda: not self._app.unending)
        await until(lambda: self.feed._running is None)

    @gen_test(timeout=60)
    async def test_mongodb_is_away_at_the_handshake(self) -> None:
        with (
            patch.object(accounts.SESSIONS, "find_by_id", side_effect=Unavailable),
            self.assertRaises(HTTPClientError) as raised,
        ):
            await self.connect_live()
        self.assertEqual(raised.exception.code, 503)

    def test_what_a_client_has_already_is_not_told(self) -> None:
        client = Mock()
        early = Subscription(self.feed, SimpleNamespace(user_id=self.ada), client)
        early.resync()
        client.write_event.assert_not_called()
        self.assertTrue(early._lost)  # so a replay tells what came meanwhile
        early._begun, early.position = True, "82"
        for position in ("81", "82"):
            early.give(Event(position, "", b""))
        client.write_event.assert_not_called()
        early.give(Event("83", "", b""))
        client.write_event.assert_called_once()


class ServersTest(LiveTest):
    """Two servers with one database; the second one comes later."""

    def setUp(self) -> None:
        super().setUp()
        self.second = self.make_app(self.config)
        sockets, self.port = bind_unused_port()
        self.second_server: Any = make_server(self.second, self.config)
        self.second_server.add_sockets([sockets])

    async def close(self) -> None:
        await super().close()
        await until(lambda: not self.second.unending)
        self.second_server.stop()
        await self.second_server.close_all_connections()

    @gen_test(timeout=60)
    async def test_a_client_changes_its_server(self) -> None:
        client = await self.ready()
        await self.memo("one")
        last = (await self.next(client))["event_id"]
        self._app.drain()
        self.assertEqual(await self.ended(client), 1001)
        await self.memo("two")
        again = await self.connect_live(last_id=last, port=self.port)
        self.assertEqual(self.told(await self.next(again))[2], "two")
        self.assertTrue((await self.next(again))["ready"])
        await self.memo("three")
        self.assertEqual(self.told(await self.next(again))[2], "three")

    @gen_test(timeout=60)
    async def test_logged_out_at_the_other_server(self) -> None:
        client = await self.ready()
        answer = await self.http_client.fetch(
            f"http://127.0.0.1:{self.port}/auth/logout",
            method="POST",
            body="{}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        self.assertEqual(answer.code, 200)
        self.assertEqual(await self.ended(client), 1008)
