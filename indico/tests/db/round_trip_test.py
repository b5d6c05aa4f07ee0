"""`RoundTripTest`: a test of one collection, which also sees the database from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from indico.db.collection import Collection, Document, IndexModel
from indico.tests.server_test import ServerTest


class RoundTripTest(ServerTest):
    """`self.things` has a unique index on `key`; `self.stored` is the same, by another client."""

    def setUp(self) -> None:
        super().setUp()
        self.run_async(self.open())

    async def open(self) -> None:
        uri = super().uri()
        self.outside: AsyncMongoClient[Any] = AsyncMongoClient(uri, uuidRepresentation="standard")
        await self.make_things("things")

    async def make_things(self, name: str, *indexes: IndexModel) -> None:
        self.things = Collection(name, *(indexes or [IndexModel("key", unique=True)]))
        Collection.declared.remove(self.things)
        await self.things.make_indexes()
        self.stored: AsyncCollection[Document] = self.outside[self.database][name]

    def tearDown(self) -> None:
        self.run_async(self.outside.close())
        super().tearDown()


async def together(*operations: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each of them answers or raises, begun at the same time."""
    return await asyncio.gather(*operations, return_exceptions=True)
