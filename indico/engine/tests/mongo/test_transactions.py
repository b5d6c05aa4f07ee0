from __future__ import annotations

from typing import Any

from tornado.testing import gen_test

from ...error import Conflict, ServerError
from ...mongo.driver import mongodb
from ...mongo.transactions import transaction
from ..server_test import ServerTest


class TransactionTest(ServerTest):
    async def both(self, last: Any) -> Any:
        """Insert two documents in one transaction, the second of them `last`."""

        async def work(session: Any) -> str:
            await mongodb.things.insert_one({"_id": 1}, session=session)
            await mongodb.things.insert_one(last, session=session)
            return "done"

        return await transaction(work)

    @gen_test
    async def test_valid(self) -> None:
        self.assertEqual(await self.both({"_id": 2}), "done")
        self.assertEqual(await mongodb.things.count_documents({}), 2)

    @gen_test
    async def test_all_or_none(self) -> None:
        with self.assertRaises(Conflict):
            await self.both({"_id": 1})
        with self.assertRaises(ServerError):
            await self.both({"_id": [1]})
        self.assertEqual(await mongodb.things.count_documents({}), 0)

    @gen_test
    async def test_an_error_of_the_work(self) -> None:
        async def work(session: Any) -> None:
            await mongodb.things.insert_one({"_id": 1}, session=session)
            raise KeyError

        with self.assertRaises(KeyError):
            await transaction(work)
        self.assertEqual(await mongodb.things.count_documents({}), 0)


class TransactionOnPyMongoTest(TransactionTest):
    settings = {"mongodb_driver": "pymongo"}  # noqa: RUF012
