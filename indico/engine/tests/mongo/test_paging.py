"""Pages of a collection: each document once, in order, with an index and no skip."""

from __future__ import annotations

import random
from typing import Any

from tornado.testing import gen_test

from ...error import WrongCursor
from ...mongo.collection import Collection, Document, IndexModel
from ...mongo.driver import mongodb
from ...mongo.paging import Order, Position, find_page
from ..server_test import ServerTest

SHELF = Collection(
    "sample_shelf",
    Document,
    IndexModel([("owner", 1), ("_id", 1)]),
    IndexModel([("owner", 1), ("name", 1), ("_id", 1)]),
    IndexModel([("owner", 1), ("name", -1), ("size.high", 1), ("_id", 1)]),
)
ORDERS: tuple[Order, ...] = (
    [("_id", 1)],
    [("_id", -1)],
    [("name", 1)],
    [("name", -1)],
    [("name", -1), ("size.high", 1)],
    [("name", 1), ("size.high", -1)],
)


class PagingTest(ServerTest):
    indexed = (SHELF,)

    async def fill(self) -> None:
        """Store documents with equal names, and without a name or a size."""
        chosen = random.Random(1)
        for number in range(60):
            document: dict[str, Any] = {"_id": number, "owner": number % 2}
            if (name := chosen.choice(["a", "b", "c", None, "absent"])) != "absent":
                document["name"] = name
            if (high := chosen.choice([1, 2, 3.5, None, 0])) != 0:
                document["size"] = {"high": high}
            await SHELF.insert(document)

    async def pages(self, sort: Order, limit: int, first: int | None) -> list[Any]:
        ids: list[Any] = []
        after: Position | None = None
        while True:
            found, after = await find_page(
                SHELF, {"owner": 1}, sort=sort, limit=limit, after=after, first=first
            )
            ids += [document["_id"] for document in found]
            if after is None:
                return ids
            self.assertEqual(len(found), limit)

    @gen_test
    async def test_as_one_sorted_list(self) -> None:
        await self.fill()
        for sort in ORDERS:
            whole = await SHELF.find({"owner": 1}, sort=[*sort, ("_id", sort[-1][1])])
            for limit, first in ((1, None), (1, 4), (7, None), (7, 4), (7, 8), (30, 4), (100, 60)):
                pages = await self.pages(sort, limit, first)
                self.assertEqual(pages, [each["_id"] for each in whole], (sort, limit, first))

    @gen_test
    async def test_while_documents_come_and_go(self) -> None:
        await self.fill()
        found, after = await find_page(SHELF, {"owner": 1}, limit=3)
        await SHELF.delete_by_id(found[-1]["_id"])
        await SHELF.insert({"_id": 0.5, "owner": 1})
        more, _ = await find_page(SHELF, {"owner": 1}, limit=3, after=after)
        self.assertEqual([document["_id"] for document in more], [7, 9, 11])

    @gen_test
    async def test_large_documents(self) -> None:
        for number in range(4):
            await SHELF.insert({"_id": number, "owner": 1, "text": "x" * 900_000})
        found, after = await find_page(SHELF, {"owner": 1}, limit=4)
        self.assertEqual((len(found), after), (2, [1]))

    @gen_test
    async def test_large_documents_are_not_fetched(self) -> None:
        """MongoDB sends little more than what is on the page."""
        for number in range(20):
            await SHELF.insert({"_id": number, "owner": 1, "text": "x" * 300_000})
        await mongodb.client[self.database].command("profile", 2)
        found, after = await find_page(SHELF, {"owner": 1}, limit=20, first=2)
        await mongodb.client[self.database].command("profile", 0)
        self.assertEqual([each["_id"] for each in found], list(range(6)))
        self.assertEqual(after, [5])
        profile = mongodb.client[self.database]["system.profile"].find({"op": "query"})
        sizes = [each["responseLength"] for each in await profile.to_list(None)]
        self.assertEqual(len(sizes), 2)
        self.assertLess(sum(sizes), 2_500_000)

    @gen_test
    async def test_a_document_that_is_larger_than_a_page(self) -> None:
        for number in range(3):
            await SHELF.insert({"_id": number, "owner": 1, "text": "x" * 3_000_000})
        for first in (1, 2, None):
            found, after = await find_page(SHELF, {"owner": 1}, limit=3, first=first)
            self.assertEqual([each["_id"] for each in found], [0], first)
            found, after = await find_page(SHELF, {"owner": 1}, limit=3, after=[1], first=first)
            self.assertEqual(([each["_id"] for each in found], after), ([2], None), first)

    @gen_test
    async def test_a_position_of_another_order(self) -> None:
        for position in ([], [1, 2, 3]):
            with self.assertRaises(WrongCursor):
                await find_page(SHELF, {}, sort=[("name", 1)], limit=1, after=position)

    @gen_test
    async def test_with_an_index_and_no_skip(self) -> None:
        """Read the plans of MongoDB for a page in the middle of a long list."""
        many = [{"_id": n, "owner": 1, "name": f"{n // 5:04}", "size": {}} for n in range(500)]
        await mongodb[SHELF.name].insert_many(many)
        await mongodb[SHELF.name].create_indexes(list(SHELF.indexes))
        await mongodb.client[self.database].command("profile", 2)
        positions: list[Position] = [[250], [250], ["0050", 252], ["0050", 252]]
        for sort, after in zip(ORDERS, positions, strict=False):
            await find_page(SHELF, {"owner": 1}, sort=sort, limit=10, after=after)
        await mongodb.client[self.database].command("profile", 0)
        profile = mongodb.client[self.database]["system.profile"]
        finds = await profile.find({"op": "query"}).sort("ts", 1).to_list(None)
        self.assertEqual(len(finds), 4)
        for each in finds:
            self.assertNotIn("hasSortStage", each)
            self.assertIn("IXSCAN", each["planSummary"])
            self.assertNotIn("skip", each["command"])
            self.assertLess(each["keysExamined"], 25, each["command"])
            self.assertLess(each["docsExamined"], 25, each["command"])
