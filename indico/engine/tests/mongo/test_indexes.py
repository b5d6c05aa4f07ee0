"""Indexes that can't be made."""

from __future__ import annotations

from typing import Any

from pymongo import IndexModel
from pymongo.collation import Collation
from tornado.testing import gen_test

from ...error import ServerError, StartError
from ...mongo.collection import Collection, Document
from ...mongo.driver import mongodb
from ...mongo.indexes import make_indexes
from .fail_point_test import FailPointTest


class ContradictionTest(FailPointTest):
    async def message(self, index: IndexModel, *documents: dict[str, Any]) -> str:
        """Return what ends the start with `index` and these documents."""
        await self.outside[self.database].clashes.insert_many(documents)
        clashes = Collection("clashes", Document, index)
        Collection.declared.remove(clashes)
        with self.assertRaises(StartError) as raised:
            await make_indexes(clashes, mongodb)
        return str(raised.exception)

    @gen_test
    async def test_the_first_values(self) -> None:
        documents = [{"email": name} for name in ("d", "a", "b", "d", "c", "c", "e", "b", "e")]
        self.assertEqual(
            await self.message(IndexModel("email", unique=True), *documents),
            "The unique index email_1 of clashes can't be made, because several documents have "
            "the same email: 'b'; 'c'; 'd'. Change or delete such documents, or declare the index "
            "without unique=True.",
        )

    @gen_test
    async def test_missing_fields(self) -> None:
        text = await self.message(IndexModel("email", unique=True), {"a": 1}, {"email": None})
        self.assertIn("the same email: None. ", text)

        sparse = IndexModel("name", unique=True, sparse=True)
        text = await self.message(sparse, {"name": "Ada"}, {"name": "Ada"})
        self.assertIn("the same name: 'Ada'. ", text)

    @gen_test
    async def test_two_fields_of_some_documents(self) -> None:
        index = IndexModel(["a", "b"], unique=True, partialFilterExpression={"live": True})
        other, same = {"a": 1, "b": 1}, {"a": 1, "b": 2, "live": True}
        text = await self.message(index, other, {**other}, same, {**same, "b": [2, 3, 3]})
        self.assertIn("index a_1_b_1 of clashes", text)
        self.assertIn("the same a, b: 1, 2. ", text)

    @gen_test
    async def test_letter_case(self) -> None:
        index = IndexModel("email", unique=True, collation=Collation("en", strength=2))
        text = await self.message(index, {"email": "ada"}, {"email": "ada"}, {"email": "ADA"})
        self.assertIn("the same email: 'ada'. ", text)

    @gen_test
    async def test_objects_in_an_array(self) -> None:
        """MongoDB compares each of the objects, and names one value of its own."""
        one = {"a": [{"b": "x" * 1000}, {"b": 2}]}
        text = await self.message(IndexModel("a.b", unique=True), one, {"a": one["a"][:1]})
        self.assertRegex(text, r"the same a\.b: 'x{199}\.\.\.\. ")

    @gen_test
    async def test_no_time_to_look_for_more(self) -> None:
        async with self.failing("aggregate", errorCode=50):
            text = await self.message(IndexModel("n", unique=True), {"n": 1}, {"n": 1})
        self.assertIn("the same n: 1. ", text)

    @gen_test
    async def test_no_time_to_make_them(self) -> None:
        async with self.failing("createIndexes", errorCode=50):
            text = await self.message(IndexModel("n"), {"n": 1})
        self.assertIn("The indexes of clashes can't be made in mongodb_timeout_seconds", text)

    @gen_test
    async def test_other_errors(self) -> None:
        async with self.failing("createIndexes", errorCode=13):
            with self.assertRaisesRegex(ServerError, "Unauthorized"):
                await self.message(IndexModel("n"), {"n": 1})
