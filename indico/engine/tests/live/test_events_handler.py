"""`/events`: the same as server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import Unavailable
from ...live import subscription
from ...live.subscription import Subscription
from ...mongo import change_stream
from ..http.http_servers import until
from ..sample import accounts
from .live_test import LiveTest, Message


class Stream:
    """The answer to GET /events, which a client reads as it comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head: dict[str, str] = {}

    async def read_head(self) -> int:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        self.head = {name.lower(): value for name, _, value in pairs}
        return int(lines[0].split()[1])

    async def piece(self) -> bytes:
        """Return a chunk; the last one is empty."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def next(self) -> tuple[str, Message]:
        """Return the id and the data of the next event."""
        lines = (await self.piece()).decode().splitlines()
        fields = dict(line.split(": ", 1) for line in lines if line)
        return fields["id"], json.loads(fields["data"])


class StreamTest(LiveTest):
    async def events(
        self, token: str | None = None, path: str = "/events", **headers: str
    ) -> Stream:
        """Return the answer to a request with a token; its head is still to be read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        self.addCleanup(writer.transport.abort)
        lines = [f"GET {path} HTTP/1.1", "Host: a"]
        if "Cookie" not in headers:
            lines.append(f"Authorization: Bearer {token or self.token}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return Stream(reader, writer)

    async def opened(self, *args: str, **headers: str) -> Stream:
        """Return the answer, after the event that says that it gets each change from now on."""
        stream = await self.events(*args, **headers)
        self.assertEqual(await stream.read_head(), 200)
        _, ready = await stream.next()
        self.assertTrue(ready["ready"])
        return stream

    async def close(self) -> None:
        self._app.unending.leave()
        await super().close()


class EventsTest(StreamTest):
    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        stream = await self.opened()
        self.assertEqual(stream.head["content-type"], "text/event-stream")
        self.assertEqual(stream.head["x-accel-buffering"], "no")
        self.assertEqual(stream.head["cache-control"], "no-store")
        memo_id = await self.memo("one")
        await self.memo("Eve's", self.eve)
        event_id, message = await stream.next()
        self.assertEqual(self.told(message), ("insert", str(memo_id), "one"))
        self.assertEqual(message["event_id"], event_id)

    @gen_test(timeout=60)
    async def test_again_after_the_last_event(self) -> None:
        stream = await self.opened()
        await self.memo("one")
        last, _ = await stream.next()
        stream.writer.close()
        await until(lambda: not self._app.unending)
        await self.memo("two")
        for again in (
            await self.events(Last_Event_ID=last),
            await self.events(path=f"/events?last_event_id={last}"),
        ):
            self.assertEqual(await again.read_head(), 200)
            _, message = await again.next()
            self.assertEqual(self.told(message)[2], "two")

    @gen_test(timeout=60)
    async def test_by_cookie(self) -> None:
        cookie = await self.cookie()
        await self.opened(Cookie=cookie, Origin="http://a")
        foreign = await self.events(Cookie=cookie, Origin="http://evil.example")
        self.assertEqual(await foreign.read_head(), 403)

    @gen_test(timeout=60)
    async def test_anonymous(self) -> None:
        stream = await self.events("wrong")
        self.assertEqual(await stream.read_head(), 401)

    @gen_test(timeout=60)
    async def test_logged_out(self) -> None:
        stream = await self.opened()
        await accounts.logout(self.token)
        self.assertEqual(await stream.piece(), b"")
        self.assertEqual(stream.head["connection"], "close")

    @gen_test(timeout=60)
    async def test_drain(self) -> None:
        stream = await self.opened()
        self._app.drain()
        self.assertEqual(await stream.piece(), b"")
        await until(lambda: not self._app.admission.in_flight)
        late = await self.events()
        self.assertEqual(await late.read_head(), 503)

    @gen_test(timeout=60)
    async def test_no_changes_can_be_told(self) -> None:
        with patch.object(change_stream, "_next_time", side_effect=Unavailable()):
            stream = await self.events()
            self.assertEqual(await stream.read_head(), 503)
        self.assertEqual(stream.head["content-type"], "application/json")

    @gen_test(timeout=60)
    async def test_a_slow_reader(self) -> None:
        self.ask_narrowly(b"/events")
        await until(lambda: self._app.unending)
        with patch.object(subscription, "MAX_UNSENT_BYTES", 1000):
            while self._app.unending:
                await self.memo("x" * (1 << 20))
        await until(lambda: not self._app.admission.in_flight)


class CommentTest(StreamTest):
    settings: ClassVar[dict[str, Any]] = {"websocket_ping_interval_seconds": 0.01}

    @gen_test(timeout=60)
    async def test_no_comment_before_the_first_event(self) -> None:
        keep_open, join = Subscription.keep_open, self.feed.join
        asked: list[Subscription] = []

        def count(subscription: Subscription) -> None:
            keep_open(subscription)
            asked.append(subscription)

        async def join_late(client: Subscription) -> None:
            await until(lambda: len(asked) > 1)
            await join(client)

        with (
            patch.object(Subscription, "keep_open", count),
            patch.object(self.feed, "join", join_late),
        ):
            await self.opened()

    @gen_test(timeout=60)
    async def test_a_comment_now_and_then(self) -> None:
        stream = await self.opened()
        self.assertEqual(await stream.piece(), b":\n\n")
        self.assertEqual(await stream.piece(), b":\n\n")
