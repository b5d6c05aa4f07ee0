"""Counts, values and searches of a collection, with and without lanes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from tornado.testing import gen_test

from ...error import ServerError
from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.driver import mongodb
from ...mongo.indexes import make_indexes
from ..environment import DRIVER
from ..server_test import ServerTest


class ReadsTest(ServerTest):
    varies_with = (DRIVER,)

    def setUp(self) -> None:
        super().setUp()
        text = IndexModel([("title", "text"), ("text", "text")])
        self.pages = Collection("pages", Document, text)
        Collection.declared.remove(self.pages)
        self.run_async(self.fill())

    async def fill(self) -> None:
        await make_indexes(self.pages, mongodb)
        pages: list[Document] = [
            {"_id": 1, "title": "Milk", "text": "Milk, milk and butter", "price": Decimal("1.50")},
            {"_id": 2, "title": "Bread", "text": "Rye, with milk", "tags": ["b", "a"]},
            {"_id": 3, "title": "Salt", "text": "Salt", "tags": ["a", "c"], "price": Decimal(2)},
        ]
        for page in pages:
            await self.pages.insert(page)

    @gen_test
    async def test_count(self) -> None:
        self.assertEqual(await self.pages.count({}), 3)
        self.assertEqual(await self.pages.count({"tags": "a"}), 2)
        self.assertEqual(await self.pages.count({"tags": "z"}), 0)
        with self.assertRaises(ServerError):
            await self.pages.count({"$nosuch": 1})

    @gen_test
    async def test_exists(self) -> None:
        self.assertIs(await self.pages.exists({"tags": "a"}), True)
        self.assertIs(await self.pages.exists({"tags": "z"}), False)

    @gen_test
    async def test_distinct(self) -> None:
        self.assertEqual(await self.pages.distinct("tags"), ["a", "b", "c"])
        self.assertEqual(await self.pages.distinct("tags", {"title": "Salt"}), ["a", "c"])
        self.assertEqual(await self.pages.distinct("price"), [Decimal("1.50"), Decimal(2)])
        self.assertEqual(await self.pages.distinct("nothing"), [])
        with self.assertRaises(ServerError):
            await self.pages.distinct("tags", {"$nosuch": 1})

    @gen_test
    async def test_search(self) -> None:
        found = await self.pages.search("milk")
        self.assertEqual([page["_id"] for page in found], [1, 2])
        found = await self.pages.search("milk", {"tags": "a"}, limit=5)
        self.assertEqual([page["_id"] for page in found], [2])
        found = await self.pages.search("milk", limit=1)
        self.assertEqual([page["_id"] for page in found], [1])
        self.assertEqual(await self.pages.search("pepper"), [])

    @gen_test
    async def test_search_without_a_text_index(self) -> None:
        bare = Collection("bare", Document)
        Collection.declared.remove(bare)
        await bare.insert({"text": "milk"})
        with self.assertRaisesRegex(ServerError, "text index"):
            await bare.search("milk")

    @gen_test
    async def test_aggregate(self) -> None:
        self.assertEqual(await self.pages.aggregate([{"$count": "n"}]), [{"n": 3}])


class ReadsWithoutLanesTest(ReadsTest):
    settings: ClassVar[dict[str, Any]] = {"mongodb_lane": False}
