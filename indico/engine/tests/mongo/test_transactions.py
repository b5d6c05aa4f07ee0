"""Transactions, on both drivers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar

from tornado.httpclient import AsyncHTTPClient
from tornado.testing import gen_test

from ...error import Conflict, DeadlineExceeded, ServerError, Unavailable
from ...log import LOGGER
from ...mongo.collection import Collection, Document
from ...mongo.connection import connect, disconnect
from ...mongo.driver import Driver, mongodb
from ...mongo.mongod_binary import find_binary
from ...mongo.mongod_process import Launcher, free_port
from ...mongo.operation import DEADLINE, Deadline
from ...mongo.paging import find_page
from ...mongo.transactions import (
    current_session,
    in_transaction,
    outside_transaction,
    transaction,
)
from ...tasks import _running
from ..environment import LANE
from .fail_point_test import FailPointTest
from .test_db import DRIVERS
from .test_embedded import EmbeddedTest

PYMONGO: dict[str, Any] = {"mongodb_driver": "pymongo"}
CONFLICT = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}


class TransactionTest(FailPointTest):
    @transaction
    async def insert_two(self, last: Any) -> str:
        await self.things.insert({"_id": "a", "key": "a"})
        await self.things.insert({"key": "b", **last})
        return "done"

    async def rename(self) -> None:
        await self.things.update_by_id(0, {"key": "b"})

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(asyncio.get_running_loop().time() + seconds)

    async def refused(self, call: Awaitable[Any], words: str) -> None:
        with self.assertRaisesRegex(ServerError, words):
            await call


class KeptTest(TransactionTest):
    varies_with = (LANE,)

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
        async def work() -> None:
            await self.things.insert({"_id": "a", "key": "a"})
            raise KeyError

        with self.assertRaises(KeyError):
            await in_transaction(work)
        self.assertEqual(await self.stored.count_documents({}), 10)

    @gen_test
    async def test_every_kind_of_update_takes_part(self) -> None:
        things = self.things
        before = await self.stored.find().to_list(None)

        @transaction
        async def work() -> None:
            await things.update_by_id(1, inc={"n": 2}, push={"tags": "x"})
            self.assertEqual(await things.update({"n": 2}, add_to_set={"tags": "y"}), 1)
            made = await things.upsert({"_id": "a"}, {"key": "a"}, set_on_insert={"n": 2})
            changed = {"_id": 1, "key": 1, "n": 2, "tags": ["x", "y"]}
            self.assertEqual(await things.find({"n": 2}), [changed, made])
            self.assertEqual(await self.stored.find().to_list(None), before)
            raise KeyError

        with self.assertRaises(KeyError):
            await work()
        self.assertEqual(await self.stored.find().to_list(None), before)

    @gen_test
    async def test_every_operation_takes_part(self) -> None:
        """Each one reads what was written before, and others read nothing of it."""
        things, outside = self.things, self.stored.find_one
        before = await self.stored.find().to_list(None)

        @transaction
        async def work() -> None:
            await things.insert({"_id": "a", "key": "a"})
            self.assertEqual(await things.find_by_id("a"), {"_id": "a", "key": "a"})
            self.assertEqual(await things.update_by_id("a", {"n": 1}), await things.find_by_id("a"))
            self.assertEqual(await things.find_one({"key": "a"}), {"_id": "a", "key": "a", "n": 1})
            updated = await things.update_one({"n": 1}, {"key": "b"})
            self.assertEqual([updated], await things.find({"n": 1}))
            self.assertEqual([updated], await things.find({"n": 1}, limit=1))
            part = await things.find_part({"n": 1}, sort=[("n", 1)], limit=9, max_bytes=999)
            self.assertEqual(part.documents, [updated])
            self.assertEqual(await find_page(things, {"n": 1}, limit=1), ([updated], None))
            self.assertEqual(await things.find_ids({"n": 1}, 9), ["a"])
            self.assertEqual(await things.aggregate([{"$match": {"n": 1}}]), [updated])
            self.assertEqual(await things.distinct("key", {"n": 1}), ["b"])
            self.assertEqual(await things.count({"n": 1}), 1)
            self.assertTrue(await things.exists({"n": 1}))
            self.assertTrue(await things.delete_by_id(0))
            self.assertEqual(await things.delete({"key": {"$type": "int"}}), 9)
            self.assertEqual(await things.find({}), [updated])
            session = current_session()
            self.assertEqual(await mongodb.things.count_documents({}, session=session), 1)
            self.assertEqual(await self.stored.find().to_list(None), before)

        self.assertIsNone(current_session())
        await work()
        self.assertIsNone(current_session())
        self.assertEqual(await outside(), {"_id": "a", "key": "b", "n": 1})

    @gen_test
    async def test_at_the_same_time(self) -> None:
        """A session runs one operation at a time."""

        @transaction
        async def work() -> Any:
            writes = [self.things.insert({"_id": f"a{n}", "key": f"a{n}"}) for n in range(20)]
            reads = [self.things.find_by_id(n % 10) for n in range(20)]
            return await asyncio.gather(*writes, *reads)

        made = await work()
        self.assertEqual(made[20:], [{"_id": n % 10, "key": n % 10} for n in range(20)])
        self.assertEqual(await self.stored.count_documents({}), 30)

    @gen_test
    async def test_several_transactions_at_once(self) -> None:
        """Each has its own session, and none loses the change of another one."""

        @transaction
        async def count() -> None:
            thing = await self.things.find_by_id(0)
            assert thing
            await self.things.update_by_id(0, {"n": thing.get("n", 0) + 1})

        await asyncio.gather(*(count() for _ in range(10)))
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": 0, "n": 10})

    @gen_test
    async def test_its_caller_is_cancelled(self) -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await self.rename()
            began.set()
            await ended.wait()

        caller = asyncio.ensure_future(in_transaction(work))
        await began.wait()
        caller.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await caller
        ended.set()
        while await self.stored.find_one({"_id": 0, "key": "b"}) is None:
            await asyncio.sleep(0.001)

    @gen_test
    async def test_it_fails_after_its_caller_was_cancelled(self) -> None:
        """Only an error that is no answer to a client is a fault, which the log shows."""
        for error, lines in ((KeyError("a fault"), 1), (Conflict(), 0)):
            began, ended = asyncio.Event(), asyncio.Event()

            async def work() -> None:
                began.set()  # noqa: B023
                await ended.wait()  # noqa: B023
                raise error  # noqa: B023

            before = {*_running}
            caller = asyncio.ensure_future(in_transaction(work))
            await began.wait()
            (abandoned,) = _running - before
            caller.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await caller
            ended.set()
            with self.assertLogs(LOGGER, "ERROR") as logged:
                await asyncio.wait([abandoned])
                await asyncio.sleep(0)
                LOGGER.error("the end")
            self.assertEqual(len(logged.output), lines + 1, logged.output)


class NestedTest(TransactionTest):
    @gen_test
    async def test_valid(self) -> None:
        @transaction
        async def outer() -> str:
            await self.things.delete_by_id(0)
            return await self.insert_two({"_id": "b"})

        self.assertEqual(await outer(), "done")
        self.assertEqual(await self.stored.count_documents({}), 11)

    @gen_test
    async def test_an_error_after_the_inner_one(self) -> None:
        @transaction
        async def outer() -> None:
            await self.insert_two({"_id": "b"})
            raise KeyError

        with self.assertRaises(KeyError):
            await outer()
        self.assertEqual(await self.stored.count_documents({}), 10)

    @gen_test
    async def test_an_error_that_is_caught(self) -> None:
        """An error is to undo the inner one, and MongoDB can only undo the whole."""

        @transaction
        async def wrong() -> None:
            await self.rename()
            raise KeyError

        async def duplicate() -> None:
            await self.things.insert({"_id": 1})

        async def catch(inner: Callable[[], Awaitable[None]], then: Awaitable[Any]) -> None:
            with suppress(KeyError, Conflict):
                await inner()
            await then

        words = "catch the error outside"
        for inner in (wrong, duplicate):
            for then in (asyncio.sleep(0), self.things.find_by_id(1)):
                await self.refused(in_transaction(lambda: catch(inner, then)), words)  # noqa: B023
                with suppress(RuntimeError):
                    await then
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": 0})


class AgainTest(TransactionTest):
    varies_with = (LANE,)

    @gen_test
    async def test_another_change_comes_between(self) -> None:
        seen = []

        async def work(session: bool) -> None:
            thing = await self.things.find_by_id(1)
            assert thing
            seen.append(thing.get("n", 0))
            if seen in ([0], [0, 5, 5]):
                await self.stored.update_one({"_id": 1}, {"$inc": {"n": 5}})
            if session:
                change = {"$inc": {"n": 1}}
                await mongodb.things.update_one({"_id": 1}, change, session=current_session())
            else:
                await self.things.update_by_id(1, {"n": seen[-1]})

        await in_transaction(lambda: work(session=False))
        self.assertEqual(seen, [0, 5])
        await in_transaction(lambda: work(session=True))
        self.assertEqual(seen, [0, 5, 5, 10])
        self.assertEqual(await self.stored.find_one({"_id": 1}), {"_id": 1, "key": 1, "n": 11})

    @gen_test
    async def test_an_error_that_is_caught(self) -> None:
        """MongoDB's error decides, and not what the work makes of it."""
        seen = []

        async def work() -> None:
            seen.append(await self.things.find_by_id(1))
            if len(seen) == 1:
                await self.stored.update_one({"_id": 1}, {"$inc": {"n": 5}})
            try:
                await self.things.update_by_id(1, {"key": "b"})
            except Unavailable as error:
                raise KeyError from error

        await in_transaction(work)
        self.assertEqual(len(seen), 2)

    @gen_test
    async def test_the_commit_conflicts(self) -> None:
        async with self.failing("commitTransaction", mode={"times": 1}, **CONFLICT):
            self.assertEqual(await self.insert_two({"_id": "b"}), "done")
        self.assertEqual(await self.stored.count_documents({}), 12)

    @gen_test
    async def test_until_the_deadline(self) -> None:
        token = DEADLINE.set(self.deadline(0.3))
        async with self.failing("commitTransaction", **CONFLICT):
            with self.assertRaises((Unavailable, DeadlineExceeded)):
                await in_transaction(self.rename)
        DEADLINE.reset(token)
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": 0})
        await self.recover()

    @gen_test
    async def test_not_after_another_error(self) -> None:
        ran = []

        async def work() -> None:
            ran.append(1)
            raise Unavailable

        with self.assertRaises(Unavailable):
            await in_transaction(work)
        self.assertEqual(len(ran), 1)

    @gen_test
    async def test_not_after_an_error_of_mongodb_itself(self) -> None:
        async def work() -> None:
            await mongodb.things.update_one({}, {"$no": 1}, session=current_session())

        await self.refused(in_transaction(work), "no")


