from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar
from unittest.mock import AsyncMock

import bson
from bson.errors import InvalidDocument
from pymongo import IndexModel
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteError,
    WTimeoutError,
)
from tornado.testing import gen_test

from ...error import APIError, Conflict, DeadlineExceeded, Duplicate, ServerError, Unavailable
from ...mongo.clock import now
from ...mongo.collection import Collection, Document
from ...mongo.driver import ObjectId, mongodb
from ...mongo.indexes import make_indexes
from ...mongo.operation import DEADLINE, Deadline, guard
from ..environment import DRIVER
from ..server_test import ServerTest


class CollectionTest(ServerTest):
    varies_with = (DRIVER,)

    def setUp(self) -> None:
        super().setUp()
        self.things = Collection("things", Document, IndexModel("key", unique=True))
        Collection.declared.remove(self.things)
        self.run_async(make_indexes(self.things, mongodb))

    @gen_test
    async def test_life_of_a_document(self) -> None:
        things = self.things
        thing = await things.insert({"key": 1, "a": 1})
        self.assertIsInstance(thing, ObjectId)
        self.assertEqual(await things.find_by_id(thing), {"_id": thing, "key": 1, "a": 1})
        self.assertEqual(await things.find_one({"key": 1}), await things.find_by_id(thing))
        updated = await things.update_by_id(thing, {"a": 2})
        self.assertEqual(updated, {"_id": thing, "key": 1, "a": 2})
        self.assertEqual(await things.find_by_id(thing), updated)
        self.assertTrue(await things.delete_by_id(thing))
        self.assertFalse(await things.delete_by_id(thing))
        self.assertIsNone(await things.find_by_id(thing))
        self.assertIsNone(await things.update_by_id(thing, {"a": 3}))

    @gen_test
    async def test_without_indexes(self) -> None:
        bare = Collection("bare", Document)
        Collection.declared.remove(bare)
        await make_indexes(bare, mongodb)
        self.assertNotIn("bare", await mongodb.list_collection_names())

    @gen_test
    async def test_many(self) -> None:
        for key in (3, 1, 2):
            await self.things.insert({"_id": key, "key": key})
        found = await self.things.find({}, sort=[("key", 1)])
        self.assertEqual([thing["key"] for thing in found], [1, 2, 3])
        self.assertEqual(
            await self.things.find({"key": {"$lt": 3}}, limit=1, sort=[("key", -1)]),
            [{"_id": 2, "key": 2}],
        )
        self.assertEqual(len(await self.things.find({})), 3)
        self.assertEqual(await self.things.delete({"key": {"$gt": 1}}), 2)

    @gen_test
    async def test_part(self) -> None:
        """A document of more than `max_bytes` is a part by itself."""
        for key, size in enumerate([1_500_000, 1_500_000, 3_000_000, 10, 10]):
            await self.things.insert({"_id": key, "key": key, "text": "x" * size})
        parts: list[list[int]] = [[]]
        cut = []
        while len(parts[-1]) or len(parts) == 1:
            query = {"key": {"$nin": [key for part in parts for key in part]}}
            sort, limit = [("key", 1)], 2
            part = await self.things.find_part(query, sort=sort, limit=limit, max_bytes=2_000_000)
            size = sum(len(bson.encode(thing)) for thing in part.documents)
            self.assertEqual(part.size, size)
            parts.append([thing["_id"] for thing in part.documents])
            cut.append(part.cut)
        self.assertEqual(parts, [[], [0], [1], [2], [3, 4], []])
        self.assertEqual(cut, [True, True, True, False, False])

    @gen_test
    async def test_ids(self) -> None:
        for key in range(3):
            await self.things.insert({"_id": key, "key": key})
        self.assertEqual(await self.things.find_ids({"key": {"$gt": 0}}, 5), [1, 2])
        self.assertEqual(len(await self.things.find_ids({}, 2)), 2)

    @gen_test
    async def test_a_time_is_read_as_it_was_written(self) -> None:
        time = now()
        await self.things.insert({"_id": 1, "time": time})
        self.assertEqual(await self.things.find_by_id(1), {"_id": 1, "time": time})

    @gen_test
    async def test_a_document_is_answered_as_it_is_read(self) -> None:
        """A time is cut to milliseconds in UTC, by an insert and by an update."""
        elsewhere = timezone(timedelta(hours=2))
        times = [datetime(2026, 1, 2, 3, 4, 5, 678999, elsewhere), datetime(2026, 1, 2)]
        document: Document = {"key": 1, "times": times}
        thing = await self.things.insert(document)
        self.assertEqual(document, await self.things.find_by_id(thing))
        text = [moment.isoformat() for moment in document["times"]]
        self.assertEqual(text, ["2026-01-02T01:04:05.678000+00:00", "2026-01-02T00:00:00+00:00"])
        updated = await self.things.update_by_id(thing, {"times": times})
        self.assertEqual(updated, document)
        self.assertEqual(await self.things.update_one({"key": 1}, {"times": times}), document)

    @gen_test
    async def test_decimals_and_days(self) -> None:
        for key, day in enumerate([date(2026, 1, 31), date(987, 2, 1), date(2026, 2, 1)]):
            await self.things.insert({"_id": key, "key": key, "day": day, "price": Decimal("2.50")})
        found = await self.things.find({"day": {"$gt": date(2026, 1, 1)}}, sort=[("day", -1)])
        self.assertEqual([thing["day"] for thing in found], ["2026-02-01", "2026-01-31"])
        cheap = await self.things.find({"price": {"$lt": Decimal("2.51")}})
        self.assertEqual([str(thing["price"]) for thing in cheap], ["2.50"] * 3)
        self.assertEqual(len(await self.things.find({"price": {"$type": "decimal"}})), 3)
        changed = await self.things.update_by_id(0, {"day": date(2025, 1, 1), "price": Decimal(3)})
        self.assertEqual(changed, {"_id": 0, "key": 0, "day": "2025-01-01", "price": Decimal(3)})

    @gen_test
    async def test_values_that_mongodb_cannot_hold(self) -> None:
        wrong: list[tuple[Any, str]] = [
            ({1}, "the set in a"),
            ([0, {"b": [object()]}], "the object in a.1.b.0"),
            (time(1), "the time in a"),
            (1 << 64, "the int in a"),
            ("\ud800", "the str in a"),
            (Decimal("0." + 40 * "1"), "the Decimal in a"),
            ({"b": {1: 1}}, "a key in a.b"),
        ]
        for value, what in wrong:
            calls: list[Coroutine[Any, Any, Any]] = [
                self.things.insert({"a": value}),
                self.things.update_by_id(1, {"a": value}),
                self.things.update_one({"_id": 1}, {"a": value}),
                self.things.find_one({"a": value}),
                self.things.find({"a": value}),
                self.things.delete({"a": value}),
            ]
            for call in calls:
                with self.subTest(value=value, call=call), self.assertRaises(ServerError) as raised:
                    await call
                self.assertEqual(raised.exception.message, f"MongoDB can't hold {what}.")

    @gen_test
    async def test_a_wrong_value_does_not_reach_the_log(self) -> None:
        for document in ({"password": "secret", "a": {1}}, {"a": {"secret"}}, {"secret\0": 1}):
            with self.assertRaises(ServerError) as raised:
                await self.things.insert(document)
            text = "".join(traceback.format_exception(raised.exception))
            self.assertNotIn("secret", text)

    @gen_test
    async def test_conflict(self) -> None:
        await self.things.insert({"key": 1})
        other = await self.things.insert({"key": 2})
        with self.assertRaises(Conflict):
            await self.things.insert({"key": 1})
        with self.assertRaises(Conflict):
            await self.things.update_by_id(other, {"key": 1})

    @gen_test
    async def test_refused_by_mongodb(self) -> None:
        with self.assertRaises(ServerError) as raised:
            await self.things.find({"$nosuch": 1})
        self.assertIn("nosuch", str(raised.exception))

    @gen_test
    async def test_writes_are_majority_and_journalled(self) -> None:
        concern = mongodb["things"].write_concern.document
        self.assertEqual(concern, {"w": "majority", "j": True})


