"""The updates of a collection by MongoDB's operators, with and without lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, NotRequired

from tornado.testing import gen_test
from typing_extensions import TypedDict

from ...error import Conflict, Duplicate, ServerError
from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.driver import mongodb
from ...mongo.indexes import make_indexes
from ..environment import DRIVER
from ..server_test import ServerTest


class ThingDocument(TypedDict):
    _id: int
    key: NotRequired[int | None]
    n: NotRequired[int]
    tags: NotRequired[list[str]]
    shelf: NotRequired[str]


PAIR = IndexModel([("shelf", 1), ("n", 1)], unique=True, partialFilterExpression={"n": {"$gt": 9}})


class UpdatesTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        unique = IndexModel("key", unique=True, sparse=True)
        self.things = Collection("things", ThingDocument, unique, PAIR)
        Collection.declared.remove(self.things)
        self.run_async(make_indexes(self.things, mongodb))
        self.run_async(self.things.insert({"_id": 1, "n": 1, "tags": ["a"]}))


class OperatorsTest(UpdatesTest):
    varies_with = (DRIVER,)

    @gen_test
    async def test_valid(self) -> None:
        things = self.things
        updated = await things.update_by_id(1, {"shelf": "x"}, inc={"n": 2}, push={"tags": "a"})
        expected = {"_id": 1, "n": 3, "tags": ["a", "a"], "shelf": "x"}
        self.assertEqual(updated, expected)
        updated = await things.update_one({"n": 3}, unset=["shelf"], add_to_set={"tags": "a"})
        self.assertEqual(updated, {"_id": 1, "n": 3, "tags": ["a", "a"]})
        updated = await things.update_by_id(1, add_to_set={"tags": "b"})
        self.assertEqual(updated, {"_id": 1, "n": 3, "tags": ["a", "a", "b"]})
        updated = await things.update_by_id(1, set={"key": 5}, pull={"tags": "a"})
        self.assertEqual(updated, {"_id": 1, "key": 5, "n": 3, "tags": ["b"]})
        self.assertEqual(await things.find_by_id(1), updated)

    @gen_test
    async def test_nothing_to_do_keeps_the_document(self) -> None:
        """MongoDB would replace the document by an update without operators."""
        thing = await self.things.find_by_id(1)
        self.assertEqual(await self.things.update_by_id(1), thing)
        self.assertEqual(await self.things.update_by_id(1, {}, inc={}, unset=[]), thing)
        self.assertEqual(await self.things.update_one({"_id": 1}), thing)
        self.assertEqual(await self.things.update({}), 1)
        self.assertEqual(await self.things.find_by_id(1), thing)

    @gen_test
    async def test_not_found(self) -> None:
        self.assertIsNone(await self.things.update_by_id(2, inc={"n": 1}))
        self.assertIsNone(await self.things.update_one({"_id": 2}, push={"tags": "a"}))
        self.assertEqual(await self.things.count({}), 1)

    @gen_test
    async def test_each_caller_adds_once(self) -> None:
        await asyncio.gather(*(self.things.update_by_id(1, inc={"n": 1}) for _ in range(50)))
        thing = await self.things.find_by_id(1)
        self.assertEqual(thing and thing["n"], 51)

    @gen_test
    async def test_refused(self) -> None:
        things: Collection[Any] = self.things  # as code that mypy does not check
        with self.assertRaisesRegex(ServerError, "non-numeric|Cannot increment"):
            await things.update_by_id(1, inc={"tags": 1})
        with self.assertRaisesRegex(ServerError, "MongoDB can't hold the set in tags"):
            await things.update_by_id(1, push={"tags": {1}})
        self.assertEqual(await self.things.find_by_id(1), {"_id": 1, "n": 1, "tags": ["a"]})


class UnknownFieldTest(UpdatesTest):
    """A field that the model does not name, where mypy can't see it."""

    @gen_test
    async def test_each_operation(self) -> None:
        things: Collection[Any] = self.things
        calls: list[Coroutine[Any, Any, Any]] = [
            things.update_by_id(1, {"shlef": "x"}),
            things.update_by_id(1, {"shelf": "x"}, inc={"shlef": 1}),
            things.update_one({"_id": 1}, unset=["shlef"]),
            things.update_one({"_id": 1}, push={"shlef.a": 1}),
            things.update({}, add_to_set={"shlef": 1}),
            things.upsert({"_id": 2}, set_on_insert={"shlef": 1}),
        ]
        for call in calls:
            with self.assertRaisesRegex(ServerError, "The model of things has no field shlef"):
                await call
        self.assertEqual(await things.find({}), [{"_id": 1, "n": 1, "tags": ["a"]}])

    @gen_test
    async def test_a_path(self) -> None:
        things: Collection[Any] = self.things
        updated = await things.update_by_id(1, {"tags.0": "b"})
        self.assertEqual(updated, {"_id": 1, "n": 1, "tags": ["b"]})

    @gen_test
    async def test_any_documents(self) -> None:
        anything = Collection("things", Document)
        Collection.declared.remove(anything)
        updated = await anything.update_by_id(1, {"shlef": "x"})
        self.assertEqual(updated, {"_id": 1, "n": 1, "tags": ["a"], "shlef": "x"})


