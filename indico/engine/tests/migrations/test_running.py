"""Migrations that are applied, fail, and are undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from typing_extensions import TypedDict

from ...broken_code import BrokenCode
from ...error import StartError
from ...migrations.folder import find_migrations
from ...mongo.collection import Collection
from ...mongo.validators import put_validators
from .migrations_test import UP, MigrationsTest

FAILS = """
async def up(db):
    if not await db.repaired.find_one():
        raise ValueError("too early")
    await db.done.insert_one({{"_id": {number}}})

async def down(db):
    raise ValueError("too late")
"""


RENAMES = """
async def up(db):
    await db.notes.update_many({}, {"$rename": {"title": "headline"}})
"""


class ApplyTest(MigrationsTest):
    async def test_in_order_and_once(self) -> None:
        for name in ("0002_b", "0001_a"):
            self.write(name)
        self.assertEqual(await self.migrate(), ["apply 0001_a", "apply 0002_b"])
        self.assertEqual(await self.done(), [1, 2])
        self.assertEqual(await self.migrate(), [])
        self.write("0003_c")
        self.assertEqual(await self.migrate(), ["apply 0003_c"])
        self.assertEqual(await self.done(), [1, 2, 3])

    async def test_journal(self) -> None:
        self.write("0001_a")
        await self.migrate()
        journal = await self.journal()
        self.assertIsNone(journal["lock"])
        (entry,) = journal["applied"]
        (migration,) = find_migrations(self.package)
        self.assertEqual((entry["number"], entry["name"]), (1, "0001_a"))
        self.assertEqual(entry["checksum"], migration.checksum)
        self.assertLess(abs(entry["applied_at"] - datetime.now(UTC)), timedelta(minutes=10))
        self.assertGreaterEqual(entry["seconds"], 0)

    async def test_one_fails(self) -> None:
        self.write("0001_a")
        self.write("0002_fails", FAILS)
        self.write("0003_c")
        with self.assertRaises(BrokenCode) as raised:
            await self.migrate()
        text = str(raised.exception)
        self.assertIn("0002_fails failed, and is not recorded as applied", text)
        self.assertRegex(text, r"0002_fails\.py, line 4: ValueError: too early$")
        self.assertEqual((await self.done(), await self.applied()), ([1], ["0001_a"]))
        await self.db.repaired.insert_one({})
        self.assertEqual(await self.migrate(), ["apply 0002_fails", "apply 0003_c"])

    async def test_a_later_one_is_broken(self) -> None:
        """Nothing is applied."""
        self.write("0001_a")
        self.write("0002_broken", "async def up(db): (")
        with self.assertRaises(BrokenCode):
            await self.migrate()
        self.assertEqual((await self.done(), await self.applied()), ([], []))

    async def test_what_is_shown(self) -> None:
        self.write("0001_a")
        await self.migrate()
        await self.migrate(0)
        lines = self.shown.getvalue().replace("\x1b[K", "").splitlines()
        self.assertEqual((lines[0], lines[2]), ("apply 0001_a ...", "undo 0001_a ..."))
        self.assertRegex(lines[1], r"^0001_a applied in \d+\.\d s$")
        self.assertRegex(lines[3], r"^0001_a undone in \d+\.\d s$")


class Old(TypedDict):
    title: str


class New(TypedDict):
    headline: str


class ValidatorsTest(MigrationsTest):
    async def test_a_field_that_older_code_demands(self) -> None:
        self.write("0001_rename", RENAMES)
        for model in (Old, New):
            collection = Collection("notes", model)
            self.addCleanup(Collection.declared.remove, collection)
            if model is Old:
                await put_validators([collection], self.database, "error")
                await self.db.notes.insert_one({"title": "a"})
                with self.assertRaisesRegex(BrokenCode, "validation"):
                    await self.migrate()
        await self.migrate(validation="error")
        (note,) = await self.db.notes.find({}, {"_id": 0}).to_list()
        self.assertEqual(note, {"headline": "a"})


class UndoTest(MigrationsTest):
    async def test_down_and_up(self) -> None:
        for name in ("0001_a", "0002_b", "0003_c"):
            self.write(name)
        self.assertEqual(await self.migrate(2), ["apply 0001_a", "apply 0002_b"])
        self.assertEqual(await self.migrate(1), ["undo 0002_b"])
        self.assertEqual((await self.done(), await self.applied()), ([1], ["0001_a"]))
        await self.migrate()
        self.assertEqual(await self.migrate(0), ["undo 0003_c", "undo 0002_b", "undo 0001_a"])
        self.assertEqual((await self.done(), await self.applied()), ([], []))

    async def test_one_has_no_way_back(self) -> None:
        """Nothing is undone."""
        self.write("0001_a", UP)
        self.write("0002_b")
        await self.migrate()
        with self.assertRaisesRegex(StartError, "^0001_a has no `down`, so nothing was changed"):
            await self.migrate(0)
        self.assertEqual((await self.done(), await self.applied()), ([1, 2], ["0001_a", "0002_b"]))

    async def test_one_fails(self) -> None:
        self.write("0001_fails", FAILS)
        await self.db.repaired.insert_one({})
        await self.migrate()
        with self.assertRaisesRegex(BrokenCode, "0001_fails failed, and is still recorded"):
            await self.migrate(0)
        self.assertEqual(await self.applied(), ["0001_fails"])
