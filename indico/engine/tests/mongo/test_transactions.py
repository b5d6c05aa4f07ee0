"""Transactions, on both drivers."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tornado.testing import gen_test

from ...error import Conflict, ServerError, Unavailable
from ...mongo.driver import mongodb
from ...mongo.transactions import transaction
from .fail_point_test import FailPointTest

PYMONGO: dict[str, Any] = {"mongodb_driver": "pymongo"}
CONFLICT = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}


class TransactionTest(FailPointTest):
    async def insert_two(self, last: Any) -> Any:
        async def work(session: Any) -> str:
            await mongodb.things.insert_one({"_id": "a", "key": "a"}, session=session)
            await mongodb.things.insert_one({"key": "b", **last}, session=session)
            return "done"

        return await transaction(work)

    @gen_test
    async def test_valid(self) -> None:
        self.assertEqual(await self.insert_two({"_id": "b"}), "done")
        self.assertEqual(await self.stored.count_documents({}), 12)

    @gen_test
    async def test_all_or_none(self) -> None:
        with self.assertRaises(Conflict):
            await self.insert_two({"_id": "a"})
        with self.assertRaises(ServerError):
            await self.insert_two({"_id": ["b"]})
        self.assertEqual(await self.stored.count_documents({}), 10)

    @gen_test
    async def test_an_error_of_the_work(self) -> None:
        async def work(session: Any) -> None:
            await mongodb.things.insert_one({"_id": "a", "key": "a"}, session=session)
            raise KeyError

        with self.assertRaises(KeyError):
            await transaction(work)
        self.assertEqual(await self.stored.count_documents({}), 10)

    @gen_test
    async def test_the_work_runs_again_after_another_change(self) -> None:
        seen = []

        async def work(session: Any) -> None:
            thing = await mongodb.things.find_one({"_id": 1}, session=session)
            seen.append(thing.get("n"))
            if len(seen) == 1:
                await self.stored.update_one({"_id": 1}, {"$set": {"n": 5}})
            await mongodb.things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)

        await transaction(work)
        self.assertEqual(seen, [None, 5])
        self.assertEqual(await self.stored.find_one(1), {"_id": 1, "key": 1, "n": 6})

    @gen_test
    async def test_its_caller_is_cancelled(self) -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def rename(session: Any) -> None:
            await mongodb.things.update_one({"_id": 0}, {"$set": {"key": "b"}}, session=session)
            began.set()
            await ended.wait()

        caller = asyncio.ensure_future(transaction(rename))
        await began.wait()
        caller.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await caller
        ended.set()
        while await self.stored.find_one({"_id": 0, "key": "b"}) is None:
            await asyncio.sleep(0.001)

    @gen_test(timeout=60)
    async def test_the_result_of_the_commit_is_unknown(self) -> None:
        async def rename(session: Any) -> None:
            await mongodb.things.update_one({"_id": 0}, {"$set": {"key": "b"}}, session=session)

        async with self.failing("commitTransaction", errorCode=50):
            with self.assertRaises(Unavailable):
                await transaction(rename)
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": 0})
        # An update of that document fails if a transaction still locks it.
        await self.recover()

    @gen_test
    async def test_the_commit_conflicts(self) -> None:
        async with self.failing("commitTransaction", mode={"times": 1}, **CONFLICT):
            self.assertEqual(await self.insert_two({"_id": "b"}), "done")
        self.assertEqual(await self.stored.count_documents({}), 12)


class ConflictTest(FailPointTest):
    @gen_test
    async def test_each_commit_conflicts(self) -> None:
        async def rename(session: Any) -> None:
            await mongodb.things.update_one({"_id": 0}, {"$set": {"key": "b"}}, session=session)

        async with self.failing("commitTransaction", **CONFLICT):
            with self.assertRaises(Unavailable):
                await transaction(rename)
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": 0})
        await self.recover()


class UnavailableTest(FailPointTest):
    @gen_test
    async def test_its_work_fails(self) -> None:
        """The work does not run again."""
        ran = []

        async def work(session: Any) -> None:
            ran.append(session)
            raise Unavailable

        with self.assertRaises(Unavailable):
            await transaction(work)
        self.assertEqual(len(ran), 1)


class TransactionOnPyMongoTest(TransactionTest):
    settings: ClassVar[dict[str, Any]] = {**TransactionTest.settings, **PYMONGO}