class UpsertTest(UpdatesTest):
    varies_with = (DRIVER,)

    @gen_test
    async def test_valid(self) -> None:
        made = await self.things.upsert(
            {"_id": 2, "key": 7}, {"shelf": "x"}, inc={"n": 1}, set_on_insert={"tags": []}
        )
        self.assertEqual(made, {"_id": 2, "key": 7, "n": 1, "shelf": "x", "tags": []})
        again = await self.things.upsert(
            {"_id": 2, "key": 7}, inc={"n": 1}, set_on_insert={"tags": ["new"]}
        )
        self.assertEqual(again, {**made, "n": 2})

    @gen_test
    async def test_at_once(self) -> None:
        """MongoDB itself tries again after a duplicate, if the query is a value of the index."""
        made = await asyncio.gather(
            *(self.things.upsert({"_id": 2}, inc={"n": 1}) for _ in range(20))
        )
        self.assertEqual(sorted(thing["n"] for thing in made), [*range(1, 21)])

    @gen_test
    async def test_conflict(self) -> None:
        await self.things.update_by_id(1, {"key": 1})
        with self.assertRaises(Conflict):
            await self.things.upsert({"_id": 2}, {"key": 1})
        self.assertEqual(await self.things.count({}), 1)


class UpdateTest(UpdatesTest):
    varies_with = (DRIVER,)

    @gen_test
    async def test_valid(self) -> None:
        for number in range(2, 6):
            await self.things.insert({"_id": number, "n": number})
        self.assertEqual(await self.things.update({"n": {"$gt": 2}}, {"n": 0}), 3)
        self.assertEqual(await self.things.count({"n": 0}), 3)
        self.assertEqual(await self.things.update({"n": 0}, inc={"n": 1}, unset=["key"]), 3)
        self.assertEqual(await self.things.update({"n": 77}, {"n": 78}), 0)

    @gen_test
    async def test_conflict(self) -> None:
        await self.things.insert({"_id": 2})
        with self.assertRaises(Duplicate) as raised:
            await self.things.update({}, {"key": 5})
        self.assertEqual(raised.exception.fields, ("key",))


class DuplicateTest(UpdatesTest):
    """A duplicate says which index, and which fields."""

    varies_with = (DRIVER,)

    @gen_test
    async def test_each_operation(self) -> None:
        await self.things.insert({"_id": 2, "key": 2})
        calls: list[Coroutine[Any, Any, Any]] = [
            self.things.insert({"_id": 3, "key": 2}),
            self.things.update_by_id(1, {"key": 2}),
            self.things.update_by_id(1, inc={"n": 1}, set={"key": 2}),
            self.things.update_one({"n": 1}, {"key": 2}),
            self.things.update({"n": 1}, {"key": 2}),
        ]
        for call in calls:
            with self.subTest(call=call), self.assertRaises(Duplicate) as raised:
                await call
            self.assertEqual((raised.exception.index, raised.exception.fields), ("key_1", ("key",)))
            (detail,) = raised.exception.details
            self.assertEqual((detail["path"], detail["reason"]), ("key", "duplicate"))
            self.assertEqual(detail["message"], "Another document has the same key.")

    @gen_test
    async def test_in_a_batch(self) -> None:
        inserts = [self.things.insert({"_id": 3, "key": key}) for key in (2, 2, 1)]
        results = await asyncio.gather(*inserts, return_exceptions=True)
        duplicates = [result for result in results if isinstance(result, Duplicate)]
        self.assertEqual([each.index for each in duplicates], ["_id_", "_id_"])
        self.assertEqual([each.fields for each in duplicates], [("_id",), ("_id",)])

    @gen_test
    async def test_a_compound_partial_index(self) -> None:
        for number in (2, 3):  # the index does not hold these
            await self.things.insert({"_id": number, "shelf": "x", "n": 5})
        await self.things.insert({"_id": 4, "shelf": "x", "n": 10})
        with self.assertRaises(Duplicate) as raised:
            await self.things.insert({"_id": 5, "shelf": "x", "n": 10})
        self.assertEqual(raised.exception.index, "shelf_1_n_1")
        self.assertEqual(raised.exception.fields, ("shelf", "n"))
        self.assertEqual(
            await self.things.find_one({"shelf": "x", "n": 10}), {"_id": 4, "shelf": "x", "n": 10}
        )


WITHOUT_LANES: dict[str, Any] = {"mongodb_lane": False}


class OperatorsWithoutLanesTest(OperatorsTest):
    settings: ClassVar[dict[str, Any]] = WITHOUT_LANES


class UpsertWithoutLanesTest(UpsertTest):
    settings: ClassVar[dict[str, Any]] = WITHOUT_LANES


class UpdateWithoutLanesTest(UpdateTest):
    settings: ClassVar[dict[str, Any]] = WITHOUT_LANES


class DuplicateWithoutLanesTest(DuplicateTest):
    settings: ClassVar[dict[str, Any]] = WITHOUT_LANES
