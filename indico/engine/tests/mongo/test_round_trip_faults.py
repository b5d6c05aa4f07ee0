"""Many concurrent operations on one collection while the network or MongoDB fails."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, ClassVar

from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st
from tornado.testing import gen_test

from ...error import ServerError, Unavailable
from ...mongo.batches import Batches, deadline
from ...mongo.driver import mongodb
from ..environment import DRIVER, EXAMPLES, LANE
from .fail_point_test import READS, WRITES, FailPointTest, FaultTest, timeout
from .programs import Round, programs
from .round_trip_test import RoundTripTest, property_settings, together

COMMANDS = ["find", "insert", "update", "delete", "findAndModify"]


class FrozenTest(FaultTest):
    @gen_test(timeout=60)
    async def test_frozen(self) -> None:
        self.proxy.freeze()
        failing = []
        with timeout(2):  # long enough to tell one timeout, with the time to notice it, from two
            for _ in range(8):  # more than may be in flight, so that some wait for others
                failing.append(asyncio.create_task(self.all_fail(READS + WRITES, Unavailable)))
                await asyncio.sleep(0.02)
            await asyncio.gather(*failing)
        self.proxy.cut()
        self.proxy.thaw()
        await self.recover()


class CutTest(FaultTest):
    varies_with = (DRIVER, LANE, EXAMPLES)

    @gen_test(timeout=60)
    async def test_no_acknowledged_insert_is_lost(self) -> None:
        inserted: list[str] = []
        for cut in Random(0).choices(range(1, 21), k=6):
            self.proxy.cut_after = cut
            for result in await self.all_made(["insert"] * 4):
                if not isinstance(result, Unavailable):
                    inserted.append(result)
        self.proxy.cut_after = 0  # batches may have sent fewer messages than that
        stored = {document["_id"] async for document in self.stored.find()}
        self.assertLessEqual(set(inserted), stored)
        self.assertLessEqual(len(stored), 250)
        await self.recover()

    @property_settings(4)
    @given(programs(with_many=False), st.integers(0, 9), st.integers(1, 12))
    def test_any_program_that_is_cut(self, program: list[Round], cut: int, messages: int) -> None:
        self.run_async(self.play(program, cut % len(program), messages))

    async def play(self, program: list[Round], cut: int, messages: int) -> None:
        await self.stored.delete_many({})
        async with self.referee() as referee:
            for number, callers in enumerate(program):
                self.proxy.cut_after = messages if number == cut else 0
                await referee.judge(callers, 10, faults=True)


class MongoDBFailsTest(FailPointTest):
    varies_with = (DRIVER,)

    @gen_test(timeout=60)
    async def test_refused(self) -> None:
        for code, error in ((13, ServerError), (50, Unavailable)):
            async with self.failing(*COMMANDS, errorCode=code):
                await self.all_fail(READS + WRITES, error)
            await self.recover()

    @gen_test(timeout=60)
    async def test_disconnected(self) -> None:
        async with self.failing(*COMMANDS, closeConnection=True):
            with timeout(1):  # the drivers retry until then
                await self.all_fail(READS + WRITES, Unavailable)
        await self.recover()

    @gen_test(timeout=60)
    async def test_disconnected_once(self) -> None:
        """The drivers retry, except an operation that may delete many documents."""
        async with self.failing(*COMMANDS, mode={"times": 1}, closeConnection=True):
            for result in await self.all_made(READS + WRITES):
                self.assertNotIsInstance(result, ServerError)
        await self.recover()

    @gen_test(timeout=60)
    async def test_made_but_not_confirmed(self) -> None:
        """The drivers send the write again, as they do when a primary steps down meanwhile."""
        late = {"code": 262, "codeName": "ExceededTimeLimit", "errmsg": "not confirmed"}
        for method in WRITES:
            async with self.failing(*COMMANDS, mode={"times": 1}, writeConcernError=late):
                self.assertNotIsInstance(await self.made(method, 0), Exception)
        await self.recover()

    @gen_test(timeout=60)
    async def test_a_slow_write_holds_up_no_read(self) -> None:
        block = {"blockConnection": True, "blockTimeMS": 2000}
        async with self.failing("insert", "update", "delete", "findAndModify", **block):
            await self.read_beside_writes()

    async def read_beside_writes(self) -> None:
        writing = asyncio.gather(*(self.made(method, 0) for method in WRITES))
        await asyncio.sleep(0.05)
        for method in READS:
            self.assertIsInstance(await self.made(method, 0), dict)
        self.assertFalse(writing.done())
        await writing

    @gen_test(timeout=60)
    async def test_not_on_a_majority_in_time(self) -> None:
        late = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication"}
        late["errInfo"] = {"wtimeout": True}
        async with self.failing(*COMMANDS, writeConcernError=late):
            for method in WRITES:
                await self.all_fail([method], Unavailable)
            await self.all_fail(WRITES, Unavailable)
            for result in await self.all_made(READS):
                self.assertIsInstance(result, dict)
        self.assertEqual(await self.stored.count_documents({}), 30)
        await self.recover()


class WithoutLanesTest(MongoDBFailsTest):
    settings: ClassVar[dict[str, Any]] = {**MongoDBFailsTest.settings, "mongodb_lane": False}


class OneOfManyTest(RoundTripTest):
    """A fault of one document does not affect the others of its batch."""

    @gen_test
    async def test_a_document_that_can_not_be_decoded(self) -> None:
        late = DatetimeMS(2**60)
        await self.stored.insert_many([{"_id": n, "key": n} for n in range(3)])
        await self.stored.update_one({"_id": 1}, {"$set": {"late": late}})
        results = await together(*(self.things.find_by_id(n) for n in range(4)))
        self.assertEqual(results[0::2], [{"_id": 0, "key": 0}, {"_id": 2, "key": 2}])
        self.assertIsInstance(results[1], ServerError)
        self.assertIsNone(results[3])

    @gen_test
    async def test_what_mongodb_takes_for_the_same(self) -> None:
        documents: list[dict[str, Any]] = [
            {"_id": 1, "key": ["a", "b"]},
            {"_id": 2, "key": 2.5},
            {"_id": 3.0, "key": 3},
        ]
        await self.stored.insert_many(documents)
        by_key = [self.things.find_one({"key": key}) for key in ("a", "b", "c", 3)]
        self.assertEqual(await together(*by_key), [documents[0], documents[0], None, documents[2]])
        by_id = [self.things.find_by_id(n) for n in range(5)]
        self.assertEqual(await together(*by_id), [None, *documents, None])
        updated = await together(*(self.things.update_by_id(n, {"n": n}) for n in range(1, 4)))
        self.assertEqual(updated, [{**document, "n": document["_id"]} for document in documents])

    @gen_test
    async def test_a_document_comes_between_an_update_and_its_read(self) -> None:
        """Another process inserts the document that an update did not find: it answers None.

        If that process changes another document as well, the answers are uncertain.
        """
        await self.stored.insert_many([{"_id": n, "key": n} for n in range(2)])
        await self.things.find_by_id(0)
        batched = mongodb.opened[self.things.name]
        find = batched.find

        async def late_find(field: str, key: Any, until: float | None = None) -> Any:
            await self.stored.update_one({"_id": 2}, {"$set": {"key": 2}}, upsert=True)
            if overwrites:
                await self.stored.update_one({"_id": 0}, {"$set": {"n": "another"}})
            return await find(field, key, until)

        batched.find = late_find
        for overwrites in (False, True):
            await self.stored.delete_one({"_id": 2})
            updates = (self.things.update_by_id(n, {"n": n}) for n in range(4))
            first, second, late, missing = await together(*updates)
            self.assertEqual((second["n"], missing), (1, None))
            if overwrites:
                self.assertEqual({type(first), type(late)}, {Unavailable})
            else:
                self.assertEqual((first["n"], late), (0, None))

    @gen_test
    async def test_a_fault_of_the_engine(self) -> None:
        async def send(requests: list[int]) -> list[Any]:
            raise ZeroDivisionError

        batches = Batches(send)
        results = await together(*(batches.call(n, 1, deadline()) for n in range(3)))
        self.assertEqual([type(result) for result in results], [ZeroDivisionError] * 3)
        self.assertEqual(len({id(result) for result in results}), 3)
