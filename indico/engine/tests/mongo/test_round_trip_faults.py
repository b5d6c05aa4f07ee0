"""Many operations on one collection while the network, or MongoDB, lets them down."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st
from tornado.testing import gen_test

from ...error import APIError, ServerError, Unavailable
from ...mongo.batches import Batches, deadline
from ...mongo.driver import APPLICATION_NAME, mongodb
from ...mongo.embedded import Embedded
from ...mongo.operation import GRACE_SECONDS
from ...mongo.transactions import transaction
from ..server_test import mongodb_uri
from .programs import Round, programs
from .round_trip_test import (
    ProxiedTest,
    RoundTripTest,
    property_settings,
    together,
)

READS = ["find_by_id", "find_one"]
WRITES = ["insert", "update_by_id", "delete_by_id"]
COMMANDS = ["find", "insert", "update", "delete", "findAndModify"]


class FaultTest(ProxiedTest):
    """`self.things` has ten documents."""

    settings: ClassVar[dict[str, Any]] = {"mongodb_timeout_seconds": 1}

    def setUp(self) -> None:
        super().setUp()
        self.marks = iter(range(1_000_000))
        self.run_async(self.stored.insert_many([{"_id": n, "key": n} for n in range(10)]))

    async def made(self, method: str, n: int) -> Any:
        """What a call answers, or its error, which must come in time: one timeout, not two."""
        mark = f"mark {next(self.marks)}"
        arguments: dict[str, tuple[Any, ...]] = {
            "find_by_id": (n,),
            "find_one": ({"key": n},),
            "insert": ({"_id": mark, "key": mark},),
            "update_by_id": (n, {"n": mark}),
            "delete_by_id": (mark,),
        }
        caller = asyncio.ensure_future(getattr(self.things, method)(*arguments[method]))
        patience = mongodb.timeout_seconds + GRACE_SECONDS + 1
        await asyncio.wait([caller], timeout=patience)
        self.assertTrue(caller.done(), f"{method} still waits after {patience} s")
        return (await together(caller))[0]

    async def all_made(self, methods: list[str]) -> list[Any]:
        """Ten of each at the same time; errors are nobody else's."""
        results = await asyncio.gather(
            *(self.made(method, n) for n in range(10) for method in methods)
        )
        errors = [result for result in results if isinstance(result, Exception)]
        self.assertEqual(len({id(error) for error in errors}), len(errors))
        return results

    async def all_fail(self, methods: list[str], error: type[APIError]) -> None:
        results = await self.all_made(methods)
        self.assertEqual({type(result) for result in results}, {error})

    async def recover(self) -> None:
        while isinstance(await self.made("find_by_id", 0), Unavailable):
            await asyncio.sleep(0.01)
        for result in await self.all_made(READS + WRITES):
            self.assertNotIsInstance(result, Exception)


class FrozenTest(FaultTest):
    settings: ClassVar[dict[str, Any]] = {"mongodb_timeout_seconds": 2}

    @gen_test(timeout=60)
    async def test_frozen(self) -> None:
        self.proxy.freeze()
        failing = []
        for _ in range(8):  # so that some wait for the others, however many batches may be sent
            failing.append(asyncio.create_task(self.all_fail(READS + WRITES, Unavailable)))
            await asyncio.sleep(0.02)
        await asyncio.gather(*failing)
        self.proxy.cut()
        self.proxy.thaw()
        await self.recover()


class CutTest(FaultTest):
    @gen_test(timeout=60)
    async def test_no_acknowledged_insert_is_lost(self) -> None:
        inserted: list[str] = []
        for cut in Random(0).choices(range(1, 21), k=6):
            self.proxy.cut_after = cut
            for result in await self.all_made(["insert"] * 4):
                if not isinstance(result, Unavailable):
                    inserted.append(result)
        self.proxy.cut_after = 0  # operations that share round trips may not have got there
        stored = {document["_id"] async for document in self.stored.find()}
        self.assertLessEqual(set(inserted), stored)
        self.assertLessEqual(len(stored), 250)
        await self.recover()

    @property_settings(8)
    @given(programs(with_many=False), st.integers(0, 9), st.integers(1, 12))
    def test_any_program_that_is_cut(self, program: list[Round], cut: int, messages: int) -> None:
        self.run_async(self.play(program, cut % len(program), messages))

    async def play(self, program: list[Round], cut: int, messages: int) -> None:
        await self.stored.delete_many({})
        async with self.referee() as referee:
            for number, callers in enumerate(program):
                self.proxy.cut_after = messages if number == cut else 0
                await referee.judge(callers, 10, faults=True)