class WithoutLanesTest(CollectionTest):
    settings: ClassVar[dict[str, Any]] = {"mongodb_lane": False}


class GuardTest(ServerTest):
    """The error of the API for each error of the driver."""

    def raised(self, error: BaseException) -> APIError:
        async def operation() -> None:
            raise error

        with self.assertRaises(APIError) as raised:
            self.run_async(guard(operation))
        cause = error if isinstance(raised.exception, Unavailable) else None
        self.assertIs(raised.exception.__cause__, cause)
        return raised.exception

    def test_errors(self) -> None:
        retryable = OperationFailure("stepping down", 91)
        retryable._add_error_label("RetryableWriteError")
        errors: list[tuple[Exception, type[APIError]]] = [
            (DuplicateKeyError("E11000"), Duplicate),
            (AutoReconnect("gone"), Unavailable),
            (NetworkTimeout("slow"), Unavailable),
            (NotPrimaryError("secondary"), Unavailable),
            (ServerSelectionTimeoutError("no server"), Unavailable),
            (WaitQueueTimeoutError("pool"), Unavailable),
            (ExecutionTimeout("maxTimeMS"), Unavailable),
            (WTimeoutError("majority"), Unavailable),
            (TimeoutError(), Unavailable),
            (retryable, Unavailable),
            (OperationFailure("not authorized", 13), ServerError),
            (WriteError("document failed validation", 121), ServerError),
            (PyMongoError("whatever"), ServerError),
            (InvalidDocument("Invalid document: {'password_hash': ...}"), ServerError),
        ]
        for error, expected in errors:
            with self.subTest(error=error):
                self.assertIs(type(self.raised(error)), expected)

    def test_documents_do_not_reach_the_log(self) -> None:
        details = {"codeName": "DocumentValidationFailure", "errInfo": {"value": "$argon2id$"}}
        errors = [
            WriteError("Document failed validation, full error: $argon2id$", 121, details),
            InvalidDocument("Invalid document: {'password_hash': '$argon2id$'}"),
        ]
        for error in errors:
            text = "".join(traceback.format_exception(self.raised(error)))
            self.assertNotIn("argon2id", text.split("raise api_error from")[-1])

    @gen_test
    async def test_an_operation_that_hangs(self) -> None:
        mongodb.timeout_seconds = 0.05
        with self.assertRaises(Unavailable):
            await guard(lambda: asyncio.sleep(60))

    @gen_test
    async def test_other_errors_are_left_alone(self) -> None:
        async def fault() -> Any:
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            await guard(fault)

    @gen_test
    async def test_the_deadline_of_the_request(self) -> None:
        """MongoDB is not to blame: the call had less time than an operation may take."""
        soon = Deadline(asyncio.get_running_loop().time() + 0.001)
        for error in (TimeoutError(), ServerSelectionTimeoutError("no time is left")):
            failing = AsyncMock(side_effect=error)
            token = DEADLINE.set(soon)
            with self.assertRaises(DeadlineExceeded):
                await guard(failing)
            DEADLINE.reset(token)
        token = DEADLINE.set(soon)
        with self.assertRaises(Conflict):
            await guard(AsyncMock(side_effect=DuplicateKeyError("E11000")))
        DEADLINE.reset(token)
