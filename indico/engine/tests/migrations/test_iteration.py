"""`batches`: the way through a large collection."""

from __future__ import annotations

import io
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from bson import ObjectId

from ... import progress
from ...log import LOGGER
from ...migrations.iteration import batches
from ...progress import Progress, on_terminal
from .migrations_test import MigrationsTest

MARKS = """
from {engine}.migrations.iteration import batches

async def up(db):
    async for things in batches(db.things, {{"mark": None}}, size=4):
        if await db.ends.find_one_and_delete({{}}):
            raise ValueError("cut off")
        ids = [thing["_id"] for thing in things]
        await db.things.update_many({{"_id": {{"$in": ids}}}}, {{"$inc": {{"mark": 1}}}})
""".format(engine=__name__.rpartition(".tests.")[0])


class BatchesTest(MigrationsTest):
    async def store(self, *ids: Any) -> None:
        await self.db.things.insert_many([{"_id": one} for one in ids])

    async def ids(self, size: int, **query: Any) -> list[list[Any]]:
        return [
            [thing["_id"] for thing in things]
            async for things in batches(self.db.things, query, size)
        ]

    async def test_sizes(self) -> None:
        self.assertEqual(await self.ids(2), [])
        await self.store(3, 1, 4, 2, 5)
        self.assertEqual(await self.ids(2), [[1, 2], [3, 4], [5]])
        self.assertEqual(await self.ids(5), [[1, 2, 3, 4, 5]])
        self.assertEqual(await self.ids(2, _id={"$gt": 2}), [[3, 4], [5]])

    async def test_ids_of_all_types(self) -> None:
        """The order is that of MongoDB, which compares different types too."""
        ids = [1, 2.5, 3, "a", "b", {"a": 1}, b"a", ObjectId(), True]
        await self.store(*reversed(ids))
        for size in (1, 2, 4):
            found = await self.ids(size)
            self.assertEqual([one for batch in found for one in batch], ids)

    async def test_documents_that_change_meanwhile(self) -> None:
        """A document that no longer matches leaves its place to another, and new ones are found."""
        await self.store(*range(5))
        seen = []
        async for things in batches(self.db.things, {"mark": None}, 2):
            seen.append([thing["_id"] for thing in things])
            await self.db.things.update_many({"_id": {"$in": seen[-1]}}, {"$set": {"mark": 1}})
            if len(seen) == 1:
                await self.db.things.delete_one({"_id": 2})
                await self.store(7)
        self.assertEqual(seen, [[0, 1], [3, 4], [7]])

    async def test_a_migration_goes_on_where_it_was(self) -> None:
        self.write("0001_marks", MARKS)
        await self.store(*range(10))
        await self.migrate(0)
        for left in (1, 2):
            await self.db.ends.insert_many([{} for _ in range(left)])
            with self.assertRaisesRegex(Exception, "cut off"):
                await self.migrate()
            await self.db.ends.drop()
        await self.migrate()
        things = await self.db.things.find().to_list()
        self.assertEqual([thing["mark"] for thing in things], [1] * 10)

    async def test_progress(self) -> None:
        self.write("0001_marks", MARKS)
        await self.store(*range(10))
        await self.migrate()
        self.assertIn("0001_marks: 4 of 10 (40 %)\x1b[K\r", self.shown.getvalue())
        self.assertIn("0001_marks: 10 of 10 (100 %)\x1b[K\r", self.shown.getvalue())


class ProgressTest(TestCase):
    def test_log(self) -> None:
        """A count is logged every few seconds only."""
        with self.assertLogs(LOGGER) as logs:
            shown = Progress()
            shown.say("begins")
            shown.count("work", 1, 2000)
            with patch.object(progress, "LOG_SECONDS", 0):
                shown.count("work", 1500, 2000)
                shown.count("work", 2001, 2000)
        said = [record.getMessage() for record in logs.records]
        self.assertEqual(
            said, ["begins", "work: 1,500 of 2,000 (75 %)", "work: 2,001 of 2,001 (100 %)"]
        )

    def test_where(self) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        terminal, file = Terminal(), io.StringIO()
        with patch("sys.stdout", terminal):
            on_terminal().say("here")
        with patch("sys.stdout", file), self.assertLogs(LOGGER):
            on_terminal().say("there")
        self.assertEqual((terminal.getvalue(), file.getvalue()), ("here\x1b[K\n", ""))