class EndTest(TransactionTest):
    varies_with = (LANE,)

    @gen_test
    async def test_the_deadline(self) -> None:
        """Nothing is kept, and no document stays locked, though the work waits on."""

        async def work() -> None:
            await self.rename()
            deadline.at = float("inf")  # as at the end of a request
            await asyncio.Event().wait()

        deadline = self.deadline(0.3)
        token = DEADLINE.set(deadline)
        with self.assertRaises(DeadlineExceeded):
            await in_transaction(work)
        DEADLINE.reset(token)
        self.assertEqual(await self.things.update_by_id(0, {"n": 1}), {"_id": 0, "key": 0, "n": 1})

    @gen_test
    async def test_mongodb_ends_it_after_a_minute(self) -> None:
        """An operation that is under way then fails otherwise than the next one would."""
        async with self.failing("findAndModify", errorCode=290):
            with self.assertRaises(DeadlineExceeded):
                await in_transaction(self.rename)

    @gen_test(timeout=60)
    async def test_the_result_of_the_commit_is_unknown(self) -> None:
        async with self.failing("commitTransaction", errorCode=50):
            with self.assertRaises(Unavailable):
                await in_transaction(self.rename)
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": 0})
        # An update of that document fails if a transaction still locks it.
        await self.recover()

    @gen_test
    async def test_a_task_that_outlives_it(self) -> None:
        ended = asyncio.Event()

        async def later() -> None:
            await ended.wait()
            for call in (self.things.find_by_id(0), self.insert_two({}), self.things.aggregate([])):
                await self.refused(call, "in which this task was started has ended")

        async def work() -> None:
            await self.rename()
            tasks.append(asyncio.ensure_future(later()))

        tasks: list[asyncio.Future[None]] = []
        await in_transaction(work)
        ended.set()
        await tasks[0]
        self.assertEqual(await self.stored.find_one(0), {"_id": 0, "key": "b"})


