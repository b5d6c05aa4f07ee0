"""`RoundTripTest`: a test of one collection, which also sees the database from outside."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from bson import ObjectId
from hypothesis import HealthCheck, settings
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from ...mongo import connection as db
from ...mongo.collection import Collection, Document, IndexModel
from ..server_test import ServerTest, drop_collections, mongodb_uri
from .proxy import Proxy
from .referee import Referee


class RoundTripTest(ServerTest):
    """`self.things` has a unique index on `key`; `self.stored` is the same, by another client."""

    def setUp(self) -> None:
        super().setUp()
        self.run_async(self.open())

    def mongodb(self) -> str:
        return mongodb_uri()

    def uri(self) -> str:
        return self.mongodb()

    async def open(self) -> None:
        self.outside: AsyncMongoClient[Any] = AsyncMongoClient(
            self.mongodb(), uuidRepresentation="standard"
        )
        await self.make_things("things")

    async def make_things(self, name: str, *indexes: IndexModel) -> None:
        self.things = Collection(name, *(indexes or [IndexModel("key", unique=True)]))
        Collection.declared.remove(self.things)
        self.stored: AsyncCollection[Document] = self.outside[self.database][name]
        await self.stored.create_indexes([*self.things.indexes])

    @asynccontextmanager
    async def referee(self) -> AsyncIterator[Referee]:
        """For `self.things`, which are emptied after it."""
        referee = Referee(self.things, self.stored)
        try:
            yield referee
        finally:
            if referee.is_settled:
                await self.stored.delete_many({})
            else:
                await self.make_things(f"things_{ObjectId()}")

    async def drop(self) -> None:
        await drop_collections(self.outside[self.database])
        await self.outside.close()
        await db.disconnect()


class ProxiedTest(RoundTripTest):
    """`self.proxy` stands before MongoDB, but not before the client of `self.stored`."""

    def setUp(self) -> None:
        self.proxy = self.enterContext(Proxy(self.mongodb()))
        super().setUp()

    def uri(self) -> str:
        return self.proxy.uri


def property_settings(examples: int) -> settings:
    """So many examples, the same every time.

    With PROPERTY_EXAMPLES=20 in the environment 20 times as many, at random.
    """
    factor = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
    return settings(
        max_examples=examples * (factor or 1),
        derandomize=not factor,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


async def eventually(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Waits until `condition` holds, while the event loop goes on."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.002)


async def together(*operations: Awaitable[Any]) -> list[Any]:
    """What each of them answers or raises, begun at the same time."""
    return await asyncio.gather(*operations, return_exceptions=True)
