from __future__ import annotations

import asyncio
import traceback
from typing import Any

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

from ...error import APIError, Conflict, ServerError, Unavailable
from ...mongo.clock import now
from ...mongo.collection import Collection
from ...mongo.driver import ObjectId, mongodb
from ...mongo.operation import guard
from ..server_test import ServerTest


class CollectionTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.things = Collection("things", IndexModel("key", unique=True))
        Collection.declared.remove(self.things)
        self.run_async(self.things.make_indexes())

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
        bare = Collection("bare")
        Collection.declared.remove(bare)
        await bare.make_indexes()
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
            (DuplicateKeyError("E11000"), Conflict),
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