class Testable(Embedded):
    """A MongoDB that fails on command."""

    def _popen(self, binary: Path, *options: str) -> subprocess.Popen[bytes]:
        return super()._popen(binary, *options, "--setParameter", "enableTestCommands=1")


class FailPointTest(FaultTest):
    def mongodb(self) -> str:
        return mongodb_uri(Testable)

    @asynccontextmanager
    async def failing(
        self, *commands: str, mode: Any = "alwaysOn", **how: Any
    ) -> AsyncIterator[None]:
        point: dict[str, Any] = {"configureFailPoint": "failCommand"}
        app = f"{APPLICATION_NAME} {os.getpid()}"
        data = {"failCommands": commands, "appName": app, **how}
        await self.outside.admin.command({**point, "mode": mode, "data": data})
        try:
            yield
        finally:
            await self.outside.admin.command({**point, "mode": "off"})

    @gen_test(timeout=60)
    async def test_refused(self) -> None:
        for code, error in ((13, ServerError), (50, Unavailable)):
            async with self.failing(*COMMANDS, errorCode=code):
                await self.all_fail(READS + WRITES, error)
            await self.recover()

    @gen_test(timeout=60)
    async def test_disconnected(self) -> None:
        async with self.failing(*COMMANDS, closeConnection=True):
            await self.all_fail(READS + WRITES, Unavailable)
        await self.recover()

    @gen_test(timeout=60)
    async def test_disconnected_once(self) -> None:
        """The drivers try again, unless many documents might be deleted."""
        async with self.failing(*COMMANDS, mode={"times": 1}, closeConnection=True):
            for result in await self.all_made(READS + WRITES):
                self.assertNotIsInstance(result, ServerError)
        await self.recover()

    @gen_test(timeout=60)
    async def test_a_slow_write_holds_up_no_read(self) -> None:
        block = {"blockConnection": True, "blockTimeMS": 500}
        async with self.failing("insert", "update", "delete", "findAndModify", **block):
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

    @gen_test(timeout=60)
    async def test_nobody_knows_whether_a_transaction_was_kept(self) -> None:
        async def rename(session: Any) -> None:
            things = mongodb[self.things.name]
            await things.update_one({"_id": 0}, {"$set": {"key": "new"}}, session=session)

        async with self.failing("commitTransaction", errorCode=50):
            (result,) = await together(transaction(rename))
        self.assertIsInstance(result, Unavailable)
        await self.recover()


class OneOfManyTest(RoundTripTest):
    """What is wrong with one document is not wrong with the others."""

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
    async def test_a_document_comes_between_an_update_and_its_reading(self) -> None:
        """The outside inserts what one of the updates has just not found, which answers None.

        Nobody can tell which one it was if the outside changes another document as well.
        """
        await self.stored.insert_many([{"_id": n, "key": n} for n in range(2)])
        await self.things.find_by_id(0)
        shared = mongodb.batched[self.things.name]
        find = shared.find

        async def late_find(field: str, key: Any, until: float | None = None) -> Any:
            await self.stored.update_one({"_id": 2}, {"$set": {"key": 2}}, upsert=True)
            if overwrites:
                await self.stored.update_one({"_id": 0}, {"$set": {"n": "another"}})
            return await find(field, key, until)

        shared.find = late_find
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
    async def test_a_fault_of_ours(self) -> None:
        async def send(requests: list[int]) -> list[Any]:
            raise ZeroDivisionError

        batches = Batches(send)
        results = await together(*(batches.call(n, 1, deadline()) for n in range(3)))
        self.assertEqual([type(result) for result in results], [ZeroDivisionError] * 3)
        self.assertEqual(len({id(result) for result in results}), 3)
