"""The changes of a collection, while connections break and clients are opened anew."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.testing import gen_test

from ...error import ServerError
from ...log import LOGGER
from ...mongo import change_stream
from ...mongo.change_stream import Change, ChangeStream
from ...mongo.collection import Document
from ...mongo.connection import disconnect
from ..async_test import AsyncTest
from ..environment import DRIVER
from .fail_point_test import FailPointTest
from .round_trip_test import ProxiedTest, eventually


class WatchTest(ProxiedTest):
    varies_with: ClassVar[tuple[str, ...]] = (DRIVER,)

    async def next(self, changes: ChangeStream[Document]) -> Change[Document]:
        async with asyncio.timeout(30):
            return await anext(changes)

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        await self.things.insert({"_id": 0, "key": 0})
        async with self.things.watch() as changes:
            await self.things.insert({"_id": 1, "key": 1})
            await self.things.update_by_id(1, {"n": 1})
            await self.stored.replace_one({"_id": 1}, {"key": 2})
            await self.things.delete_by_id(1)
            found = [await self.next(changes) for _ in range(4)]
        names = [(change.operation, change.id) for change in found]
        self.assertEqual(names, [(n, 1) for n in ("insert", "update", "replace", "delete")])
        self.assertEqual(found[0].document, {"_id": 1, "key": 1})
        self.assertIsNone(found[3].document)
        async for change in self.things.watch(after=found[1].position):
            self.assertEqual(change, found[2])
            break

    @gen_test(timeout=60)
    async def test_a_pipeline(self) -> None:
        async with self.things.watch({"$match": {"fullDocument.key": 2}}) as changes:
            await self.things.insert({"_id": 1, "key": 1})
            await self.things.insert({"_id": 2, "key": 2})
            self.assertEqual((await self.next(changes)).id, 2)
            with self.assertRaisesRegex(ServerError, "nosuch"):
                await self.next(self.things.watch({"$nosuch": 1}))

    @gen_test(timeout=60)
    async def test_a_connection_breaks(self) -> None:
        """Each change comes once, also one that is made while there is no connection."""
        async with self.things.watch() as changes:
            for n in range(3):
                self.proxy.cut()
                await self.stored.insert_one({"_id": n, "key": n})
                self.assertEqual((await self.next(changes)).id, n)
            waiting = asyncio.ensure_future(self.next(changes))
            await asyncio.sleep(0)
            self.proxy.cut()
            await self.stored.insert_one({"_id": 3, "key": 3})
            self.assertEqual((await waiting).id, 3)

    @gen_test(timeout=60)
    async def test_mongodb_is_away_and_opened_anew(self) -> None:
        """The supervision of an embedded MongoDB does so."""
        async with self.things.watch() as changes:
            await self.stored.insert_one({"_id": 0, "key": 0})
            self.assertEqual((await self.next(changes)).id, 0)
            waiting = asyncio.ensure_future(self.next(changes))
            with self.assertLogs(LOGGER, "WARNING") as logged:
                await disconnect()
                self.proxy.cut()
                await eventually(lambda: logged.output)
            self.assertIn("The changes of things wait for MongoDB", logged.output[0])
            await self.stored.insert_one({"_id": 1, "key": 1})
            await self.connect()
            self.assertEqual((await waiting).id, 1)

    @gen_test(timeout=60)
    async def test_a_caller_who_leaves_loses_no_change(self) -> None:
        async with self.things.watch() as changes:
            for n in range(3):
                waiting = asyncio.ensure_future(anext(changes))
                await asyncio.sleep(0)
                waiting.cancel()
                await self.stored.insert_one({"_id": n, "key": n})
            found = [(await self.next(changes)).id for _ in range(3)]
        self.assertEqual(found, [0, 1, 2])

    @gen_test(timeout=60)
    async def test_nothing_changes_for_a_while(self) -> None:
        with patch.object(change_stream, "_LONGEST_READ", 1):
            async with self.things.watch() as changes:
                waiting = asyncio.ensure_future(self.next(changes))
                for _ in range(2):  # each read tells a later position
                    start = changes._start
                    await eventually(lambda: changes._start is not start)  # noqa: B023
                await self.stored.insert_one({"_id": 0, "key": 0})
                self.assertEqual((await waiting).id, 0)

    @gen_test(timeout=60)
    async def test_left_before_it_reads(self) -> None:
        async with self.things.watch() as changes:
            self.assertIsNone(changes._stream)

    @gen_test(timeout=60)
    async def test_left_while_it_waits(self) -> None:
        async with self.things.watch() as changes:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        assert changes._reading
        self.assertTrue(changes._reading.cancelled())

    @gen_test(timeout=60)
    async def test_the_collection_is_dropped(self) -> None:
        async with await self.stored.watch() as events, self.things.watch() as changes:
            await self.things.insert({"_id": 1, "key": 1})
            self.assertEqual((await self.next(changes)).id, 1)
            await self.stored.drop()
            self.assertEqual([change async for change in changes], [])
            end = [event["_id"] async for event in events][-1]
        late = self.things.watch(after=end)
        self.assertEqual([change async for change in late], [])


class WatchByMotorTest(WatchTest):
    varies_with = ()
    settings: ClassVar[dict[str, Any]] = {"mongodb_lane": False, "mongodb_driver": "motor"}


class BeginTest(AsyncTest):
    async def test_a_caller_that_gives_up(self) -> None:
        """A task that still waits is an error in the log, once the stream is forgotten."""
        before = asyncio.all_tasks()
        async with ChangeStream[Document]("things", [], {"_data": "82"}) as changes:
            with patch.object(changes, "_read", asyncio.Event().wait):
                caller = asyncio.create_task(changes.begin())
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.wait([caller])
        self.assertEqual(asyncio.all_tasks(), before)


class KeysTest(FailPointTest):
    @gen_test(timeout=60)
    async def test_a_member_that_lacks_its_keys(self) -> None:
        """MongoDB refuses so for a moment after its start."""
        async with self.things.watch() as changes:
            await self.things.insert({"_id": "a", "key": "a"})
            with self.assertLogs(LOGGER, "WARNING") as logs:
                async with self.failing("aggregate", mode={"times": 2}, errorCode=211):
                    self.assertEqual((await anext(changes)).id, "a")
        self.assertIn("wait for MongoDB", logs.output[0])
