"""Many operations on one collection at the same time: each is served as if it were alone."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from pymongo import AsyncMongoClient

from indico.db.collection import Collection, IndexModel
from indico.tests.db.programs import Round, programs
from indico.tests.db.referee import Referee
from indico.tests.server_test import ServerTest, mongodb_uri

# So many examples at random instead of the same few every time.
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 50,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class RoundTripTest(ServerTest):
    """An empty `self.things`, and `self.outside`: its database seen by a client of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.made = 0
        self.run_async(self.open())

    async def open(self) -> None:
        self.outside_client: AsyncMongoClient[Any] = AsyncMongoClient(
            mongodb_uri(), uuidRepresentation="standard"
        )
        self.outside = self.outside_client[self.database]
        await self.make_things()

    async def make_things(self) -> None:
        self.made += 1
        self.things = Collection(f"things_{self.made}", IndexModel("key", unique=True))
        Collection.declared.remove(self.things)
        await self.things.make_indexes()

    def tearDown(self) -> None:
        self.run_async(self.outside_client.close())
        super().tearDown()


class PropertyTest(RoundTripTest):
    """Programs of concurrent callers, made up by hypothesis; `Referee` judges what comes out."""

    @SETTINGS
    @given(programs())
    def test_any_program(self, program: list[Round]) -> None:
        self.run_async(self.play(program))

    async def play(self, program: list[Round]) -> None:
        referee = Referee(self.things, self.outside)
        try:
            for callers in program:
                await referee.judge(callers)
        finally:
            if referee.is_settled:
                await self.outside[self.things.name].delete_many({})
            else:
                await self.make_things()
