"""`RoundTripTest`: a test of one collection, with a second client of the same database."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from bson import ObjectId
from hypothesis import HealthCheck, settings
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from ...mongo import connection as db
from ...mongo.bson_types import TYPES
from ...mongo.collection import Collection, Document, IndexModel
from ..environment import DRIVER, LANE
from ..server_test import ServerTest, drop_collections, mongodb_uri
from .proxy import Proxy
from .referee import Referee


class RoundTripTest(ServerTest):
    """`self.things` with a unique index on `key`; `self.stored` is the second client's view.

    The second client stays connected for all tests of a class.
    """

    varies_with: ClassVar[tuple[str, ...]] = (DRIVER, LANE)
    shares_database = False
    _outside: ClassVar[AsyncMongoClient[Any] | None] = None

    @classmethod
    def tearDownClass(cls) -> None:
        if cls._outside:
            cls.shared.io_loop().run_sync(cls._outside.close)
            cls._outside = None
        super().tearDownClass()

    def setUp(self) -> None:
        super().setUp()
        self.run_async(self.open())

    def server_uri(self) -> str:
        return mongodb_uri()

    def uri(self) -> str:
        return self.server_uri()

    async def open(self) -> None:
        self.outside = type(self)._outside = self._outside or AsyncMongoClient(
            self.server_uri(), uuidRepresentation="standard", type_registry=TYPES
        )
        await self.make_things("things")

    async def make_things(self, name: str, *indexes: IndexModel) -> None:
        self.things = Collection(name, Document, *(indexes or [IndexModel("key", unique=True)]))
        Collection.declared.remove(self.things)
        self.stored: AsyncCollection[Document] = self.outside[self.database][name]
        await self.stored.create_indexes([*self.things.indexes])

    @asynccontextmanager
    async def referee(self) -> AsyncIterator[Referee]:
        """Yield a referee of `self.things`, which are empty afterwards."""
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
        await db.disconnect()


class ProxiedTest(RoundTripTest):
    """`self.proxy` in front of MongoDB, but not for the client of `self.stored`."""

    def setUp(self) -> None:
        self.proxy = self.enterContext(Proxy(self.server_uri()))
        super().setUp()

    def uri(self) -> str:
        return self.proxy.uri


def property_settings(examples: int) -> settings:
    """Return settings for so many examples, the same in every run.

    PROPERTY_EXAMPLES=20 in the environment makes 20 times as many, at random.
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


async def eventually(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until `condition` holds, without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.002)


async def together(*operations: Awaitable[Any]) -> list[Any]:
    """Begin all at the same time, and return what each answers or raises."""
    return await asyncio.gather(*operations, return_exceptions=True)