class NotUndoneTest(TransactionTest):
    """The refusal of work that can't be undone."""

    @gen_test
    async def test_a_mail(self) -> None:
        async def send() -> None:
            outside_transaction("send a mail")

        await send()
        await self.refused(in_transaction(send), "Can't send a mail in a transaction.*end first")

    @gen_test
    async def test_an_http_request(self) -> None:
        async def fetch() -> int:
            return (await AsyncHTTPClient().fetch(self.get_url("/healthz"))).code

        self.assertEqual(await fetch(), 200)
        await self.refused(in_transaction(fetch), "Can't make an HTTP request in a transaction")

    @gen_test
    async def test_a_client_of_the_apps_own_choice(self) -> None:
        class Other(AsyncHTTPClient.configured_class()):  # type: ignore[misc]
            pass

        chosen = AsyncHTTPClient.configured_class()
        self.addCleanup(AsyncHTTPClient.configure, chosen)
        AsyncHTTPClient.configure(Other)
        self.make_app(self.config)
        self.assertIs(AsyncHTTPClient.configured_class(), Other)


class StandaloneTest(EmbeddedTest):
    """A MongoDB without a replica set."""

    def test_each_driver(self) -> None:
        port, data = free_port(), self.folder / "mongodb"
        data.mkdir()
        deadline = time.monotonic() + 30
        with Launcher(data, self.folder / "log").launched(find_binary(None), port, deadline):
            for driver in DRIVERS:
                with self.subTest(driver=driver), self.assertLogs(LOGGER, "WARNING") as logged:
                    asyncio.run(self.told(f"mongodb://127.0.0.1:{port}", driver))
                    self.assertRegex("".join(logged.output), "transactions need a replica set")

    async def told(self, uri: str, driver: Driver) -> None:
        things = Collection("things", Document)
        Collection.declared.remove(things)
        await connect(uri, "test_alone", driver)
        try:
            await things.insert({})
            with self.assertRaisesRegex(ServerError, "need a replica set: start mongod with"):
                await in_transaction(lambda: things.insert({}))
            self.assertEqual(len(await things.find({})), 1)
            with self.assertRaisesRegex(ServerError, "can't be watched"):
                await anext(things.watch())
            await things.delete({})
        finally:
            await disconnect()


class KeptOnPyMongoTest(KeptTest):
    covers = False
    settings: ClassVar[dict[str, Any]] = {**TransactionTest.settings, **PYMONGO}


class AgainOnPyMongoTest(AgainTest):
    settings: ClassVar[dict[str, Any]] = {**TransactionTest.settings, **PYMONGO}


class EndOnPyMongoTest(EndTest):
    settings: ClassVar[dict[str, Any]] = {**TransactionTest.settings, **PYMONGO}
