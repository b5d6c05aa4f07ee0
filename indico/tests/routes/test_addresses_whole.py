"""`GET /addresses` of a large book."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any
from unittest.mock import patch

import psutil
from tornado.testing import gen_test

import indico.db.address_db as AddressDB
from indico import db
from indico.engine.error import Unavailable
from indico.tests.routes.test_addresses import AddressesTest


class LargeBookTest(AddressesTest):
    """A large book, which `GET /addresses` sends while it reads."""

    shares_database = False  # a database is dropped sooner than thousands of documents are deleted

    async def fill(self, count: int) -> None:
        """Fill the book inside MongoDB, so that the memory of this process stays as it is."""
        await db.mongodb.seed.insert_one({"n": list(range(5000))})
        entry = {"n": "$n", "x": "x" * 500}
        address = {"book": "public", "entry": entry, "name_key": "", "version": "$n"}
        steps: list[Any] = [{"$unwind": "$n"}, {"$unset": "_id"}, {"$project": address}]
        for _ in range(count // 5000):
            await db.mongodb.aggregate("seed", [*steps, {"$merge": "addresses"}])

    async def ask(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(b"GET /addresses HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        return reader, writer


class WholeBookTest(LargeBookTest):
    seconds = 5

    @gen_test(timeout=120)
    async def test_memory_does_not_grow_with_it(self) -> None:
        await self.fill(25_000)
        reader, writer = await self.ask()
        self.assertIn(b"chunked", await reader.readuntil(b"\r\n\r\n"))
        unpacked, entries, first = zlib.decompressobj(wbits=31), 0, 0
        while length := int(await reader.readline(), 16):
            entries += unpacked.decompress(await reader.readexactly(length)).count(b'"n":')
            await reader.readexactly(2)
            if entries > 5000:
                now = psutil.Process().memory_info().rss
                first = first or now
                self.assertLess(now - first, 5_000_000)
        self.assertEqual(entries, 25_000)
        writer.close()

    @gen_test(timeout=60)
    async def test_database_away_in_the_middle(self) -> None:
        await self.fill(5000)
        find, calls = AddressDB.find, 0

        async def find_once(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 8:
                raise Unavailable
            return await find(*arguments, **options)

        with patch.object(AddressDB, "find", find_once):
            reader, writer = await self.ask()
            answer = await reader.read()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertFalse(answer.endswith(b"0\r\n\r\n"))
        self.assertEqual(await self._app.admission.drained(5), 0)
        writer.close()

    @gen_test(timeout=60)
    async def test_client_leaves_in_the_middle(self) -> None:
        await self.fill(5000)
        with self.assertNoLogs():
            for _ in range(3):
                reader, writer = await self.ask()
                await reader.readuntil(b"\r\n\r\n")
                writer.close()
            self.assertEqual(await self._app.admission.drained(5), 0)
            await asyncio.sleep(0.1)

    def test_database_away_from_the_start(self) -> None:
        with patch.object(AddressDB, "find", side_effect=Unavailable):
            self.refused(self.send("GET", "/addresses"), 503, "unavailable")


class SlowClientTest(LargeBookTest):
    settings = {"request_timeout_seconds": 1}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_client_that_reads_longer_than_a_request_may_take(self) -> None:
        """The timeout of a request ends when its answer begins."""
        await self.fill(25_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(b"GET /addresses HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(self.config.request_timeout_seconds)
        self.assertTrue((await reader.read()).endswith(b"0\r\n\r\n"))
        writer.close()
