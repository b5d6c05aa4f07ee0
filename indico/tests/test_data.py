"""The examples of docs/data.md, run as they stand there."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from tornado.testing import gen_test

from indico import db
from indico.db import Collection, IndexModel, mongodb
from indico.engine.migrations.running import migrate, unlimited
from indico.engine.mongo.indexes import make_indexes
from indico.engine.progress import Progress
from indico.engine.tests.migrations.migrations_test import FolderTest
from indico.error import Conflict, ServerError
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest, mongodb_uri

PAGE = (ROOT / "docs" / "data.md").read_text()


def examples(section: str, language: str = "python") -> list[str]:
    """Return the blocks of a section that are written in `language`."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.findall(rf"^ *```{language}\n.*?```", text, re.S | re.M)
    return [textwrap.dedent(block).split("\n", 1)[1].removesuffix("```") for block in found]


class TransactionsTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        before = len(db.Collection.declared)
        self.names: dict[str, Any] = {}
        exec("\n".join(examples("Transactions")), self.names)
        self.addCleanup(db.Collection.declared.__delitem__, slice(before, None))

    @gen_test
    async def test_valid(self) -> None:
        notes, kept, archive = (self.names[name] for name in ("NOTES", "ARCHIVE", "archive"))
        note = {"_id": 1, "text": "one"}
        await notes.insert(note)
        await archive(note)
        self.assertEqual((await notes.find({}), await kept.find({})), ([], [note]))
        await notes.insert(note)
        with self.assertRaises(Conflict):
            await archive(note)
        self.assertEqual((await notes.find({}), await kept.find({})), ([note], [note]))

    @gen_test
    async def test_what_cannot_be_undone(self) -> None:
        await self.names["send"]({})
        with self.assertRaisesRegex(ServerError, "Can't send a mail in a transaction"):
            await db.in_transaction(lambda: self.names["send"]({}))


class WrittenTest(FolderTest, ServerTest):
    """A package with the files of the section on migrations."""

    def setUp(self) -> None:
        super().setUp()
        for example in examples("Migrations"):
            name, text = example.removeprefix("# ").split(".py\n")
            self.write(name, text)

    async def migrate(self, to: int) -> None:
        async with unlimited(mongodb_uri(), self.database) as database:
            await migrate(self.program, database, Progress(), to)

    def notes(self) -> list[dict[str, Any]]:
        return self.stored("notes")


class MigrationsTest(WrittenTest):
    def test_each_file(self) -> None:
        titles = [f"note {n}" for n in range(3)]
        stored = [{"title": title, "headline": "old"} for title in titles]
        self.run_async(mongodb.notes.insert_many(stored))
        self.run_async(self.migrate(1))
        self.assertEqual([note["headline"] for note in self.notes()], titles)
        self.run_async(self.migrate(2))
        self.assertEqual([note.get("title") for note in self.notes()], [None] * 3)
        self.run_async(self.migrate(1))
        self.assertEqual([note["title"] for note in self.notes()], titles)

    def test_the_declared_index(self) -> None:
        """A start after the migration makes nothing, and finds no contradiction."""
        (line,) = re.findall(r"`(await db[^`]*create_indexes[^`]*)`", PAGE)
        importing = "from indico.db.migrations import IndexModel"
        self.write("0003_index_headline", f"{importing}\nasync def up(db):\n    {line}\n")
        self.run_async(self.migrate(3))
        before = self.run_async(mongodb.notes.index_information())
        declared = Collection("notes", IndexModel("headline"))
        Collection.declared.remove(declared)
        self.run_async(make_indexes(declared, mongodb))
        self.assertEqual(self.run_async(mongodb.notes.index_information()), before)
        self.assertIn("headline_1", before)
