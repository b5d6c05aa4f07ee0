"""The examples of docs/data.md, run as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from mypy import api
from tornado.testing import gen_test

from indico import db
from indico.db import Collection, Document, IndexModel, mongodb
from indico.engine.http.application import Application
from indico.engine.migrations.running import migrate
from indico.engine.mongo.connection import unlimited
from indico.engine.mongo.indexes import make_indexes
from indico.engine.progress import Progress
from indico.engine.tests.migrations.migrations_test import FolderTest
from indico.error import Conflict, Duplicate, ServerError
from indico.tests.server_process import ROOT
from indico.tests.server_test import ServerTest, mongodb_uri

PAGE = (ROOT / "docs" / "data.md").read_text()
MONGODB = (ROOT / "docs" / "mongodb.md").read_text()


def examples(section: str, language: str = "python", page: str = PAGE) -> list[str]:
    """Return the blocks of a section that are written in `language`."""
    text = page.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.findall(rf"^ *```{language}\n.*?```", text, re.S | re.M)
    return [textwrap.dedent(block).split("\n", 1)[1].removesuffix("```") for block in found]


def run(code: str) -> dict[str, Any]:
    """Return the names that `code` defines; its annotations are no text, as those here are."""
    names: dict[str, Any] = {}
    exec(compile(code, "example", "exec", dont_inherit=True), names)
    return names


class ExamplesTest(ServerTest):
    """`self.names` are those that the examples of the `sections` define."""

    covers = False
    page = PAGE
    sections: tuple[str, ...]

    def setUp(self) -> None:
        before = len(db.Collection.declared)
        found = [code for section in self.sections for code in examples(section, page=self.page)]
        self.names = run("\n".join(found))
        self.addCleanup(db.Collection.declared.__delitem__, slice(before, None))
        super().setUp()


class TransactionsTest(ExamplesTest):
    sections = ("Transactions",)

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


class ModelsTest(ExamplesTest):
    sections = ("Models",)

    def setUp(self) -> None:
        super().setUp()
        self.tasks: db.Collection[Any] = self.names["TASKS"]
        self.indexed = [self.tasks]
        self.run_async(self.connect())  # as at a start

    @gen_test
    async def test_valid(self) -> None:
        task: db.Document = {"_id": db.ObjectId(), "title": "Buy milk", "voters": []}
        await self.tasks.insert({**task})
        self.assertEqual(await self.tasks.find_by_id(task["_id"]), task)
        for votes in (1, 2):
            voted = await self.names["vote"](task["_id"], "Ada")
            self.assertEqual(voted, {**task, "votes": votes, "voters": ["Ada"]})

    @gen_test
    async def test_a_wrong_document(self) -> None:
        with self.assertRaises(ServerError) as raised:
            await self.tasks.insert({"title": 5})
        self.assertIn(f"`{raised.exception.message}`", " ".join(PAGE.split()))
        with self.assertRaises(ServerError):
            await self.tasks.insert({"title": "x" * 201, "voters": []})
        await self.tasks.insert({"title": "x" * 200, "voters": [], "of newer code": 1})

    @gen_test
    async def test_a_duplicate(self) -> None:
        task = {"title": "Buy milk", "voters": []}
        await self.tasks.insert({**task})
        with self.assertRaises(Duplicate) as raised:
            await self.tasks.insert({**task})
        told = f'`{raised.exception.index}` and `("{raised.exception.fields[0]}",)`'
        self.assertIn(told, PAGE)


NOTES = """
from typing import NotRequired

from typing_extensions import TypedDict

from indico.db import Collection, IndexModel, ObjectId, find_page


class NoteDocument(TypedDict):
    _id: ObjectId
    user_id: ObjectId
    text: str
    tags: list[str]
    draft: NotRequired[bool]
    stars: NotRequired[int]


NOTES = Collection("notes", NoteDocument, IndexModel([("text", "text")]))


async def operations(note_id: ObjectId, user_id: ObjectId) -> None:
"""


class OperationsTest(ServerTest):
    """The operations in docs/mongodb.md."""

    covers = False

    def setUp(self) -> None:
        super().setUp()
        (lines,) = re.findall(r"```python\n(# The document with this id.*?)```", MONGODB, re.S)
        self.code = NOTES + textwrap.indent(lines, "    ")

    @gen_test
    async def test_each(self) -> None:
        names = run(self.code + "    return locals()")
        notes = names["NOTES"]
        self.addCleanup(db.Collection.declared.remove, notes)
        self.indexed = [notes]
        await self.connect()
        note_id, user_id = db.ObjectId(), db.ObjectId()
        note = {"_id": note_id, "user_id": user_id, "text": "Buy milk", "tags": [], "draft": True}
        await notes.insert(note)
        working = asyncio.ensure_future(names["operations"](note_id, user_id))
        while not working.done():  # until it watches
            await notes.insert({**note, "_id": db.ObjectId()})
            await asyncio.sleep(0.001)
        found = await working
        self.assertEqual(found["first"].operation, "insert")
        self.assertEqual(found["tags"], [])
        self.assertEqual(found["sums"], [{"_id": user_id, "stars": 0}])

    def test_mypy(self) -> None:
        with tempfile.TemporaryDirectory(prefix="test-") as folder:
            file = Path(folder, "operations.py")
            file.write_text("\n".join([*examples("Models"), self.code]))
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(ROOT)
            self.assertRegex(api.run(["--strict", str(file)])[0], "Success")


class WrittenTest(FolderTest, ServerTest):
    """A package with the files of the section on migrations."""

    covers = False

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
        declared = Collection("notes", Document, IndexModel("headline"))
        Collection.declared.remove(declared)
        self.run_async(make_indexes(declared, mongodb))
        self.assertEqual(self.run_async(mongodb.notes.index_information()), before)
        self.assertIn("headline_1", before)


class OnceTest(ExamplesTest):
    sections = ("A call that happens once",)

    def make_app(self, settings: Any) -> Application:
        app = super().make_app(settings)
        app.add_handlers(".*", [self.names["OrderRoute"]])
        return app

    def test_valid(self) -> None:
        token = self.register()["token"]
        headers = {"Idempotency_Key": "a key", "token": token}
        first, second = (self.post("/order/create", {"what": "tea"}, **headers) for _ in range(2))
        self.assertEqual(self.data(first, 201), self.data(second, 201))
        self.assertEqual(second.headers["Idempotent-Replayed"], "true")
        (order,) = self.stored("orders")
        self.assertEqual(order["what"], "tea")
        other = self.post("/order/create", {"what": "coffee"}, **headers)
        self.error(other, 422, "idempotency_key_reused")
